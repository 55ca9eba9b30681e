package sidegate.kubernetes_test

import data.sidegate.kubernetes
import data.sidegate.samples

_looking := {"ls": {"flags": "l", "paths": ["/srv"]}, "id": [[]], "env": true}

_exec_with(argv, change) := _with(samples.pod_exec(argv), {"exec": change})

test_commands_in_containers_are_judged_word_by_word if {
	every argv in [["ls"], ["ls", "-l", "/srv/a"], ["id"], ["env"]] {
		kubernetes.exec_only(_looking) with input as samples.pod_exec(argv)
		not kubernetes.opens_shell with input as samples.pod_exec(argv)
	}
	kubernetes.exec_only({"ls", "id"}) with input as samples.pod_exec(["ls", "anything"])
	every argv in [["ls", "/etc"], ["ls", "srv"], ["ls", "-R"], ["/bin/ls"], ["id", "-u"], ["sh"], ["exit"], []] {
		not kubernetes.exec_only(_looking) with input as samples.pod_exec(argv)
	}
}

test_commands_that_are_fed_or_run_others_are_not_among_these if {
	every change in [
		{"shell": true}, {"stdin": true}, {"shell": null}, {"stdin": null}, {"command": ["ls", null]}, {"command": "ls"},
	] {
		not kubernetes.exec_only(_looking) with input as _exec_with(["ls"], change)
	}
	every change in [{"upgrade": "spdy"}, {"upgrade": null}, {"verb": "odd"}, {"subresource": "attach"}, {"exec": null}] {
		not kubernetes.exec_only(_looking) with input as _with(samples.pod_exec(["ls"]), change)
	}
}

test_shells if {
	every request in [
		_exec_with(["sh"], {"shell": true}), _exec_with(["ls"], {"shell": null}), samples.pod_exec([]),
		_exec_with(["ls"], {"command": ["ls", 7]}), samples.object_request("get", "pods/attach", "web"),
		samples.object_request("create", "pods/exec", "web"),
	] {
		kubernetes.opens_shell with input as request
	}
	not kubernetes.opens_shell with input as samples.object_request("get", "pods/portforward", "web")
	not kubernetes.opens_shell with input as _pods("get")
}

test_streams_by_their_kind if {
	attach := samples.object_request("get", "pods/attach", "web")
	forward := samples.object_request("create", "pods/portforward", "web")
	kubernetes.attaches with input as attach
	not kubernetes.attaches with input as forward
	kubernetes.forwards_ports with input as forward
	not kubernetes.forwards_ports with input as attach
	every request in [
		samples.object_request("get", "services/proxy", "web"), samples.cluster_request("create", "nodes/proxy", "a"),
		samples.object_request("proxy", "pods", "web"),
	] {
		kubernetes.proxies with input as request
		kubernetes.escalates with input as request
	}
	not kubernetes.proxies with input as attach
	kubernetes.connects with input as _with(_pods("watch"), {"upgrade": "websocket"})
	not kubernetes.connects with input as _pods("watch")
}

test_containers if {
	kubernetes.in_containers({"app"}) with input as samples.pod_exec(["ls"])
	not kubernetes.in_containers({"db"}) with input as samples.pod_exec(["ls"])
	log := samples.object_request("get", "pods/log", "web")
	kubernetes.in_containers({"app"}) with input as _with(log, {"query": {"container": ["app"]}})
	not kubernetes.in_containers({"app"}) with input as log
	kubernetes.in_containers({""}) with input as log
	not kubernetes.in_containers({"app", ""}) with input as _pods("get")
}
