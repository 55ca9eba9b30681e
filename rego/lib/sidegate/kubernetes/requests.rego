# METADATA
# title: What a Kubernetes request does
# description: |
#   Helpers over the facts of requests to a Kubernetes API server. Two promises hold for each of them. It is true only
#   for commands of the protocol kubernetes, so that a rule built on it binds no other. And it is total: where a fact is
#   missing, odd or unknown, what permits (`reads_only`, `in_namespaces`, `exec_only` …) is false, and what warns
#   (`writes`, `touches_secrets`, `escalates` …) is true.
#
#   Resources are written as kubectl writes them: `pods`, `deployments.apps`, with a subresource `pods/log`,
#   `deployments.apps/scale`. `*.apps` is every resource of that group, `pods/*` every subresource, and not pods
#   themselves.
# schemas:
#   - input: schema.input
#   - input.command.detail: schema.kubernetes
package sidegate.kubernetes

_kubernetes if input.command.protocol == "kubernetes"

_reading := {"get", "list", "watch"}

_changing := {"create", "update", "patch", "delete", "deletecollection"}

# A request for a resource, with what the API server authorises it by. Names and paths are left to the helpers that are
# about them: decisions are remembered by the facts that are read, and each object has a name of its own.
_attributed if {
	_kubernetes
	input.command.detail.resourceRequest == true
	input.command.detail.verb in ((_reading | _changing) | {"proxy"})
	is_string(input.command.detail.group)
	is_string(input.command.detail.resource)
	input.command.detail.resource != ""
	is_string(input.command.detail.subresource)
	is_string(input.command.detail.namespace)
}

# No resource: what is offered of these tells about the API server alone.
_asks_about_server if {
	_kubernetes
	input.command.detail.resourceRequest == false
	input.command.detail.verb in {"get", "head"}
	input.command.detail.upgrade == null
}

_unknown if {
	_kubernetes
	not _attributed
	not _asks_about_server
}

_verb := "connect" if connects

else := input.command.detail.verb if _attributed

_group := input.command.detail.group

_kind := _named(input.command.detail.resource, _group)

_named(resource, "") := resource

_named(resource, group) := concat(".", [resource, group]) if group != ""

# Every way to write the resource.
_spellings contains spelling if {
	_attributed
	input.command.detail.subresource == ""
	some spelling in [_kind, concat("", ["*.", _group])]
}

_spellings contains spelling if {
	_attributed
	subresource := input.command.detail.subresource
	subresource != ""
	some kind in [_kind, concat("", ["*.", _group])]
	some suffix in [subresource, "*"]
	spelling := concat("/", [kind, suffix])
}

# METADATA
# scope: document
# title: Only does what every client does around its work
# description: |
#   Discovery, OpenAPI documents, the version, health, and what the agent itself is and may do (`kubectl auth can-i`).
housekeeping if _asks_about_server

housekeeping if _asks_about_itself

_asks_about_itself if {
	verbs_only({"create"})
	on_resources({
		"selfsubjectaccessreviews.authorization.k8s.io",
		"selfsubjectreviews.authentication.k8s.io",
		"selfsubjectrulesreviews.authorization.k8s.io",
	})
}

# METADATA
# title: Only reads objects, other than Secrets
# description: |
#   get, list and watch, of objects, their status and scale, and of logs. To permit the reading of Secrets, name them:
#   `verbs_only({"get"})` and `on_resources({"secrets"})`, beside a mask.
reads_only if {
	verbs_only(_reading)
	input.command.detail.subresource in {"", "log", "scale", "status"}
	not reads_secrets
}

# METADATA
# title: Only reads objects of these namespaces, other than Secrets
# description: As `reads_only` and `in_namespaces`.
reads_only_in(namespaces) if {
	reads_only
	in_namespaces(namespaces)
}

# METADATA
# title: The verb is one of these
# description: |
#   A non-empty set of get, list, watch, create, update, patch, delete, deletecollection and connect, which is what
#   takes over the connection or goes past the API server (exec, attach, portforward, proxy), by whatever method.
verbs_only(verbs) if {
	_attributed
	_verb in verbs
}

# METADATA
# scope: document
# title: Could be a request of that verb
# description: One of those that `verbs_only` knows.
does(verb) if {
	_kubernetes
	input.command.detail.verb == verb
}

does("connect") if connects

does(_) if _unknown

# METADATA
# title: Is for one of these resources
# description: A non-empty set of resources as kubectl writes them, such as `pods`, `pods/log`, `*.apps`.
on_resources(resources) if {
	some resource in resources
	resource in _spellings
}

# METADATA
# scope: document
# title: Could be for that resource
# description: A resource as kubectl writes it, such as `pods/exec` or `*.rbac.authorization.k8s.io`.
touches(resource) if resource in _spellings

touches(_) if _unknown

# METADATA
# title: Is for objects of one of these namespaces
# description: |
#   A non-empty set of names. What is asked of all namespaces at once, what has no namespace, and the object Namespace
#   itself are in none.
in_namespaces(namespaces) if {
	_attributed
	input.command.detail.resource != "namespaces"
	input.command.detail.namespace != ""
	input.command.detail.namespace in namespaces
}

# METADATA
# scope: document
# title: Could be for that namespace, or for objects in it
# description: Requests for all namespaces at once are for each of them.
touches_namespace(namespace) if {
	_attributed
	input.command.detail.namespace == namespace
}

touches_namespace(namespace) if {
	_attributed
	input.command.detail.namespace == ""
	not _names_another(namespace)
}

touches_namespace(_) if _unknown

# What has a name and no namespace is in none.
_names_another(namespace) if {
	is_string(input.command.detail.name)
	not input.command.detail.name in _names_of(namespace)
}

_names_of(_) := {""} if input.command.detail.resource != "namespaces"

_names_of(namespace) := {"", namespace} if input.command.detail.resource == "namespaces"

# METADATA
# title: Is for one object, of one of these names
# description: |
#   A non-empty set of names: of the path, of the field selector of a list or watch, or of the object that is created. A
#   name that the server is to make up (`generateName`) is none of them.
names_only(names) if {
	_attributed
	is_string(input.command.detail.name)
	input.command.detail.name != ""
	input.command.detail.name in names
}

# METADATA
# title: Could change anything
# description: Everything but reading and dry runs. What a stream does (exec, port-forward …) could.
writes if {
	_kubernetes
	not _known_not_to_write
}

_known_not_to_write if verbs_only(_reading)

_known_not_to_write if housekeeping

_known_not_to_write if dry_run

# METADATA
# title: Only tries what it would change
# description: |
#   A dry run passes all checks and stores nothing. It answers as the change would, with Secrets and tokens. Aggregated
#   API servers have to keep that promise themselves.
dry_run if {
	verbs_only(_changing)
	input.command.detail.dryRun == true
	_dry_run_in_force
}

_dry_run_in_force if not input.command.detail.verb in {"delete", "deletecollection"}

_dry_run_in_force if input.command.detail.body == null

# The server then takes no notice of the query.
_dry_run_in_force if input.command.detail.body.dryRun == ["All"]

# METADATA
# scope: document
# title: Could delete objects that it does not name
# description: A collection; a namespace or a kind of custom resource, with all that there is of it.
unnamed_delete if does("deletecollection")

unnamed_delete if {
	does("delete")
	some resource in ["customresourcedefinitions.apiextensions.k8s.io", "namespaces"]
	touches(resource)
}
