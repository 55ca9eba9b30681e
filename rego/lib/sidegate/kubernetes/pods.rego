package sidegate.kubernetes

# METADATA
# title: Could make pods, or change what they are
# description: |
#   By themselves, or by what makes them: deployments, jobs and the other kinds of Kubernetes that hold a pod template,
#   and any custom resource. Deletes and scaling do not.
makes_pods if {
	_kubernetes
	not _known_without_pods
}

_known_without_pods if housekeeping

_known_without_pods if verbs_only({"connect", "delete", "deletecollection", "get", "list", "watch"})

_known_without_pods if {
	_attributed
	_group in _own_groups
	not _pod_template
}

_known_without_pods if {
	_patch_leaves_alone(_pod_template)
	_nothing_forbidden
}

# Annotations, too, say how a pod is confined.
_nothing_forbidden if _pod == null

_nothing_forbidden if _pod.baseline == []

# Of Kubernetes 1.37 itself; of whatever else there is, somebody's controllers decide what it means.
_own_groups := {
	"", "admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io", "apps",
	"authentication.k8s.io", "authorization.k8s.io", "autoscaling", "batch", "certificates.k8s.io",
	"coordination.k8s.io", "discovery.k8s.io", "events.k8s.io", "flowcontrol.apiserver.k8s.io",
	"internal.apiserver.k8s.io", "lifecycle.k8s.io", "networking.k8s.io", "node.k8s.io", "policy",
	"rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io", "storage.k8s.io", "storagemigration.k8s.io",
}

# Where each kind holds what its pods are made from. Revisions hold it whole, at no place that the facts look into.
_pod_templates := {
	"controllerrevisions.apps": "",
	"cronjobs.batch": "/spec/jobTemplate/spec/template",
	"daemonsets.apps": "/spec/template",
	"deployments.apps": "/spec/template",
	"jobs.batch": "/spec/template",
	"pods": "",
	"pods/ephemeralcontainers": "",
	"pods/resize": "",
	"podtemplates": "/template",
	"replicasets.apps": "/spec/template",
	"replicationcontrollers": "/spec/template",
	"statefulsets.apps": "/spec/template",
}

_pod_template := template if {
	some spelling in _spellings
	template := _pod_templates[spelling]
}

# What is copied into the template is not in the facts, wherever in it.
_patch_leaves_alone(template) if {
	_patches
	_patch_explicit
	spec := split(concat("/", [template, "spec"]), "/")
	every path in _changed {
		not _overlaps(path, spec)
	}
	every operation in _patch.operations {
		_copies_nothing_into(operation, template)
	}
}

_copies_nothing_into(operation, _) if operation.op in {"add", "remove", "replace", "test"}

_copies_nothing_into(operation, template) if not _overlaps(split(operation.path, "/"), split(template, "/"))

# Of Kubernetes' own kinds.
_makes_own_pods if {
	makes_pods
	not _is_custom
}

_is_custom if {
	_attributed
	not _group in _own_groups
}

_pod := input.command.detail.pod

# All that the request makes of pods is in the facts.
_pods_known if {
	_pod_template
	not touches("controllerrevisions.apps")
	is_boolean(_pod.partial)
	is_boolean(_pod.privileged)
	is_string(_pod.serviceAccount)
	every key in ["baseline", "hostPaths", "images", "restricted", "secrets"] {
		_is_texts(_pod[key])
	}
	_pods_whole_or_visible
}

_pods_whole_or_visible if _pod.partial == false

_pods_whole_or_visible if {
	_patch_known
	every operation in _patch.operations {
		_copies_nothing_into(operation, _pod_template)
	}
}

_is_texts(values) if {
	is_array(values)
	every value in values {
		is_string(value)
	}
}

# METADATA
# title: Could make pods that are not in the facts
# description: |
#   Custom resources; revisions; patches that copy into a pod. What is said of pods elsewhere (`violates_baseline`,
#   `touches_secrets` …) does not look at custom resources.
hides_pods if {
	makes_pods
	not _pods_known
}

# METADATA
# scope: document
# title: What the Pod Security Standard baseline forbids in the pods that are made
# description: Names of its controls, such as `hostNamespaces`; `unknown` where the facts do not tell. All are text.
baseline_violations contains control if {
	_makes_own_pods
	some control in _pod.baseline
	is_string(control)
}

baseline_violations contains "unknown" if {
	_makes_own_pods
	not _pods_known
}

# METADATA
# title: Could make pods that the Pod Security Standard baseline forbids
violates_baseline if count(baseline_violations) > 0

# METADATA
# scope: document
# title: What the Pod Security Standard restricted forbids in the pods that are made
# description: |
#   As `baseline_violations`. It demands fields, and a patch does not show which there are: those of pods are `unknown`.
restricted_violations contains control if {
	_makes_own_pods
	some control in _pod.restricted
	is_string(control)
}

restricted_violations contains "unknown" if {
	_makes_own_pods
	not _pods_whole
}

_pods_whole if {
	_pods_known
	_pod.partial == false
}

# METADATA
# title: Could make pods that the Pod Security Standard restricted forbids
violates_restricted if count(restricted_violations) > 0

# METADATA
# title: Could make a privileged container
privileged if {
	_makes_own_pods
	not _unprivileged
}

_unprivileged if {
	_pods_known
	_pod.privileged == false
}

# METADATA
# title: Could make pods that reach files of their node
mounts_host if {
	_makes_own_pods
	not _mounts_nothing
}

_mounts_nothing if {
	_pods_known
	_pod.hostPaths == []
}

# METADATA
# title: Only makes pods that run as one of these service accounts
# description: |
#   A non-empty set of names; pods that name none run as `default`. Of whole objects: a patch does not show as what they
#   run.
runs_pods_as(accounts) if {
	_makes_own_pods
	_pods_whole
	_account in accounts
}

_account := "default" if _pod.serviceAccount == ""

else := _pod.serviceAccount

# METADATA
# title: Only makes pods of images in these repositories
# description: |
#   A non-empty set of repositories, each of which holds itself and what is below it: `registry.example/team`. Names are
#   compared as they are written, without tag and digest: `nginx` is not `docker.io/library/nginx`.
uses_images(repositories) if {
	_makes_own_pods
	_pods_known
	count(_pod.images) > 0
	every image in _pod.images {
		_in_repositories(_repository(image), repositories)
	}
}

_in_repositories(name, repositories) if name in repositories

_in_repositories(name, repositories) if {
	some repository in repositories
	startswith(name, concat("", [repository, "/"]))
}

# A colon behind the last slash begins the tag; one before it, the port.
_repository(image) := concat("/", array.concat(above, [last])) if {
	parts := split(split(image, "@")[0], "/")
	above := array.slice(parts, 0, count(parts) - 1)
	last := split(parts[count(parts) - 1], ":")[0]
}
