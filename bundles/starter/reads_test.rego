package policy.reads_test

import data.policy.reads
import data.sidegate.samples

_orders := samples.relation("public", "orders", "read", ["id"])

_codes(said) := {each.code | some each in said}

test_rows_of_any_table_may_be_read if {
	_codes(reads.allow) == {"reads.rows"} with input as samples.postgres({"effects": ["select"], "relations": [_orders]})
}

test_what_tools_ask_of_the_catalogs_is_allowed if {
	introspection := samples.postgres({
		"effects": ["select"],
		"relations": [samples.system_relation("pg_class", "open"), samples.system_relation("pg_attribute", "open")],
		"functions": [samples.builtin("format_type", "pure"), samples.builtin("set_config", "session")],
	})
	_codes(reads.allow) == {"reads.rows"} with input as introspection
	reads.deny == set() with input as introspection
}

test_what_drivers_send_when_they_connect_is_allowed if {
	every setting in [
		samples.setting("application_name", "psql"), samples.setting("extra_float_digits", "3"),
		samples.setting("datestyle", "ISO"), samples.setting("*", null),
	] {
		connecting := samples.postgres({"effects": ["session"], "settings": [setting]})
		_codes(reads.allow) == {"reads.housekeeping"} with input as connecting
	}
	_codes(reads.allow) == {"reads.housekeeping"} with input as samples.postgres({"effects": ["transaction"]})
}

test_rows_may_be_copied_to_the_client if {
	copying := samples.postgres({"effects": ["copy-out", "select"], "relations": [_orders]})
	_codes(reads.allow) == {"reads.copy"} with input as copying
}

test_statistics_and_secrets_may_not_be_read if {
	every class in ["values", "secret"] {
		looking := samples.postgres({"effects": ["select"], "relations": [samples.system_relation("pg_stats", class)]})
		_codes(reads.deny) == {"reads.system-values"} with input as looking
		reads.allow == set() with input as looking
	}
}

test_locks_and_waits_are_refused if {
	locking := samples.postgres({"effects": ["lock", "select"], "relations": [_orders]})
	_codes(reads.deny) == {"reads.lock"} with input as locking
	sleeping := samples.postgres({"effects": ["select"], "functions": [samples.builtin("pg_sleep", "waits")]})
	_codes(reads.deny) == {"reads.wait"} with input as sleeping
	reads.allow == set() with input as sleeping
}
