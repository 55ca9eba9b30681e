package sidegate.kubernetes_test

import data.sidegate.kubernetes
import data.sidegate.samples

_with(request, detail) := object.union(request, {"command": {"detail": detail}})

# Removed first: what is an object would else be united with.
_replaced(request, detail) := object.union(
	object.remove(request, ["command"]),
	{"command": {
		"protocol": "kubernetes",
		"detail": object.union(object.remove(request.command.detail, object.keys(detail)), detail),
	}},
)

_pods(verb) := samples.object_request(verb, "pods", "web")

test_what_only_reads if {
	every request in [
		_pods("get"), samples.object_request("list", "deployments.apps", ""), samples.object_request("watch", "pods", ""),
		samples.object_request("get", "pods/log", "web"), samples.object_request("get", "deployments.apps/scale", "web"),
		samples.object_request("get", "things.example.com/status", "x"), samples.cluster_request("list", "nodes", ""),
	] {
		kubernetes.reads_only with input as request
		not kubernetes.writes with input as request
	}
	every request in [
		_pods("create"), _pods("delete"), samples.object_request("get", "secrets", "db"),
		samples.object_request("get", "pods/exec", "web"), samples.object_request("get", "services/proxy", "web"),
		samples.object_request("get", "virtualmachineinstances.subresources.kubevirt.io/console", "x"),
		_with(_pods("watch"), {"upgrade": "websocket"}), samples.object_request("proxy", "pods", "web"),
		samples.path_request("/version"), samples.postgres({"effects": ["select"]}), {},
	] {
		not kubernetes.reads_only with input as request
		not kubernetes.reads_only_in({"default"}) with input as request
	}
}

test_reading_in_namespaces if {
	kubernetes.reads_only_in({"default", "other"}) with input as _pods("list")
	not kubernetes.reads_only_in({"other"}) with input as _pods("list")
	not kubernetes.reads_only_in({""}) with input as samples.cluster_request("list", "pods", "")
	every namespaces in [set(), {}, [], "", null] {
		not kubernetes.reads_only_in(namespaces) with input as _pods("list")
	}
	kubernetes.in_namespaces(["default"]) with input as _pods("delete")
	not kubernetes.in_namespaces({"default"}) with input as samples.object_request("delete", "namespaces", "default")
}

test_around_the_work if {
	every path in [
		"/api", "/apis", "/apis/apps/v1", "/openapi/v3/apis/apps/v1", "/version", "/healthz", "/livez", "/readyz/ping",
	] {
		kubernetes.housekeeping with input as samples.path_request(path)
		not kubernetes.writes with input as samples.path_request(path)
		not kubernetes.escalates with input as samples.path_request(path)
	}
	every kind in [
		"selfsubjectaccessreviews.authorization.k8s.io", "selfsubjectreviews.authentication.k8s.io",
		"selfsubjectrulesreviews.authorization.k8s.io",
	] {
		kubernetes.housekeeping with input as samples.cluster_request("create", kind, "")
		not kubernetes.writes with input as samples.cluster_request("create", kind, "")
		not kubernetes.escalates with input as samples.cluster_request("create", kind, "")
		not kubernetes.makes_pods with input as samples.cluster_request("create", kind, "")
	}
	every request in [
		_with(samples.path_request("/version"), {"verb": "post"}),
		_with(samples.path_request("/version"), {"upgrade": "spdy"}),
		samples.cluster_request("create", "tokenreviews.authentication.k8s.io", ""), _pods("get"), {},
	] {
		not kubernetes.housekeeping with input as request
	}
}

test_the_verb_is_that_of_the_admission if {
	kubernetes.verbs_only({"get", "list"}) with input as _pods("list")
	not kubernetes.verbs_only({"get"}) with input as _pods("list")
	every request in [
		samples.pod_exec(["ls"]), samples.object_request("create", "pods/attach", "web"),
		samples.object_request("get", "pods/portforward", "web"), samples.object_request("proxy", "nodes", "a"),
		samples.object_request("delete", "services/proxy", "web"),
	] {
		kubernetes.verbs_only({"connect"}) with input as request
		kubernetes.connects with input as request
		kubernetes.does("connect") with input as request
		kubernetes.writes with input as request
		not kubernetes.verbs_only({"get", "create", "delete", "proxy"}) with input as request
	}
	kubernetes.does("list") with input as _pods("list")
	not kubernetes.does("delete") with input as _pods("list")
	not kubernetes.connects with input as samples.path_request("/version")
	not kubernetes.verbs_only({"get"}) with input as samples.path_request("/version")
}

test_resources_are_written_as_kubectl_writes_them if {
	scale := samples.object_request("patch", "deployments.apps/scale", "web")
	every written in ["deployments.apps/scale", "deployments.apps/*", "*.apps/scale", "*.apps/*"] {
		kubernetes.on_resources({written}) with input as scale
		kubernetes.touches(written) with input as scale
	}
	every written in ["deployments.apps", "deployments", "deployments/scale", "*.apps", "*", "*/scale", "", null] {
		not kubernetes.on_resources({written}) with input as scale
		not kubernetes.touches(written) with input as scale
	}
	kubernetes.on_resources({"pods"}) with input as _pods("get")
	kubernetes.on_resources({"*.apps"}) with input as samples.object_request("get", "deployments.apps", "web")
	not kubernetes.on_resources({"pods/*", "pods.metrics.k8s.io"}) with input as _pods("get")
	not kubernetes.on_resources({"pods"}) with input as samples.object_request("get", "pods.metrics.k8s.io", "web")
	not kubernetes.on_resources({"version"}) with input as samples.path_request("/version")
}

test_namespaces_that_are_touched if {
	kubernetes.touches_namespace("default") with input as _pods("get")
	kubernetes.touches_namespace("default") with input as samples.cluster_request("list", "pods", "")
	created := samples.cluster_request("create", "namespaces", "kube-system")
	kubernetes.touches_namespace("kube-system") with input as created
	not kubernetes.touches_namespace("kube-system") with input as _pods("get")
	not kubernetes.touches_namespace("default") with input as samples.cluster_request("get", "nodes", "default")
	not kubernetes.touches_namespace("default") with input as samples.cluster_request("create", "namespaces", "dev")
	unnamed := _replaced(samples.cluster_request("get", "nodes", "a"), {"name": null})
	kubernetes.touches_namespace("default") with input as unnamed
	not kubernetes.touches_namespace("default") with input as samples.path_request("/version")
}

test_names if {
	kubernetes.names_only({"web", "api"}) with input as _pods("get")
	not kubernetes.names_only({"api"}) with input as _pods("get")
	not kubernetes.names_only({"web", ""}) with input as samples.object_request("list", "pods", "")
	not kubernetes.names_only({"web"}) with input as {}
	every name in [null, 7, [], {}] {
		not kubernetes.names_only({"web", null, 7, [], {}}) with input as _replaced(_pods("get"), {"name": name})
	}
}

test_dry_runs if {
	every verb in ["create", "update", "patch", "delete", "deletecollection"] {
		kubernetes.dry_run with input as _with(_pods(verb), {"dryRun": true})
		not kubernetes.writes with input as _with(_pods(verb), {"dryRun": true})
		not kubernetes.dry_run with input as _pods(verb)
		kubernetes.writes with input as _pods(verb)
	}
	asked := _with(_pods("delete"), {"dryRun": true, "body": {"dryRun": ["All"]}})
	kubernetes.dry_run with input as asked
	not kubernetes.dry_run with input as _with(_pods("delete"), {"dryRun": true, "body": {"gracePeriodSeconds": 0}})
	not kubernetes.dry_run with input as _with(_pods("get"), {"dryRun": true})
	not kubernetes.dry_run with input as _with(samples.pod_exec(["ls"]), {"dryRun": true})
}

test_deletes_of_what_is_not_named if {
	every request in [
		samples.object_request("deletecollection", "pods", ""), samples.cluster_request("delete", "namespaces", "dev"),
		samples.cluster_request("delete", "customresourcedefinitions.apiextensions.k8s.io", "x"),
	] {
		kubernetes.unnamed_delete with input as request
	}
	not kubernetes.unnamed_delete with input as _pods("delete")
	not kubernetes.unnamed_delete with input as samples.cluster_request("get", "namespaces", "dev")
}

_warned contains "attaches" if kubernetes.attaches

_warned contains "baseline" if kubernetes.violates_baseline

_warned contains "changes" if kubernetes.changes("/x")

_warned contains "connects" if kubernetes.connects

_warned contains "does" if kubernetes.does("delete")

_warned contains "escalates" if kubernetes.escalates

_warned contains "forwards_ports" if kubernetes.forwards_ports

_warned contains "hides_pods" if kubernetes.hides_pods

_warned contains "makes_pods" if kubernetes.makes_pods

_warned contains "mounts_host" if kubernetes.mounts_host

_warned contains "opens_shell" if kubernetes.opens_shell

_warned contains "privileged" if kubernetes.privileged

_warned contains "proxies" if kubernetes.proxies

_warned contains "reads_secrets" if kubernetes.reads_secrets

_warned contains "restricted" if kubernetes.violates_restricted

_warned contains "touches" if kubernetes.touches("x")

_warned contains "touches_namespace" if kubernetes.touches_namespace("x")

_warned contains "touches_secrets" if kubernetes.touches_secrets

_warned contains "unnamed_delete" if kubernetes.unnamed_delete

_warned contains "writes" if kubernetes.writes

_permitted if kubernetes.reads_only

_permitted if kubernetes.reads_only_in({"default"})

_permitted if kubernetes.housekeeping

_permitted if kubernetes.verbs_only({"get", "connect", "patch", "create"})

_permitted if kubernetes.on_resources({"pods"})

_permitted if kubernetes.in_namespaces({"default"})

_permitted if kubernetes.names_only({"web"})

_permitted if kubernetes.in_containers({"app", ""})

_permitted if kubernetes.exec_only({"ls"})

_permitted if kubernetes.changes_only({"/spec"})

_permitted if kubernetes.runs_pods_as({"default"})

_permitted if kubernetes.uses_images({"registry.example"})

_permitted if kubernetes.dry_run

test_odd_facts_permit_nothing_and_are_all_warned_of if {
	every key in ["verb", "resourceRequest", "group", "resource", "subresource", "namespace"] {
		every value in [null, 7, [], {}] {
			odd := _replaced(_pods("get"), {key: value})
			count(_warned) == 20 with input as odd
			not _permitted with input as odd
		}
	}
	nothing := {"command": {"protocol": "kubernetes"}}
	count(_warned) == 20 with input as nothing
	not _permitted with input as nothing
}

test_nothing_is_said_of_other_protocols if {
	every request in [
		{}, samples.postgres({"effects": ["unknown"]}), samples.ssh({"kind": "shell"}),
		object.union(_pods("get"), {"command": {"protocol": "ssh"}}),
		object.union(samples.object_request("delete", "secrets", "x"), {"command": {"protocol": "http"}}),
	] {
		_warned == set() with input as request
		not _permitted with input as request
	}
}
