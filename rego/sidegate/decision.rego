# METADATA
# title: The combiner
# description: |
#   The only decision entrypoint. What the rules of all packages `policy.<name>` yield becomes one decision:
#   anything malformed denies, any denial denies, nothing allowed denies, any demand for approval holds, else it is
#   allowed. Masks and limits stand beside every effect, since observe mode keeps them where it overrides a denial.
# schemas:
#   - input: schema.input
package sidegate

# METADATA
# title: The decision, in the form of the contract's version 1
# entrypoint: true
decision := {
	"effect": _effect,
	"reasons": _reasons,
	"masks": _masks,
	"limits": {"rows": _smallest("rows"), "bytes": _smallest("bytes"), "seconds": _smallest("seconds")},
	"approvals": _approvals,
	"record": _record,
}

default _effect := "deny"

_effect := "approve" if {
	count(_invalid) == 0
	count(_denials) == 0
	count(_allowances) > 0
	count(_demands) > 0
}

_effect := "allow" if {
	count(_invalid) == 0
	count(_denials) == 0
	count(_allowances) > 0
	count(_demands) == 0
}

default _reasons := [{"code": "policy.no-match", "message": "no policy allows this", "remedy": "", "policy": ""}]

_reasons := _ordered(_invalid) if {
	count(_invalid) > 0
} else := _ordered(_denials) if {
	count(_denials) > 0
} else := _ordered(_demands) if {
	_effect == "approve"
} else := _ordered(_allowances) if {
	_effect == "allow"
}

_invalid contains {
	"code": "policy.invalid-decision",
	"message": concat("", ["a rule `", kind, "` of ", policy, " gave an answer of the wrong form"]),
	"remedy": "",
	"policy": policy,
} if {
	some [policy, kind] in _malformed
}

_denials contains _reason(name, value) if {
	some name
	some value in data.policy[name].deny
	_well_formed("deny", value)
}

_demands contains _reason(name, value) if {
	some name
	some value in data.policy[name].approve
	_well_formed("approve", value)
}

# An allow that names a protocol speaks for that one only; one that names none is bound by its helpers, which
# `sidegate policy check` makes sure of.
_allowances contains _reason(name, value) if {
	some name
	some value in data.policy[name].allow
	_well_formed("allow", value)
	object.get(value, "protocol", "*") in {"*", input.command.protocol}
}

_reason(name, value) := {
	"code": value.code,
	"message": object.get(value, "message", ""),
	"remedy": object.get(value, "remedy", ""),
	"policy": _qualified(name),
}

# Agents are told the first reason: one that teaches comes before one that does not.
_ordered(reasons) := [reason |
	some [_, _, _, _, reason] in sort([[r.remedy == "", r.message == "", r.policy, r.code, r] | some r in reasons])
]

# Rules that word one demand differently demand it once.
_approvals := [demand |
	some [_, _, demand] in sort({[d.policy, d.code, d] |
		some name
		some value in data.policy[name].approve
		_well_formed("approve", value)
		d := {
			"code": value.code,
			"groups": sort({group | some group in object.get(value, "groups", [])}),
			"count": object.get(value, "count", 1),
			"wait": _seconds(object.get(value, "wait", "5m")),
			"validFor": _seconds(object.get(value, "validFor", "5m")),
			"policy": _qualified(name),
		}
	})
]

default _record := "standard"

_record := "full" if {
	some name
	some value in data.policy[name].record
	_well_formed("record", value)
	value.level == "full"
}

default _smallest(_) := null

_smallest(key) := min(_amounts[key])

# Grouped here and not in the function: the comprehension is then evaluated once for all three.
_amounts[key] contains amount if {
	some name
	some value in data.policy[name].limit
	_well_formed("limit", value)
	some key, amount in value
}
