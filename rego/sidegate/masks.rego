package sidegate

# Most hiding first; src/gate/decision.ts has the same order.
_hiding := {"deny": 0, "null": 1, "redact": 2, "hash": 3, "partial": 4}

# One mask for each thing to hide: of several, the most hiding one.
_masks := [mask |
	some [target, said] in sort([[target, said] | some target, said in _masks_said])
	[kind, name] := target
	[_, policy, method] := min(said)
	mask := {
		"column": _named("column", kind, name),
		"detector": _named("detector", kind, name),
		"path": _named("path", kind, name),
		"with": method,
		"policy": policy,
	}
]

_masks_said[[kind, name]] contains [rank, policy, method] if {
	some ["mask", policy, value] in _valid
	method := value["with"]
	rank := _hiding[method]
	some kind in ["column", "detector", "path"]
	name := value[kind]
}

_named(wanted, kind, name) := name if {
	wanted == kind
} else := null
