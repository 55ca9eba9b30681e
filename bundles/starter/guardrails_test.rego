package policy.guardrails_test

import data.policy.guardrails
import data.sidegate.samples

_codes(said) := {each.code | some each in said}

test_what_no_agent_does_is_refused_with_its_own_code if {
	every effect, code in {
		"ddl": "schema.change", "procedural": "code.out-of-sight", "unsafe-io": "io.outside", "grant": "roles.change",
		"role": "roles.change", "listen": "session.channel", "notify": "session.channel",
		"maintenance": "database.maintenance",
	} {
		_codes(guardrails.deny) == {code} with input as samples.postgres({"effects": [effect]})
	}
}

test_functions_are_judged_by_what_they_do if {
	every class, codes in {
		"reads": {"code.out-of-sight"}, "external": {"io.outside"},
		"unknown": {"code.out-of-sight", "io.outside"},
		"pure": set(),
	} {
		calling := samples.postgres({"effects": ["select"], "functions": [samples.builtin("f", class)]})
		_codes(guardrails.deny) == codes with input as calling
	}
}

test_settings_of_weight_are_refused if {
	every setting in [samples.setting("session_replication_role", "replica"), samples.setting("work_mem", "64GB")] {
		setting_it := samples.postgres({"effects": ["session"], "settings": [setting]})
		_codes(guardrails.deny) == {"session.setting"} with input as setting_it
	}
}

test_a_table_that_does_not_exist_is_called_that if {
	reading := samples.postgres({"effects": ["select"], "relations": [samples.relation(null, "nowhere", "read", [])]})
	_codes(guardrails.deny) == {"names.unknown"} with input as reading
}

test_what_is_unknown_meets_every_guardrail if {
	count(guardrails.deny) >= 6 with input as samples.postgres({"effects": ["unknown"]})
}

test_reads_and_bounded_writes_meet_none if {
	every effect in ["select", "insert", "update", "delete", "transaction", "session", "cursor", "copy-out"] {
		guardrails.deny == set() with input as samples.postgres({"effects": [effect]})
	}
}

test_every_refusal_teaches if {
	every reason in guardrails.deny {
		reason.message != ""
		reason.remedy != ""
	} with input as samples.postgres({"effects": ["unknown"]})
}
