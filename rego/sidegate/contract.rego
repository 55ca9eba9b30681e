package sidegate

# What the packages of the policy yield that is no answer of its kind. Here and wherever answers are gathered, each
# reference names its kind of rule, so that nothing else of a package (its helpers, its tests) takes part.
_malformed contains [_qualified(name), "allow"] if {
	some name
	answers := data.policy[name].allow
	not _all_well_formed("allow", answers)
}

_malformed contains [_qualified(name), "deny"] if {
	some name
	answers := data.policy[name].deny
	not _all_well_formed("deny", answers)
}

_malformed contains [_qualified(name), "approve"] if {
	some name
	answers := data.policy[name].approve
	not _all_well_formed("approve", answers)
}

_malformed contains [_qualified(name), "mask"] if {
	some name
	answers := data.policy[name].mask
	not _all_well_formed("mask", answers)
}

_malformed contains [_qualified(name), "limit"] if {
	some name
	answers := data.policy[name].limit
	not _all_well_formed("limit", answers)
}

_malformed contains [_qualified(name), "record"] if {
	some name
	answers := data.policy[name].record
	not _all_well_formed("record", answers)
}

# A rule that is no set, such as `deny := true`, would otherwise say nothing.
_all_well_formed(kind, answers) if {
	is_set(answers)
	every value in answers {
		_well_formed(kind, value)
	}
}

_qualified(name) := concat(".", ["policy", name])

# Total: an answer of any other form, whatever its type, is not well-formed. Each lists all its keys in one place.
_well_formed("allow", value) if {
	_only(value, ["code", "message", "remedy", "protocol"])
	_reasoned(value)
	_text(object.get(value, "protocol", "*"))
}

_well_formed("deny", value) if {
	_only(value, ["code", "message", "remedy"])
	_reasoned(value)
}

_well_formed("approve", value) if {
	_only(value, ["code", "message", "remedy", "groups", "count", "wait", "validFor"])
	_reasoned(value)
	_groups(object.get(value, "groups", []))
	_positive(object.get(value, "count", 1))
	_duration(object.get(value, "wait", "5m"))
	_duration(object.get(value, "validFor", "5m"))
}

_well_formed("mask", value) if {
	_only(value, ["column", "detector", "path", "with"])
	count(value) == 2
	_hiding[value["with"]]
	some kind in ["column", "detector", "path"]
	_text(value[kind])
}

_well_formed("limit", value) if {
	_only(value, ["rows", "bytes", "seconds"])
	count(value) > 0
	every amount in value {
		_natural(amount)
	}
}

_well_formed("record", value) if {
	_only(value, ["level"])
	value.level in {"standard", "full"}
}

_only(value, keys) if {
	is_object(value)
	every key, _ in value {
		key in keys
	}
}

_reasoned(value) if {
	_text(value.code)
	is_string(object.get(value, "message", ""))
	is_string(object.get(value, "remedy", ""))
}

_text(value) if {
	is_string(value)
	value != ""
}

_groups(value) if {
	_collection(value)
	every group in value {
		_text(group)
	}
}

_collection(value) if is_array(value)

_collection(value) if is_set(value)

# Beyond 2^53 JSON numbers are not exact.
_natural(value) if {
	is_number(value)
	value >= 0
	value <= 9007199254740991
	value == floor(value)
}

_positive(value) if {
	_natural(value)
	value > 0
}
