package sidegate.sql_test

import data.sidegate.samples
import data.sidegate.sql

_orders := samples.relation("public", "orders", "read", ["id", "total"])

_select(relations) := samples.postgres({"effects": ["select"], "relations": relations})

_with(detail) := samples.postgres(object.union({"effects": ["select"], "relations": [_orders]}, detail))

_write(effect, table, where) := samples.postgres({
	"effects": [effect],
	"where": where,
	"relations": [samples.relation("public", table, effect, ["total"])],
	"readsOnly": false,
})

# What a detail may look like when something is wrong with the facts.
_odd := [
	{}, {"effects": null}, {"effects": []}, {"effects": "select"}, {"effects": [null]}, {"effects": ["select", 1]},
	{"effects": ["select"]}, {"effects": ["select"], "relations": null},
	{"effects": ["select"], "relations": [{}], "functions": [], "settings": [], "role": null},
	{"effects": ["select"], "relations": [null], "functions": [], "settings": [], "role": null},
	{"effects": ["select"], "relations": [], "functions": [{}], "settings": [], "role": null},
	{"effects": ["select"], "relations": [], "functions": [], "settings": [{}], "role": null},
	{"effects": ["select"], "relations": [], "functions": null, "settings": [], "role": null},
	{"effects": ["select"], "relations": [], "functions": [], "settings": null, "role": null},
]

_odd_input(detail) := {"command": {"protocol": "postgres", "action": "select", "text": "", "detail": detail}}

test_a_plain_select_only_reads if {
	sql.reads with input as _select([_orders])
	sql.reads_only({"public.orders"}) with input as _select([_orders])
	sql.reads_only(["public.customers", "public.orders"]) with input as _select([_orders])
	sql.reads_only_in({"public"}) with input as _select([_orders])
	not sql.writes with input as _select([_orders])
}

test_a_select_without_relations_only_reads if {
	sql.reads_only({"public.orders"}) with input as _select([])
	sql.reads_only_in({"public"}) with input as _select([])
}

test_a_relation_that_is_not_named_is_not_only_read if {
	other := samples.relation("hr", "salaries", "read", ["*"])
	not sql.reads_only({"public.orders"}) with input as _select([_orders, other])
	not sql.reads_only_in({"public"}) with input as _select([_orders, other])
	sql.reads with input as _select([_orders, other])
}

test_no_relations_named_permits_none if {
	not sql.reads_only(set()) with input as _select([])
	not sql.reads_only([]) with input as _select([])
	not sql.reads_only_in(set()) with input as _select([])
	not sql.writes_only(set()) with input as _write("insert", "orders", null)
	not sql.reads_from(set()) with input as _select([])
}

test_a_relation_that_was_not_resolved_is_not_only_read if {
	lost := object.union(_orders, {"schema": null})
	not sql.reads with input as _select([lost])
	not sql.reads_only({"public.orders"}) with input as _select([lost])
}

test_open_relations_of_the_system_may_be_read_beside_any if {
	sql.reads_only({"public.orders"}) with input as _select([samples.system_relation("pg_class", "open"), _orders])
	sql.reads_only_in({"public"}) with input as _select([samples.system_relation("pg_class", "open")])
}

test_relations_of_the_system_with_values_or_secrets_are_not_only_read if {
	every class in ["values", "secret"] {
		not sql.reads with input as _select([samples.system_relation("pg_stats", class)])
		not sql.reads_only({"pg_catalog.pg_stats"}) with input as _select([samples.system_relation("pg_stats", class)])
	}
}

test_every_other_effect_is_more_than_reading if {
	every effect in _effects - {"select", "cursor", "prepare", "session", "transaction"} {
		not sql.reads with input as _with({"effects": ["select", effect]})
		not sql.reads_only({"public.orders"}) with input as _with({"effects": ["select", effect]})
		not sql.housekeeping with input as _with({"effects": ["session", effect]})
	}
}

test_cursors_and_prepared_statements_over_reads_only_read if {
	every effect in ["cursor", "prepare"] {
		sql.reads with input as _with({"effects": ["select", effect]})
	}
}

test_a_function_that_is_not_pure_is_more_than_reading if {
	every class in ["reads", "writes", "external", "waits", "unknown"] {
		not sql.reads with input as _with({"functions": [samples.builtin("f", class)]})
		not sql.copies_out with input as _with({"effects": ["copy-out"], "functions": [samples.builtin("f", class)]})
	}
	sql.reads with input as _with({"functions": [samples.builtin("lower", "pure")]})
	sql.reads with input as _with({"functions": [samples.builtin("txid_current", "session")]})
}

test_what_writes_is_what_is_not_known_not_to if {
	every effect in _effects - {"select", "copy-out", "lock", "listen", "cursor", "prepare", "session", "transaction"} {
		sql.writes with input as _with({"effects": [effect]})
	}
	every class in ["reads", "writes", "external", "unknown"] {
		sql.writes with input as _with({"functions": [samples.builtin("f", class)]})
	}
	persistent := {"name": "work_mem", "value": "1", "scope": "persistent", "known": true}
	sql.writes with input as _with({"effects": ["session"], "settings": [persistent]})
	not sql.writes with input as _with({"effects": ["copy-out", "select"]})
}

test_a_bounded_write_of_a_named_table_is_only_that if {
	every effect in ["insert", "update", "delete"] {
		sql.writes_only({"public.orders"}) with input as _write(effect, "orders", true)
		not sql.writes_only({"public.orders"}) with input as _write(effect, "customers", true)
	}
	not sql.writes_only({"public.orders"}) with input as _select([_orders])
	not sql.writes_only({"public.orders"}) with input as _write("truncate", "orders", null)
	not sql.writes_only({"public.orders"}) with input as _write("merge", "orders", true)
}

test_rows_copied_in_from_the_client_are_inserted if {
	copied := samples.postgres({
		"effects": ["copy-in"],
		"relations": [samples.relation("public", "orders", "insert", ["id"])],
	})
	sql.writes_only({"public.orders"}) with input as copied
	not sql.writes_only({"public.customers"}) with input as copied
	not sql.writes_only({"public.orders"}) with input as samples.postgres({
		"effects": ["unsafe-io", "copy-in"],
		"relations": [samples.relation("public", "orders", "insert", ["id"])],
	})
}

test_a_write_that_reads_elsewhere_is_limited_by_what_it_may_read_from if {
	mixed := samples.postgres({
		"effects": ["insert", "select"],
		"relations": [samples.relation("public", "orders", "insert", ["id"]), samples.relation("hr", "staff", "read", ["*"])],
	})
	sql.writes_only({"public.orders"}) with input as mixed
	sql.reads_from({"hr.staff"}) with input as mixed
	not sql.reads_from({"public.orders"}) with input as mixed
	not sql.reads_from({"hr.staff"}) with input as _with({"effects": ["procedural"]})
}

test_a_write_that_reads_secrets_is_not_only_that_write if {
	not sql.writes_only({"public.orders"}) with input as samples.postgres({
		"effects": ["insert", "select"],
		"functions": [samples.builtin("pg_read_file", "external")],
		"relations": [samples.relation("public", "orders", "insert", ["id"])],
	})
}

test_writes_without_a_bound_are_seen if {
	every effect in ["update", "delete", "merge"] {
		every where in [false, null] {
			sql.unbounded_write with input as _write(effect, "orders", where)
		}
		not sql.unbounded_write with input as _write(effect, "orders", true)
	}
	sql.unbounded_write with input as _write("truncate", "orders", true)
	not sql.unbounded_write with input as _write("insert", "orders", null)
	not sql.unbounded_write with input as _select([_orders])
}

test_schema_and_roles if {
	sql.changes_schema with input as _with({"effects": ["ddl"]})
	not sql.changes_schema with input as _select([_orders])
	sql.changes_roles with input as _with({"effects": ["grant"]})
	sql.changes_roles with input as _with({"effects": ["role"]})
	sql.changes_roles with input as _with({"role": "postgres"})
	not sql.changes_roles with input as _select([_orders])
}

test_code_that_is_out_of_sight if {
	sql.procedural with input as _with({"effects": ["procedural"]})
	sql.procedural with input as _with({"functions": [samples.builtin("query_to_xml", "reads")]})
	sql.procedural with input as _with({"functions": [samples.builtin("mine", "unknown")]})
	not sql.procedural with input as _select([_orders])
}

test_reaching_outside if {
	sql.unsafe_io with input as _with({"effects": ["unsafe-io"]})
	sql.unsafe_io with input as _with({"functions": [samples.builtin("pg_read_file", "external")]})
	not sql.unsafe_io with input as _select([_orders])
}

test_copying_out_to_the_client if {
	sql.copies_out with input as _with({"effects": ["copy-out", "select"]})
	sql.copies_out with input as _with({"effects": ["copy-out"]})
	not sql.copies_out with input as _with({"effects": ["copy-out", "unsafe-io"]})
	not sql.copies_out with input as _select([_orders])
}

test_an_unknown_effect_could_be_any if {
	every effect in _effects {
		sql.does(effect) with input as _with({"effects": ["unknown"]})
	}
	sql.does("lock") with input as _with({"effects": ["select", "lock"]})
	not sql.does("lock") with input as _select([_orders])
}

test_anything_unknown_is_told if {
	sql.uses_unknown with input as _with({"effects": ["unknown"]})
	sql.uses_unknown with input as _with({"functions": [samples.builtin("f", "unknown")]})
	sql.uses_unknown with input as _with({"relations": [object.union(_orders, {"schema": null})]})
	sql.uses_unknown with input as _with({"relations": [object.union(_orders, {"kind": "unknown"})]})
	sql.uses_unknown with input as _with({"settings": [{"name": "x", "value": null, "scope": "session", "known": false}]})
	not sql.uses_unknown with input as _select([_orders])
}

test_odd_facts_permit_nothing if {
	every detail in _odd {
		_permits_nothing with input as _odd_input(detail)
	}
}

test_odd_facts_warn_of_everything if {
	every detail in _odd {
		sql.writes with input as _odd_input(detail)
		sql.uses_unknown with input as _odd_input(detail)
	}
}

test_no_facts_at_all_warn_of_everything if {
	every detail in [{}, null, "x", {"effects": []}] {
		_warns_of_everything with input as _odd_input(detail)
	}
}

test_no_helper_is_true_of_another_protocol if {
	every command in [
		{"protocol": "ssh", "action": "exec", "text": "", "detail": {}},
		{"protocol": "ssh", "action": "exec", "text": "", "detail": samples.postgres({}).command.detail},
		{"protocol": "ssh", "action": "select", "text": "", "detail": _select([_orders]).command.detail},
		{"protocol": "ssh", "action": "x", "text": "", "detail": _with({"effects": ["unknown"], "role": "x"}).command.detail},
		{"protocol": null, "action": "x", "text": "", "detail": {}},
		{},
	] {
		_says_nothing with input as {"command": command}
	}
	_says_nothing with input as {}
}

_effects := {
	"unknown", "unsafe-io", "procedural", "grant", "role", "ddl", "truncate", "delete", "merge", "update", "insert",
	"copy-in", "maintenance", "lock", "notify", "listen", "copy-out", "select", "cursor", "prepare", "session",
	"transaction",
}

_permits_nothing if {
	not sql.reads
	not sql.copies_out
	not sql.reads_only({"public.orders"})
	not sql.reads_only_in({"public"})
	not sql.reads_from({"public.orders"})
	not sql.writes_only({"public.orders"})
	not sql.housekeeping
	not sql.limited_to(10)
}

_warns_of_everything if {
	sql.writes
	sql.unbounded_write
	sql.changes_schema
	sql.changes_roles
	sql.procedural
	sql.unsafe_io
	sql.uses_unknown
	sql.does("lock")
	sql.touches("public.orders")
	sql.touches_column("public.orders.id")
	sql.touches_schema("public")
	sql.reads_system_values
	sql.calls("pg_sleep")
	sql.calls_class("waits")
	sql.waits
	sql.changes_session
	sql.sets("role")
	sql.controls_transaction
	sql.in_transaction
}

_says_nothing if {
	_permits_nothing
	not sql.writes
	not sql.unbounded_write
	not sql.changes_schema
	not sql.changes_roles
	not sql.procedural
	not sql.unsafe_io
	not sql.uses_unknown
	not sql.does("lock")
	not sql.touches("public.orders")
	not sql.touches_column("public.orders.id")
	not sql.touches_schema("public")
	not sql.reads_system_values
	not sql.calls("pg_sleep")
	not sql.calls_class("waits")
	not sql.waits
	not sql.changes_session
	not sql.sets("role")
	not sql.controls_transaction
	not sql.in_transaction
	not sql.executing
	not sql.parameters_known
}
