package sidegate

# Most hiding first; src/gate/decision.ts has the same order.
_hiding := {"deny": 0, "null": 1, "redact": 2, "hash": 3, "partial": 4}

# One mask for each thing to hide: of several, the most hiding one.
_masks := [mask |
	some [kind, name] in sort({[said.kind, said.name] | some said in _masks_said})
	[_, policy, method] := min({[_hiding[said.method], said.policy, said.method] |
		some said in _masks_said
		said.kind == kind
		said.name == name
	})
	mask := {
		"column": _named("column", kind, name),
		"detector": _named("detector", kind, name),
		"path": _named("path", kind, name),
		"with": method,
		"policy": policy,
	}
]

_masks_said contains {"kind": kind, "name": name, "method": value["with"], "policy": policy} if {
	some ["mask", policy, value] in _valid
	some kind, name in object.remove(value, ["with"])
}

_named(wanted, kind, name) := name if {
	wanted == kind
} else := null
