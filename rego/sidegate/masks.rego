package sidegate

# Most hiding first; src/gate/decision.ts has the same order.
_hiding := {"deny": 0, "null": 1, "redact": 2, "hash": 3, "partial": 4}

# One mask for each thing to hide: of several, the most hiding one, which sorts first.
_masks := [mask |
	some at, [kind, name, _, policy, method] in _masks_said
	not _again(at, kind, name)
	mask := {
		"column": _named("column", kind, name),
		"detector": _named("detector", kind, name),
		"path": _named("path", kind, name),
		"with": method,
		"policy": policy,
	}
]

_masks_said := sort([[kind, value[kind], _hiding[value["with"]], _qualified(name), value["with"]] |
	some name
	some value in data.policy[name].mask
	_well_formed("mask", value)
	some kind in ["column", "detector", "path"]
	value[kind]
])

_again(at, kind, name) if {
	before := _masks_said[at - 1]
	before[0] == kind
	before[1] == name
}

_named(wanted, kind, name) := name if {
	wanted == kind
} else := null
