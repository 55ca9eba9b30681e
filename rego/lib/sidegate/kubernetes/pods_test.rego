package sidegate.kubernetes_test

import data.sidegate.kubernetes
import data.sidegate.samples

_templates := {
	"pods": "", "podtemplates": "/template", "cronjobs.batch": "/spec/jobTemplate/spec/template",
	"deployments.apps": "/spec/template", "daemonsets.apps": "/spec/template", "jobs.batch": "/spec/template",
	"replicasets.apps": "/spec/template", "replicationcontrollers": "/spec/template",
	"statefulsets.apps": "/spec/template",
}

_partial(request, pod) := _with(request, {"pod": object.union(samples.pod({"partial": true}), pod)})

test_kinds_that_make_pods if {
	every resource, _ in _templates {
		every verb in ["create", "update"] {
			kubernetes.makes_pods with input as samples.writing(verb, resource, {}, samples.pod({}))
			not kubernetes.hides_pods with input as samples.writing(verb, resource, {}, samples.pod({}))
			kubernetes.hides_pods with input as samples.writing(verb, resource, {}, null)
		}
		every verb in ["get", "list", "watch", "delete", "deletecollection"] {
			not kubernetes.makes_pods with input as samples.object_request(verb, resource, "web")
		}
	}
	every resource in [
		"configmaps", "services", "deployments.apps/scale", "pods/status", "pods/eviction", "ingresses.networking.k8s.io",
	] {
		not kubernetes.makes_pods with input as samples.writing("update", resource, {}, null)
	}
	every resource in ["workflows.argoproj.io", "controllerrevisions.apps"] {
		kubernetes.hides_pods with input as samples.writing("create", resource, {}, samples.pod({}))
		not kubernetes.hides_pods with input as samples.object_request("delete", resource, "x")
	}
}

test_patches_that_leave_pods_alone if {
	every resource, template in _templates {
		spec := concat("", [template, "/spec"])
		every path in ["/metadata/labels/a", "/status/x", concat("", [template, "/metadata/annotations/a"])] {
			every type in ["json", "merge", "strategic"] {
				not kubernetes.makes_pods with input as samples.patching(resource, type, [path])
				not kubernetes.makes_pods with input as _partial(samples.patching(resource, type, [path]), {})
			}
			kubernetes.makes_pods with input as samples.patching(resource, "apply", [path])
			confined := _partial(samples.patching(resource, "merge", [path]), {"baseline": ["appArmorProfile"]})
			kubernetes.violates_baseline with input as confined
		}
		every path in ["", spec, concat("", [spec, "/containers/0/image"]), concat("", [spec, "/x/y"])] {
			kubernetes.makes_pods with input as samples.patching(resource, "merge", [path])
			kubernetes.hides_pods with input as samples.patching(resource, "merge", [path])
		}
	}
	scaling := _with(_patch("json", ["/spec/replicas"]), {"pod": null})
	not kubernetes.makes_pods with input as scaling
}

test_what_is_copied_into_a_pod_is_out_of_sight if {
	into := _operation("copy", "/spec/template/spec/hostNetwork", "/spec/paused")
	every operation in [into, _operation("move", "/spec/template/metadata/annotations/a", "/metadata/labels/b")] {
		copying := _partial(_operating([operation]), {})
		kubernetes.hides_pods with input as copying
		kubernetes.baseline_violations == {"unknown"} with input as copying
	}
	beside := _operating([_operation("copy", "/metadata/labels/a", "/metadata/labels/b")])
	not kubernetes.makes_pods with input as beside
	visible := _partial(_operating([_operation("replace", _image, null)]), {})
	kubernetes.makes_pods with input as visible
	not kubernetes.hides_pods with input as visible
	not kubernetes.violates_baseline with input as visible
}

test_the_standards_are_told_by_the_names_of_their_controls if {
	bad := samples.pod({"baseline": ["hostNamespaces"], "restricted": ["hostNamespaces", "runAsNonRoot"]})
	written := samples.writing("create", "deployments.apps", {}, bad)
	kubernetes.baseline_violations == {"hostNamespaces"} with input as written
	kubernetes.restricted_violations == {"hostNamespaces", "runAsNonRoot"} with input as written
	kubernetes.violates_baseline with input as written
	kubernetes.violates_restricted with input as written
	good := samples.writing("create", "deployments.apps", {}, samples.pod({}))
	not kubernetes.violates_baseline with input as good
	not kubernetes.violates_restricted with input as good
	image := _partial(_patch("strategic", [_image]), {})
	not kubernetes.violates_baseline with input as image
	kubernetes.restricted_violations == {"unknown"} with input as image
	not kubernetes.violates_restricted with input as _patch("merge", [_restarted])
	not kubernetes.violates_baseline with input as samples.writing("create", "workflows.argoproj.io", {}, null)
}

test_odd_facts_of_pods_are_violations if {
	every key in ["partial", "privileged", "serviceAccount", "baseline", "hostPaths", "images", "restricted", "secrets"] {
		every value in [null, 7, {}, [7]] {
			odd := samples.writing("create", "pods", {}, object.union(samples.pod({}), {key: value}))
			"unknown" in kubernetes.baseline_violations with input as odd
			"unknown" in kubernetes.restricted_violations with input as odd
			every control in kubernetes.baseline_violations | kubernetes.restricted_violations {
				is_string(control)
			} with input as odd
			kubernetes.privileged with input as odd
			kubernetes.mounts_host with input as odd
			kubernetes.hides_pods with input as odd
			not kubernetes.runs_pods_as({"default"}) with input as odd
			not kubernetes.uses_images({"registry.example"}) with input as odd
		}
	}
}

test_reaching_the_node if {
	kubernetes.privileged with input as samples.writing("create", "pods", {}, samples.pod({"privileged": true}))
	not kubernetes.privileged with input as samples.writing("create", "pods", {}, samples.pod({}))
	kubernetes.mounts_host with input as samples.writing("create", "pods", {}, samples.pod({"hostPaths": ["/"]}))
	not kubernetes.mounts_host with input as samples.writing("create", "pods", {}, samples.pod({}))
	not kubernetes.mounts_host with input as _pods("get")
}

test_service_accounts if {
	kubernetes.runs_pods_as({"default"}) with input as samples.writing("create", "pods", {}, samples.pod({}))
	agent := samples.writing("update", "jobs.batch", {}, samples.pod({"serviceAccount": "agent"}))
	kubernetes.runs_pods_as({"agent"}) with input as agent
	not kubernetes.runs_pods_as({"default"}) with input as agent
	not kubernetes.runs_pods_as({"default"}) with input as _partial(_patch("merge", [_image]), {})
	not kubernetes.runs_pods_as({"default"}) with input as _pods("get")
}

test_images if {
	team := {"registry.example/team", "registry.example:5000/x", "busybox"}
	every image in [
		"registry.example/team/app:1", "registry.example/team", "registry.example/team@sha256:0", "busybox:1", "busybox",
		"registry.example:5000/x/y:2@sha256:0", "registry.example:5000/x",
	] {
		kubernetes.uses_images(team) with input as samples.writing("create", "pods", {}, samples.pod({"images": [image]}))
	}
	every images in [
		["registry.example/teams/app"], ["registry.example/other:team"], ["busybox.example/x"], ["x/busybox"], [""], [],
		["busybox", "nginx"], ["registry.example"],
	] {
		not kubernetes.uses_images(team) with input as samples.writing("create", "pods", {}, samples.pod({"images": images}))
	}
	kubernetes.uses_images(team) with input as _partial(_patch("strategic", [_image]), {"images": ["busybox"]})
}
