package policy.writes_test

import data.policy.writes
import data.sidegate.samples

_codes(said) := {each.code | some each in said}

_write(effect, table, where) := samples.postgres({
	"effects": [effect],
	"where": where,
	"relations": [samples.relation("public", table, effect, ["total"])],
})

test_rows_of_the_named_tables_may_be_changed if {
	every effect in ["insert", "update", "delete"] {
		_codes(writes.allow) == {"writes.rows"} with input as _write(effect, "orders", true)
		writes.deny == set() with input as _write(effect, "orders", true)
	}
}

test_every_row_at_once_may_not_be_changed if {
	every effect in ["update", "delete"] {
		_codes(writes.deny) == {"writes.unbounded"} with input as _write(effect, "orders", false)
	}
	_codes(writes.deny) == {"writes.unbounded"} with input as _write("truncate", "orders", null)
}

test_other_tables_may_not_be_changed if {
	_codes(writes.deny) == {"writes.table"} with input as _write("update", "customers", true)
	writes.allow == set() with input as _write("update", "customers", true)
}

test_a_write_below_a_read_is_a_write if {
	hidden := samples.postgres({
		"effects": ["delete", "select"],
		"where": true,
		"relations": [samples.relation("public", "customers", "delete", [])],
	})
	_codes(writes.deny) == {"writes.table"} with input as hidden
}

test_rows_may_be_copied_in_to_the_named_tables if {
	every table, codes in {"orders": set(), "customers": {"writes.table"}} {
		copying := samples.postgres({
			"effects": ["copy-in"],
			"relations": [samples.relation("public", table, "insert", ["id"])],
		})
		_codes(writes.deny) == codes with input as copying
	}
}

test_functions_that_change_something_are_refused if {
	calling := samples.postgres({"effects": ["select"], "functions": [samples.builtin("nextval", "writes")]})
	_codes(writes.deny) == {"writes.function"} with input as calling
}

test_refusals_say_what_would_be_accepted if {
	every reason in writes.deny {
		reason.remedy != ""
		reason.message != ""
	} with input as _write("delete", "customers", false)
}
