package sidegate_test

import data.sidegate
import data.sidegate.samples

_decide(policies) := decision if {
	decision := sidegate.decision with data.policy as policies
		with input as samples.postgres({"effects": ["select"]})
}

_reads := {"allow": {{"code": "read"}}}

_nothing := {"rows": null, "bytes": null, "seconds": null}

test_nothing_that_allows_is_a_denial if {
	_decide({}) == {
		"effect": "deny",
		"reasons": [{"code": "policy.no-match", "message": "no policy allows this", "remedy": "", "policy": ""}],
		"masks": [],
		"limits": _nothing,
		"approvals": [],
		"record": "standard",
	}
}

test_an_allow_allows_and_says_who_said_so if {
	_decide({"reading": _reads}) == {
		"effect": "allow",
		"reasons": [{"code": "read", "message": "", "remedy": "", "policy": "policy.reading"}],
		"masks": [],
		"limits": _nothing,
		"approvals": [],
		"record": "standard",
	}
}

test_any_denial_denies_whatever_others_allow if {
	decision := _decide({"reading": _reads, "guard": {"deny": {{"code": "no"}}}})
	decision.effect == "deny"
	[reason.code | some reason in decision.reasons] == ["no"]
}

test_a_denial_that_teaches_comes_first if {
	decision := _decide({
		"a": {"deny": {{"code": "mute"}}},
		"b": {"deny": {{"code": "said", "message": "m"}}},
		"z": {"deny": {{"code": "taught", "message": "m", "remedy": "r"}}},
	})
	[reason.code | some reason in decision.reasons] == ["taught", "said", "mute"]
}

test_an_approval_holds_what_is_allowed if {
	decision := _decide({
		"reading": _reads,
		"people": {"approve": {{"code": "ask", "groups": {"dba", "app"}, "wait": "10m", "validFor": "2h", "count": 2}}},
	})
	decision.effect == "approve"
	[reason.code | some reason in decision.reasons] == ["ask"]
	decision.approvals == [{
		"code": "ask", "groups": ["app", "dba"], "count": 2, "wait": 600, "validFor": 7200, "policy": "policy.people",
	}]
}

test_an_approval_has_defaults if {
	decision := _decide({"p": object.union(_reads, {"approve": {{"code": "ask"}}})})
	decision.approvals == [{
		"code": "ask", "groups": [], "count": 1, "wait": 300, "validFor": 300, "policy": "policy.p",
	}]
}

test_every_demand_for_approval_stands_by_itself if {
	decision := _decide({"p": _reads, "b": {"approve": {{"code": "x"}}}, "a": {"approve": {{"code": "x"}, {"code": "y"}}}})
	[[each.policy, each.code] | some each in decision.approvals] == [
		["policy.a", "x"],
		["policy.a", "y"],
		["policy.b", "x"],
	]
}

test_an_approval_allows_nothing_by_itself if {
	decision := _decide({"people": {"approve": {{"code": "ask"}}}})
	decision.effect == "deny"
	decision.reasons[0].code == "policy.no-match"
}

test_a_denial_is_not_held if {
	decision := _decide({"p": object.union(_reads, {"approve": {{"code": "ask"}}, "deny": {{"code": "no"}}})})
	decision.effect == "deny"
}

test_an_allow_for_another_protocol_allows_nothing if {
	_decide({"p": {"allow": {{"code": "x", "protocol": "ssh"}}}}).effect == "deny"
	_decide({"p": {"allow": {{"code": "x", "protocol": "postgres"}}}}).effect == "allow"
	_decide({"p": {"allow": {{"code": "x", "protocol": "*"}}}}).effect == "allow"
}

test_the_most_hiding_mask_wins if {
	every pair in [
		[["partial", "hash"], "hash"], [["hash", "redact"], "redact"],
		[["redact", "null"], "null"], [["null", "deny"], "deny"],
	] {
		[methods, winner] := pair
		masks := {{"column": "public.c.ssn", "with": method} | some method in methods}
		decision := _decide({"p": object.union(_reads, {"mask": masks})})
		[mask["with"] | some mask in decision.masks] == [winner]
	}
}

test_masks_of_all_kinds_add_up_in_a_fixed_order if {
	decision := _decide({
		"b": {"mask": {{"detector": "email", "with": "hash"}, {"path": "$.a", "with": "null"}}},
		"a": {"mask": {{"column": "public.c.ssn", "with": "redact"}}},
	})
	decision.effect == "deny"
	decision.masks == [
		{"column": "public.c.ssn", "detector": null, "path": null, "with": "redact", "policy": "policy.a"},
		{"column": null, "detector": "email", "path": null, "with": "hash", "policy": "policy.b"},
		{"column": null, "detector": null, "path": "$.a", "with": "null", "policy": "policy.b"},
	]
}

test_limits_take_the_minimum if {
	decision := _decide({"a": {"limit": {{"rows": 10, "bytes": 5}}}, "b": {"limit": {{"rows": 3}, {"rows": 0}}}})
	decision.limits == {"rows": 0, "bytes": 5, "seconds": null}
}

test_recording_may_be_raised_and_not_lowered if {
	_decide({"a": {"record": {{"level": "full"}}}, "b": {"record": {{"level": "standard"}}}}).record == "full"
	_decide({"b": {"record": {{"level": "standard"}}}}).record == "standard"
}

test_packages_compose_without_knowing_each_other if {
	decision := _decide({
		"app": _reads,
		"platform": {"limit": {{"rows": 9}}, "mask": {{"column": "a.b.c", "with": "hash"}}},
	})
	decision.effect == "allow"
	decision.limits.rows == 9
	count(decision.masks) == 1
}
