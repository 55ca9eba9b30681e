package sidegate.sql_test

import data.sidegate.samples
import data.sidegate.sql

_named(schema, name) := _select([samples.relation(schema, name, "read", ["id"])])

test_a_relation_is_touched_by_any_spelling_of_its_name if {
	every spelling in ["public.orders", "\"public\".\"orders\"", "public.\"orders\"", "\"public\".orders"] {
		sql.touches(spelling) with input as _named("public", "orders")
		sql.reads_only({spelling}) with input as _named("public", "orders")
	}
	not sql.touches("public.customers") with input as _named("public", "orders")
}

test_names_that_need_quotes_are_told_apart_from_those_that_do_not if {
	sql.touches("public.\"Orders\"") with input as _named("public", "Orders")
	not sql.touches("public.Orders") with input as _named("public", "Orders")
	not sql.touches("public.orders") with input as _named("public", "Orders")
	sql.touches("public.\"a\"\"b\"") with input as _named("public", "a\"b")
	sql.touches("public.\"1st\"") with input as _named("public", "1st")
	sql.touches("public.\"\"") with input as _named("public", "")
}

test_a_dot_within_a_name_is_no_separator if {
	not sql.reads_only({"a.b.c"}) with input as _named("a.b", "c")
	not sql.reads_only({"a.b.c"}) with input as _named("a", "b.c")
	sql.reads_only({"a.\"b.c\""}) with input as _named("a", "b.c")
}

test_a_name_that_was_not_resolved_could_be_any_relation if {
	lost := _select([object.union(_orders, {"schema": null})])
	sql.touches("hr.salaries") with input as lost
	sql.touches_column("hr.salaries.pay") with input as lost
	sql.touches_schema("hr") with input as lost
}

test_code_that_is_out_of_sight_could_touch_any_relation if {
	every detail in [
		{"effects": ["procedural"]},
		{"functions": [samples.builtin("query_to_xml", "reads")]},
		{"functions": [samples.builtin("mine", "unknown")]},
	] {
		sql.touches("hr.salaries") with input as _with(detail)
	}
}

test_columns_are_touched_by_name_by_whole_rows_and_by_deletion if {
	sql.touches_column("public.orders.id") with input as _select([_orders])
	sql.touches_column("public.orders.\"id\"") with input as _select([_orders])
	not sql.touches_column("public.orders.note") with input as _select([_orders])
	not sql.touches_column("public.orders_old.id") with input as _select([_orders])
	every columns in [["*"], []] {
		whole := _select([samples.relation("public", "orders", "read", columns)])
		sql.touches_column("public.orders.note") with input as whole
		not sql.touches_column("public.orders_old.note") with input as whole
	}
}

test_schemas_are_touched if {
	sql.touches_schema("public") with input as _select([_orders])
	not sql.touches_schema("hr") with input as _select([_orders])
}

test_what_the_system_keeps_about_rows_is_told if {
	every class in ["values", "secret"] {
		sql.reads_system_values with input as _select([samples.system_relation("pg_stats", class)])
	}
	not sql.reads_system_values with input as _select([samples.system_relation("pg_class", "open"), _orders])
}

_everyone := samples.view("app", "everyone", ["name"], ["hr.Staff", "public.customers"])

test_a_relation_is_touched_by_what_shows_it_under_another_name if {
	every name in ["public.customers", "\"public\".\"customers\"", "hr.\"Staff\"", "app.everyone"] {
		sql.touches(name) with input as _select([_everyone])
	}
	not sql.touches("public.orders") with input as _select([_everyone])
	not sql.touches("public.customers_old") with input as _select([_everyone])
	sql.touches("public.customers") with input as _with({
		"effects": ["update"],
		"relations": [object.union(_everyone, {"access": "update"})],
	})
}

test_what_is_behind_a_relation_is_touched_in_every_column if {
	sql.touches_column("public.customers.ssn") with input as _select([_everyone])
	sql.touches_column("hr.\"Staff\".\"Pay\"") with input as _select([_everyone])
	not sql.touches_column("public.customers_old.ssn") with input as _select([_everyone])
	not sql.touches_column("app.everyone.ssn") with input as _select([_everyone])
}

test_the_schemas_behind_a_relation_are_touched if {
	sql.touches_schema("hr") with input as _select([_everyone])
	sql.touches_schema("public") with input as _select([_everyone])
	not sql.touches_schema("pub") with input as _select([_everyone])
}

test_to_grant_a_view_is_to_grant_what_it_shows if {
	sql.reads_only({"app.everyone"}) with input as _select([_everyone])
	sql.reads_only_in({"app"}) with input as _select([_everyone])
	sql.reads_from({"app.everyone"}) with input as _select([_everyone])
	not sql.reads_only({"public.customers"}) with input as _select([_everyone])
}

test_a_relation_of_which_it_is_not_known_what_is_behind_could_show_any if {
	every odd in [
		object.remove(_orders, ["behind"]),
		object.union(_orders, {"behind": null}),
		object.union(_orders, {"behind": [1]}),
	] {
		sql.touches("hr.salaries") with input as _select([odd])
		sql.touches_column("hr.salaries.pay") with input as _select([odd])
		sql.touches_schema("hr") with input as _select([odd])
		not sql.reads_only({"public.orders"}) with input as _select([odd])
	}
}
