# METADATA
# title: Objects of a cluster
# description: |
#   An agent may read what is in some namespaces, Secrets without their values, and what it takes to find its way. For
#   several protocols, put the files of their starters in one folder.
# schemas:
#   - input: schema.input
#   - input.command.detail: schema.kubernetes
package policy.objects

import data.sidegate.kubernetes

# Namespaces that agents work in: change these to yours.
namespaces := {"default"}

# What belongs to the whole cluster, and may be looked at.
_shared := {
	"customresourcedefinitions.apiextensions.k8s.io", "ingressclasses.networking.k8s.io", "namespaces", "nodes",
	"nodes.metrics.k8s.io", "persistentvolumes", "priorityclasses.scheduling.k8s.io", "storageclasses.storage.k8s.io",
}

_reads := {"get", "list", "watch"}

allow contains {"code": "objects.discovery"} if kubernetes.housekeeping

allow contains {"code": "objects.read"} if kubernetes.reads_only_in(namespaces)

allow contains {"code": "objects.shared"} if _looks_around

# Whoever may list pods will list Secrets too: their names and keys are told, their values are not.
allow contains {"code": "objects.secrets"} if {
	kubernetes.verbs_only(_reads)
	kubernetes.on_resources({"secrets"})
	kubernetes.in_namespaces(namespaces)
}

mask contains {"path": "data.*", "with": "redact"} if kubernetes.reads_secrets

mask contains {"path": "stringData.*", "with": "redact"} if kubernetes.reads_secrets

deny contains {
	"code": "objects.namespace",
	"message": "this asks for another namespace, for all of them, or for what belongs to the whole cluster",
	"remedy": concat("", ["ask for one of these with -n: ", concat(", ", sort(namespaces))]),
} if {
	kubernetes.verbs_only(_reads)
	not kubernetes.in_namespaces(namespaces)
	not _looks_around
}

deny contains {
	"code": "objects.secrets",
	"message": "this changes a Secret",
	"remedy": "leave Secrets to their owners; workloads may go on using those that they have",
} if {
	kubernetes.touches("secrets")
	kubernetes.writes
}

_looks_around if {
	kubernetes.reads_only
	kubernetes.on_resources(_shared)
}
