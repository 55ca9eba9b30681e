package sidegate.kubernetes

# METADATA
# title: Only patches these fields
# description: |
#   A non-empty set of JSON Pointers, each of a field with all below it, `*` for any member or element:
#   `/spec/replicas`, `/spec/template/spec/containers/*/image`. What names the object (apiVersion, kind, metadata.name
#   and metadata.namespace) may stand beside them. A JSON Patch may test, copy and move only within them. Server-side
#   apply is not among these: it removes what it no longer names.
changes_only(fields) if {
	verbs_only({"patch"})
	_patch_explicit
	count(_changed) > 0
	every path in _changed {
		_within_any(path, fields)
	}
}

# METADATA
# scope: document
# title: Could change that field
# description: |
#   A JSON Pointer, `*` for any member or element: the field itself, what is above it and what is below it. A whole
#   object, and server-side apply, could change every field.
changes(field) if _could_name(field)

changes(_) if {
	_patches
	not _patch_explicit
}

changes(_) if does("create")

changes(_) if does("update")

_could_name(_) if {
	_patches
	not _patch_known
}

_could_name(field) if {
	_patches
	some path in _changed
	_overlaps(path, split(field, "/"))
}

_patches if {
	_attributed
	input.command.detail.verb == "patch"
}

_patch := input.command.detail.patch

# It changes what it names, and nothing else.
_patch_explicit if {
	_patch_known
	_patch.type != "apply"
}

_patch_known if {
	_patch.type in {"apply", "json", "merge", "strategic"}
	is_array(_patch.paths)
	every path in _patch.paths {
		_is_pointer(path)
	}
	is_array(_patch.operations)
	every operation in _patch.operations {
		_operation_known(operation)
	}
}

_operation_known(operation) if {
	operation.op in {"add", "remove", "replace", "test"}
	_is_pointer(operation.path)
	operation.from == null
}

_operation_known(operation) if {
	operation.op in {"copy", "move"}
	_is_pointer(operation.path)
	_is_pointer(operation.from)
}

_is_pointer("")

_is_pointer(path) if startswith(path, "/")

# What says which object it is, and cannot be changed.
_identity := {"/apiVersion", "/kind", "/metadata/name", "/metadata/namespace"}

_changed contains split(path, "/") if {
	some path in _patch.paths
	not path in _identity
}

_changed contains split(path, "/") if {
	some operation in _patch.operations
	some path in [operation.path, operation.from]
	path != null
	not path in _identity
}

_within_any(path, fields) if {
	some field in fields
	wanted := split(field, "/")
	count(path) >= count(wanted)
	_overlaps(path, wanted)
}

# One is above the other, or they are the same.
_overlaps(path, wanted) if {
	shared := min([count(path), count(wanted)])
	every index, segment in array.slice(path, 0, shared) {
		_segment_fits(segment, wanted[index])
	}
}

_segment_fits(segment, segment)

_segment_fits(_, "*")
