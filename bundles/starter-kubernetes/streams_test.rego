package policy.streams_test

import data.policy.streams
import data.sidegate.samples

_codes(said) := {each.code | some each in said}

_with(request, detail) := object.union(request, {"command": {"detail": detail}})

test_commands_that_only_look_may_be_run if {
	every argv in [
		["ls", "-la", "/srv/app"], ["cat", "/app/config.yml"], ["tail", "-n", "50", "/var/log/app.log"], ["ps", "aux"],
		["grep", "-n", "error", "/var/log/app.log"], ["date"], ["df", "-h"],
	] {
		_codes(streams.allow) == {"streams.look"} with input as samples.pod_exec(argv)
		streams.deny == set() with input as samples.pod_exec(argv)
	}
}

test_other_commands_are_refused if {
	every argv in [
		["rm", "-rf", "/srv"], ["cat", "/var/run/secrets/kubernetes.io/serviceaccount/token"], ["env"], ["ls"],
		["cat", "/proc/1/environ"], ["tar", "cf", "-", "/srv"], ["cat", "/srv/../etc/shadow"], ["curl", "http://x"],
	] {
		_codes(streams.deny) == {"streams.unlisted"} with input as samples.pod_exec(argv)
		streams.allow == set() with input as samples.pod_exec(argv)
	}
	every change in [{"namespace": "kube-system"}, {"exec": {"stdin": true}}, {"upgrade": "spdy"}] {
		_codes(streams.deny) == {"streams.unlisted"} with input as _with(samples.pod_exec(["date"]), change)
		streams.allow == set() with input as _with(samples.pod_exec(["date"]), change)
	}
}

test_shells_are_refused if {
	every request in [
		_with(samples.pod_exec(["sh"]), {"exec": {"shell": true}}), samples.object_request("get", "pods/attach", "web"),
	] {
		_codes(streams.deny) == {"streams.shell"} with input as request
		streams.allow == set() with input as request
	}
}

test_ways_around_the_gate_are_refused if {
	every resource in ["pods/portforward", "services/proxy", "nodes/proxy", "pods/proxy"] {
		_codes(streams.deny) == {"streams.forward"} with input as samples.object_request("get", resource, "web")
	}
	upgraded := _with(samples.object_request("watch", "pods", ""), {"upgrade": "websocket"})
	_codes(streams.deny) == {"streams.unknown"} with input as upgraded
	every request in [samples.object_request("watch", "pods", ""), samples.ssh({"kind": "shell"}), {}] {
		streams.allow | streams.deny == set() with input as request
	}
}

test_every_refusal_teaches if {
	some reason in streams.deny with input as samples.pod_exec(["rm"])
	contains(reason.remedy, "cat, date, df")
	contains(reason.remedy, "/app and /srv and /var/log")
}
