package sidegate.kubernetes

# METADATA
# scope: document
# title: Could give the agent, or others, more rights than they have
# description: |
#   Changes to roles and what binds them, to webhooks, admission policies, aggregated APIs and custom resource
#   definitions, to nodes, namespaces, quotas, persistent volumes, storage and runtime classes; tokens (Secrets that the
#   server puts one into, too), Secrets and config maps of kube-system, certificates and their approval; proxies;
#   ephemeral containers, evictions, bindings; endpoints and external addresses, which draw others' traffic;
#   finalizers. A dry run counts as the change. What pods may do is for `violates_baseline` and `violates_restricted`;
#   what streams may, for `connects`.
escalates if proxies

escalates if {
	_changes_something
	not housekeeping
	some resource in _powerful
	touches(resource)
}

escalates if _could_name("/metadata/finalizers")

escalates if _draws_traffic

escalates if _mints_token

# With the tokens that nodes begin by, anybody becomes one; and who is who stands there too (aws-auth).
escalates if {
	input.command.detail.namespace == "kube-system"
	_changes_something
	some resource in {"configmaps", "secrets"}
	touches(resource)
}

_changes_something if {
	some verb in (_changing | {"connect"})
	does(verb)
}

_powerful := {
	"*.admissionregistration.k8s.io", "*.admissionregistration.k8s.io/*",
	"*.apiextensions.k8s.io", "*.apiextensions.k8s.io/*",
	"*.apiregistration.k8s.io", "*.apiregistration.k8s.io/*",
	"*.authentication.k8s.io", "*.authentication.k8s.io/*",
	"*.certificates.k8s.io", "*.certificates.k8s.io/*",
	"*.flowcontrol.apiserver.k8s.io", "*.flowcontrol.apiserver.k8s.io/*",
	"*.internal.apiserver.k8s.io", "*.internal.apiserver.k8s.io/*",
	"*.lifecycle.k8s.io", "*.lifecycle.k8s.io/*",
	"*.node.k8s.io", "*.node.k8s.io/*",
	"*.rbac.authorization.k8s.io", "*.rbac.authorization.k8s.io/*",
	"*.scheduling.k8s.io", "*.scheduling.k8s.io/*",
	"*.storage.k8s.io", "*.storage.k8s.io/*",
	"bindings",
	"endpoints",
	"deviceclasses.resource.k8s.io", "resourceslices.resource.k8s.io",
	"endpointslices.discovery.k8s.io",
	"ipaddresses.networking.k8s.io", "servicecidrs.networking.k8s.io",
	"limitranges", "resourcequotas",
	"namespaces", "namespaces/*",
	"nodes", "nodes/*",
	"persistentvolumes", "persistentvolumes/*",
	"pods/binding",
	"pods/ephemeralcontainers",
	"pods/eviction",
	"serviceaccounts/token",
	"services/status",
}

# A service answers at any address that it claims.
_draws_traffic if {
	touches("services")
	_changes_something
	not _claims_no_address
}

_claims_no_address if verbs_only({"delete", "deletecollection"})

_claims_no_address if {
	verbs_only({"patch"})
	not _could_name("/spec/externalIPs")
	not _could_name("/spec/externalName")
}

_claims_no_address if {
	verbs_only({"create", "update"})
	is_object(input.command.detail.body)
	not _external
}

_external if not object.get(input.command.detail.body, ["spec", "externalIPs"], []) in [[], null]

_external if not object.get(input.command.detail.body, ["spec", "externalName"], "") in ["", null]

# The type of a Secret is given to it once. The account whose token the server puts into it may change.
_mints_token if {
	touches("secrets")
	does("create")
	not _without_token
}

_mints_token if {
	touches("secrets")
	does("update")
	not _asks_for_no_token
}

_mints_token if {
	touches("secrets")
	_patches
	not _patch_explicit
	not _asks_for_no_token
}

_mints_token if {
	touches("secrets")
	_could_name("/metadata/annotations/kubernetes.io~1service-account.name")
}

_without_token if {
	is_object(input.command.detail.body)
	object.get(input.command.detail.body, "type", "") != "kubernetes.io/service-account-token"
}

_asks_for_no_token if {
	_without_token
	account := object.get(input.command.detail.body, ["metadata", "annotations", "kubernetes.io/service-account.name"], "")
	account in {"", null}
}
