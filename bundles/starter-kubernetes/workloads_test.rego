package policy.workloads_test

import data.policy.workloads
import data.sidegate.samples

_codes(said) := {each.code | some each in said}

_with(request, detail) := object.union(request, {"command": {"detail": detail}})

_restart := samples.patching(
	"deployments.apps", "strategic",
	["/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt"],
)

_deployment(pod) := samples.writing("create", "deployments.apps", {}, samples.pod(pod))

test_workloads_may_be_scaled_and_restarted if {
	scale := samples.patching("deployments.apps/scale", "merge", ["/spec/replicas"])
	every request in [scale, samples.writing("update", "statefulsets.apps/scale", {}, null), _restart] {
		"workloads.operate" in _codes(workloads.allow) with input as request
		workloads.approve == set() with input as request
		workloads.deny == set() with input as request
	}
	elsewhere := _with(_restart, {"namespace": "kube-system"})
	workloads.allow == set() with input as elsewhere
	_codes(workloads.deny) == {"workloads.unlisted"} with input as elsewhere
}

test_other_changes_wait_for_somebody if {
	every request in [
		_deployment({}), samples.writing("update", "configmaps", {}, null), samples.object_request("delete", "pods", "web"),
		samples.patching("services", "merge", ["/spec/ports"]), samples.writing("create", "jobs.batch", {}, samples.pod({})),
	] {
		_codes(workloads.allow) == {"workloads.change"} with input as request
		_codes(workloads.approve) == {"workloads.change"} with input as request
		workloads.deny == set() with input as request
		dry := _with(request, {"dryRun": true})
		_codes(workloads.allow) == {"workloads.change"} with input as dry
		workloads.approve == set() with input as dry
	}
}

test_pods_stay_in_their_containers if {
	every pod in [{"baseline": ["hostNamespaces"]}, {"baseline": null}, {"secrets": null}] {
		_codes(workloads.deny) == {"workloads.baseline"} with input as _deployment(pod)
		dry := _with(_deployment(pod), {"dryRun": true})
		_codes(workloads.deny) == {"workloads.baseline"} with input as dry
	}
	some reason in workloads.deny with input as _deployment({"baseline": ["hostPorts", "hostNamespaces"]})
	endswith(reason.message, ": hostNamespaces, hostPorts")
}

test_pods_that_cannot_be_seen_are_refused if {
	custom := samples.writing("create", "workflows.argoproj.io", {}, null)
	_codes(workloads.deny) == {"workloads.hidden", "workloads.unlisted"} with input as custom
	workloads.allow == set() with input as custom
}

test_nothing_else_is_changed if {
	every request in [
		samples.object_request("deletecollection", "pods", ""), samples.object_request("create", "serviceaccounts", "x"),
		samples.cluster_request("patch", "nodes", "a"), samples.writing("create", "ingresses.networking.k8s.io", {}, null),
	] {
		"workloads.unlisted" in _codes(workloads.deny) with input as request
		workloads.allow == set() with input as request
	}
	every request in [samples.object_request("get", "pods", "web"), samples.pod_exec(["ls"]), samples.postgres({}), {}] {
		(workloads.allow | workloads.deny) | workloads.approve == set() with input as request
	}
}
