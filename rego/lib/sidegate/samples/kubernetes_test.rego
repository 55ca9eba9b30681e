package sidegate.samples_test

import data.sidegate.samples

test_an_api_request_has_every_key_and_what_it_was_given if {
	sample := samples.object_request("patch", "deployments.apps/scale", "web")
	sample.command.action == "patch"
	sample.command.protocol == "kubernetes"
	sample.target.protocol == "kubernetes"
	detail := sample.command.detail
	[detail.group, detail.resource, detail.subresource] == ["apps", "deployments", "scale"]
	[detail.namespace, detail.name, detail.pod] == ["default", "web", null]
	samples.cluster_request("list", "clusterroles.rbac.authorization.k8s.io", "").command.detail.namespace == ""
	samples.cluster_request("list", "nodes", "").command.detail.group == ""
	not samples.path_request("/version").command.detail.resourceRequest
}

test_writes_have_a_body_and_what_it_says_of_pods if {
	written := samples.writing("create", "pods", {"kind": "Pod"}, samples.pod({"privileged": true})).command.detail
	[written.bodyForm, written.pod.privileged, written.pod.partial] == ["object", true, false]
	patched := samples.patching("pods", "merge", ["/metadata/labels/a"]).command.detail
	[patched.verb, patched.patch.type, patched.bodyForm] == ["patch", "merge", "patch"]
}

test_a_command_in_a_container_takes_over_the_connection if {
	sample := samples.pod_exec(["ls", "-l"]).command
	sample.action == "connect"
	sample.detail.exec.command == ["ls", "-l"]
	sample.detail.upgrade == "websocket"
}
