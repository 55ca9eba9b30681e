package sidegate.kubernetes_test

import data.sidegate.kubernetes
import data.sidegate.samples

_image := "/spec/template/spec/containers/0/image"

_restarted := "/spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt"

_patch(type, paths) := samples.patching("deployments.apps", type, paths)

_operating(operations) := _with(
	_patch("json", [operation.path | some operation in operations]),
	{"patch": {"operations": operations}},
)

_operation(op, path, from) := {"op": op, "path": path, "from": from}

test_patches_of_these_fields if {
	kubernetes.changes_only({"/spec/replicas"}) with input as _patch("merge", ["/spec/replicas"])
	labels := _patch("merge", ["/metadata/labels/a", "/metadata/labels/b"])
	kubernetes.changes_only({"/metadata/labels"}) with input as labels
	images := {"/spec/template/spec/containers/*/image"}
	kubernetes.changes_only(images) with input as _patch("json", [_image])
	named := ["/apiVersion", "/kind", "/metadata/name", "/metadata/namespace", _restarted]
	kubernetes.changes_only({_restarted}) with input as _patch("strategic", named)
	every paths in [
		["/spec"], [""], ["/spec/replicasx"], ["/spec/replicas", "/spec/paused"], ["/kind"], [], ["spec/replicas"], [7], null,
	] {
		not kubernetes.changes_only({"/spec/replicas"}) with input as _patch("merge", paths)
	}
	not kubernetes.changes_only(images) with input as _patch("json", ["/spec/template/spec/containers/0"])
	every fields in [set(), [], {}, "", null, {7}] {
		not kubernetes.changes_only(fields) with input as _patch("merge", ["/spec/replicas"])
	}
}

test_a_patch_that_says_less_than_it_does_is_none_of_these if {
	not kubernetes.changes_only({"/spec"}) with input as _patch("apply", ["/spec/replicas"])
	not kubernetes.changes_only({"/spec"}) with input as _patch("odd", ["/spec/replicas"])
	not kubernetes.changes_only({"/spec"}) with input as _with(_pods("update"), {"patch": {"type": "merge"}})
	kubernetes.changes_only({"/spec"}) with input as _operating([
		_operation("test", "/spec/replicas", null), _operation("move", "/spec/a", "/spec/b"),
	])
	every operation in [
		_operation("copy", "/spec/a", "/metadata/b"), _operation("move", "/metadata/b", "/spec/a"),
		_operation("copy", "/spec/a", null), _operation("add", "/spec/a", "/spec/b"), _operation("odd", "/spec/a", null),
		_operation("test", "/data", null),
	] {
		not kubernetes.changes_only({"/spec"}) with input as _operating([operation])
	}
}

test_fields_that_could_change if {
	every field in ["/spec/replicas", "/spec", "/spec/replicas/x", "/*/replicas", ""] {
		kubernetes.changes(field) with input as _patch("merge", ["/spec/replicas"])
	}
	not kubernetes.changes("/metadata") with input as _patch("merge", ["/spec/replicas"])
	kubernetes.changes("/metadata") with input as _patch("apply", ["/spec/replicas"])
	kubernetes.changes("/metadata") with input as _patch("merge", null)
	kubernetes.changes("/metadata") with input as _operating([_operation("move", "/spec/a", "/metadata/b")])
	kubernetes.changes("/metadata") with input as _pods("update")
	kubernetes.changes("/metadata") with input as _pods("create")
	not kubernetes.changes("/metadata") with input as _pods("delete")
	not kubernetes.changes("/metadata") with input as samples.path_request("/version")
}
