# METADATA
# title: Workloads of a cluster
# description: |
#   An agent may scale workloads, restart them, and try changes by a dry run. Other changes to what policy.workloads
#   names are held until somebody approves of them, and pods that reach out of their containers are refused.
# schemas:
#   - input: schema.input
#   - input.command.detail: schema.kubernetes
package policy.workloads

import data.policy.objects
import data.sidegate.kubernetes

# What agents may scale and restart, and what they may change when somebody agrees: change these to yours.
_scaled := {"deployments.apps/scale", "replicasets.apps/scale", "statefulsets.apps/scale"}

_restarted := {"daemonsets.apps", "deployments.apps", "statefulsets.apps"}

_changed := {
	"configmaps", "cronjobs.batch", "daemonsets.apps", "deployments.apps", "jobs.batch", "pods", "services",
	"statefulsets.apps",
}

# Who may agree.
_approvers := {"platform"}

allow contains {"code": "workloads.operate"} if _operates

allow contains {"code": "workloads.change"} if _changes

approve contains {
	"code": "workloads.change",
	"message": "a change to a workload waits for approval",
	"remedy": "--dry-run=server shows what it would do, without approval",
	"groups": _approvers,
	"wait": "5m",
	"validFor": "10m",
} if {
	_changes
	not _operates
	not kubernetes.dry_run
}

deny contains {
	"code": "workloads.baseline",
	"message": concat("", [
		"these pods would reach out of their containers, against the Pod Security Standard baseline: ",
		concat(", ", sort(kubernetes.baseline_violations)),
	]),
	"remedy": "leave out host namespaces, paths and ports, privileged containers and added capabilities",
} if {
	kubernetes.violates_baseline
}

deny contains {
	"code": "workloads.hidden",
	"message": "the pods that come of this cannot be seen in it",
	"remedy": "send the deployment, job or pod itself, as a whole object or a patch of its fields",
} if {
	kubernetes.hides_pods
	not kubernetes.violates_baseline
}

deny contains {
	"code": "workloads.unlisted",
	"message": "this changes what agents do not change, or changes it in another namespace",
	"remedy": concat("", [
		"these may be changed, in ", concat(" and ", sort(objects.namespaces)), ": ", concat(", ", sort(_changed)),
		"; one at a time, by name",
	]),
} if {
	kubernetes.writes
	not kubernetes.connects
	not _operates
	not _changes
}

_operates if {
	kubernetes.in_namespaces(objects.namespaces)
	kubernetes.on_resources(_scaled)
	kubernetes.verbs_only({"patch", "update"})
}

_operates if {
	kubernetes.in_namespaces(objects.namespaces)
	kubernetes.on_resources(_restarted)
	kubernetes.changes_only({"/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt"})
}

_changes if {
	kubernetes.in_namespaces(objects.namespaces)
	kubernetes.on_resources(_changed)
	kubernetes.verbs_only({"create", "delete", "patch", "update"})
}
