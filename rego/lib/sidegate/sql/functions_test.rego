package sidegate.sql_test

import data.sidegate.samples
import data.sidegate.sql

test_calls_are_seen_by_name_and_by_qualified_name if {
	called := _with({"functions": [samples.builtin("lower", "pure")]})
	sql.calls("lower") with input as called
	sql.calls("pg_catalog.lower") with input as called
	not sql.calls("public.lower") with input as called
	not sql.calls("upper") with input as called
}

test_code_that_is_out_of_sight_could_call_anything if {
	every detail in [
		{"effects": ["procedural"]},
		{"effects": ["unknown"]},
		{"functions": [samples.builtin("mine", "unknown")]},
	] {
		sql.calls("pg_sleep") with input as _with(detail)
		sql.calls_class("external") with input as _with(detail)
		sql.waits with input as _with(detail)
	}
}

test_waiting_is_seen if {
	sql.waits with input as _with({"functions": [samples.builtin("pg_sleep", "waits")]})
	not sql.waits with input as _select([_orders])
	sql.calls_class("pure") with input as _with({"functions": [samples.builtin("lower", "pure")]})
}
