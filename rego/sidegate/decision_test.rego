package sidegate_test

import data.sidegate
import data.sidegate.samples

_selecting := samples.postgres({"effects": ["select"]})

_reads := {"allow": {{"code": "read"}}}

_nothing := {"rows": null, "bytes": null, "seconds": null}

test_nothing_that_allows_is_a_denial if {
	sidegate.decision == {
		"effect": "deny",
		"reasons": [{"code": "policy.no-match", "message": "no policy allows this", "remedy": "", "policy": ""}],
		"masks": [],
		"limits": _nothing,
		"approvals": [],
		"record": "standard",
	} with data.policy as {}
		with input as _selecting
}

test_an_allow_allows_and_says_who_said_so if {
	sidegate.decision == {
		"effect": "allow",
		"reasons": [{"code": "read", "message": "", "remedy": "", "policy": "policy.reading"}],
		"masks": [],
		"limits": _nothing,
		"approvals": [],
		"record": "standard",
	} with data.policy as {"reading": _reads}
		with input as _selecting
}

test_any_denial_denies_whatever_others_allow if {
	decision := sidegate.decision with data.policy as {"reading": _reads, "guard": {"deny": {{"code": "no"}}}}
		with input as _selecting
	decision.effect == "deny"
	[reason.code | some reason in decision.reasons] == ["no"]
}

test_a_denial_that_teaches_comes_first if {
	decision := sidegate.decision with data.policy as {
		"a": {"deny": {{"code": "mute"}}},
		"b": {"deny": {{"code": "said", "message": "m"}}},
		"z": {"deny": {{"code": "taught", "message": "m", "remedy": "r"}}},
	}
		with input as _selecting
	[reason.code | some reason in decision.reasons] == ["taught", "said", "mute"]
}

test_an_approval_holds_what_is_allowed if {
	decision := sidegate.decision with data.policy as {
		"reading": _reads,
		"people": {"approve": {{"code": "ask", "groups": {"dba", "app"}, "wait": "10m", "validFor": "2h", "count": 2}}},
	}
		with input as _selecting
	decision.effect == "approve"
	[reason.code | some reason in decision.reasons] == ["ask"]
	decision.approvals == [{
		"code": "ask", "groups": ["app", "dba"], "count": 2, "wait": 600, "validFor": 7200, "policy": "policy.people",
	}]
}

test_an_approval_has_defaults if {
	decision := sidegate.decision with data.policy as {"p": object.union(_reads, {"approve": {{"code": "ask"}}})}
		with input as _selecting
	decision.approvals == [{
		"code": "ask", "groups": [], "count": 1, "wait": 300, "validFor": 300, "policy": "policy.p",
	}]
}

test_every_demand_for_approval_stands_by_itself if {
	decision := sidegate.decision with data.policy as {
		"p": _reads,
		"b": {"approve": {{"code": "x"}}},
		"a": {"approve": {{"code": "x"}, {"code": "y"}}},
	}
		with input as _selecting
	[[each.policy, each.code] | some each in decision.approvals] == [
		["policy.a", "x"],
		["policy.a", "y"],
		["policy.b", "x"],
	]
}

test_a_demand_that_is_worded_twice_is_made_once if {
	asked := {"code": "x", "wait": "5m"}
	decision := sidegate.decision with data.policy as {
		"p": _reads,
		"a": {"approve": {{"code": "x"}, asked, object.union(asked, {"message": "m"}), {"code": "x", "wait": "300s"}}},
	}
		with input as _selecting
	count(decision.approvals) == 1
}

test_an_approval_allows_nothing_by_itself if {
	decision := sidegate.decision with data.policy as {"people": {"approve": {{"code": "ask"}}}}
		with input as _selecting
	decision.effect == "deny"
	decision.reasons[0].code == "policy.no-match"
}

test_a_denial_is_not_held if {
	decision := sidegate.decision with data.policy as {
		"p": object.union(
			_reads,
			{"approve": {{"code": "ask"}}, "deny": {{"code": "no"}}},
		),
	}
		with input as _selecting
	decision.effect == "deny"
}

test_an_allow_for_another_protocol_allows_nothing if {
	sidegate.decision.effect == "deny" with data.policy as {"p": {"allow": {{"code": "x", "protocol": "ssh"}}}}
		with input as _selecting
	sidegate.decision.effect == "allow" with data.policy as {"p": {"allow": {{"code": "x", "protocol": "postgres"}}}}
		with input as _selecting
	sidegate.decision.effect == "allow" with data.policy as {"p": {"allow": {{"code": "x", "protocol": "*"}}}}
		with input as _selecting
}

test_the_most_hiding_mask_wins if {
	every pair in [
		[["partial", "hash"], "hash"], [["hash", "redact"], "redact"],
		[["redact", "null"], "null"], [["null", "deny"], "deny"],
	] {
		[methods, winner] := pair
		masks := {{"column": "public.c.ssn", "with": method} | some method in methods}
		decision := sidegate.decision with data.policy as {"p": object.union(_reads, {"mask": masks})}
			with input as _selecting
		[mask["with"] | some mask in decision.masks] == [winner]
		paths := {{"path": "data.*", "with": method} | some method in methods}
		of_paths := sidegate.decision with data.policy as {"p": {"mask": paths}}
			with input as samples.kubernetes({})
		[[mask.path, mask["with"]] | some mask in of_paths.masks] == [["data.*", winner]]
	}
}

test_masks_of_all_kinds_add_up_in_a_fixed_order if {
	decision := sidegate.decision with data.policy as {
		"b": {"mask": {{"detector": "email", "with": "hash"}, {"path": "data.*", "with": "null"}}},
		"a": {"mask": {{"column": "public.c.ssn", "with": "redact"}}},
	}
		with input as _selecting
	decision.effect == "deny"
	decision.masks == [
		{"column": "public.c.ssn", "detector": null, "path": null, "with": "redact", "policy": "policy.a"},
		{"column": null, "detector": "email", "path": null, "with": "hash", "policy": "policy.b"},
		{"column": null, "detector": null, "path": "data.*", "with": "null", "policy": "policy.b"},
	]
}

test_limits_take_the_minimum if {
	decision := sidegate.decision with data.policy as {
		"a": {"limit": {{"rows": 10, "bytes": 5}}},
		"b": {"limit": {{"rows": 3}, {"rows": 0}}},
	}
		with input as _selecting
	decision.limits == {"rows": 0, "bytes": 5, "seconds": null}
}

test_recording_may_be_raised_and_not_lowered if {
	sidegate.decision.record == "full" with data.policy as {
		"a": {"record": {{"level": "full"}}},
		"b": {"record": {{"level": "standard"}}},
	}
		with input as _selecting
	sidegate.decision.record == "standard" with data.policy as {"b": {"record": {{"level": "standard"}}}}
		with input as _selecting
}

test_packages_compose_without_knowing_each_other if {
	decision := sidegate.decision with data.policy as {
		"app": _reads,
		"platform": {"limit": {{"rows": 9}}, "mask": {{"column": "a.b.c", "with": "hash"}}},
	}
		with input as _selecting
	decision.effect == "allow"
	decision.limits.rows == 9
	count(decision.masks) == 1
}
