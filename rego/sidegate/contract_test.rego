package sidegate_test

import data.sidegate

# What each kind of rule may not yield. Whatever else is said, the answer is then a denial.
_malformed := {
	"allow": [
		true, "x", null, 1, [], {}, {"code": ""}, {"code": 1}, {"message": "m"}, {"code": "x", "mesage": "m"},
		{"code": "x", "message": 1}, {"code": "x", "remedy": null}, {"code": "x", "protocol": ""},
		{"code": "x", "protocol": 1},
	],
	"deny": [true, {}, {"code": null}, {"code": "x", "protocol": "ssh"}, {"code": "x", "message": ["m"]}],
	"approve": [
		true, {}, {"code": "x", "groups": "dba"}, {"code": "x", "groups": [1]}, {"code": "x", "groups": [""]},
		{"code": "x", "groups": {"dba": true}}, {"code": "x", "count": 0}, {"code": "x", "count": 1.5},
		{"code": "x", "count": "1"}, {"code": "x", "wait": 60}, {"code": "x", "wait": ""}, {"code": "x", "wait": "m"},
		{"code": "x", "wait": "10"}, {"code": "x", "wait": "10w"}, {"code": "x", "wait": "1.5m"},
		{"code": "x", "wait": "-1m"}, {"code": "x", "wait": "0s"}, {"code": "x", "wait": "010m"},
		{"code": "x", "wait": "1000000s"}, {"code": "x", "wait": "٣s"}, {"code": "x", "wait": "10 m"},
		{"code": "x", "validFor": "soon"}, {"code": "x", "who": "dba"},
	],
	"mask": [
		true, {}, {"column": "a.b.c"}, {"with": "redact"}, {"column": "a.b.c", "with": "hide"},
		{"column": "", "with": "redact"}, {"column": 1, "with": "redact"},
		{"column": "a.b.c", "detector": "email", "with": "redact"}, {"colum": "a.b.c", "with": "redact"},
		{"column": "a.b.c", "with": null},
	],
	"limit": [
		true, {}, {"rows": -1}, {"rows": 1.5}, {"rows": "10"}, {"rows": null}, {"row": 1}, {"rows": 9007199254740992},
		[10],
	],
	"record": [true, {}, {"level": "none"}, {"level": "full", "why": "x"}, {"level": true}],
}

test_a_malformed_result_of_any_kind_denies[sprintf("%s %v", [kind, value])] if {
	some kind, values in _malformed
	some value in values
	said := sidegate.decision with data.policy as {"good": {"allow": {{"code": "read"}}}, "bad": {kind: {value}}}
		with input as _selecting
	said.effect == "deny"
	said.reasons == [{
		"code": "policy.invalid-decision",
		"message": concat("", ["a rule `", kind, "` of policy.bad gave an answer of the wrong form"]),
		"remedy": "",
		"policy": "policy.bad",
	}]
}

test_the_malformed_say_nothing_beside_that if {
	said := sidegate.decision with data.policy as {
		"bad": {"mask": {{"column": "a.b.c", "with": "hide"}}, "limit": {{"rows": "1"}}, "record": {{"level": "x"}}},
		"good": {"mask": {{"column": "a.b.c", "with": "hash"}}},
	}
		with input as _selecting
	[mask["with"] | some mask in said.masks] == ["hash"]
	said.limits.rows == null
	said.record == "standard"
}

# `deny := true`, `deny["x"] := true` and their like add to no set, and would otherwise say nothing.
test_a_rule_that_is_no_set_denies if {
	every kind in ["allow", "deny", "approve", "mask", "limit", "record"] {
		every value in [true, false, null, "x", 1, [], {}, {"code": "x"}, [{"code": "x"}]] {
			said := sidegate.decision with data.policy as {"good": {"allow": {{"code": "read"}}}, "bad": {kind: value}}
				with input as _selecting
			said.reasons[0].code == "policy.invalid-decision"
		}
	}
}

test_other_rules_of_a_package_take_no_part if {
	sidegate.decision.effect == "allow" with data.policy as {
		"p": {"allow": {{"code": "read"}}, "denied": {{"code": "x"}}, "helper": true},
	}
		with input as _selecting
}

test_whole_seconds_from_every_unit if {
	every pair in [["1s", 1], ["90s", 90], ["5m", 300], ["2h", 7200], ["7d", 604800], ["999999s", 999999]] {
		[text, seconds] := pair
		said := sidegate.decision with data.policy as {"p": {"approve": {{"code": "x", "wait": text}}}}
			with input as _selecting
		said.approvals[0].wait == seconds
	}
}
