package sidegate.sql_test

import data.sidegate.samples
import data.sidegate.sql

_set(setting) := samples.postgres({"effects": ["session"], "settings": [setting]})

test_transactions_cursors_and_prepared_statements_are_housekeeping if {
	every effect in ["transaction", "cursor", "prepare", "session"] {
		sql.housekeeping with input as samples.postgres({"effects": [effect]})
	}
	not sql.housekeeping with input as _select([_orders])
	sql.controls_transaction with input as samples.postgres({"effects": ["transaction"]})
	not sql.controls_transaction with input as _select([_orders])
}

test_what_drivers_set_is_housekeeping if {
	every setting in [
		samples.setting("application_name", "psql"), samples.setting("extra_float_digits", "3"),
		samples.setting("timezone", "UTC"), samples.setting("client_encoding", "UTF8"),
		object.union(samples.setting("timezone", null), {"known": false}),
		samples.setting("*", null), samples.setting("work_mem", null),
		object.union(samples.setting("work_mem", "1GB"), {"scope": "show", "value": null}),
	] {
		sql.housekeeping with input as _set(setting)
		not sql.changes_session with input as _set(setting)
	}
}

test_settings_of_weight_are_not_housekeeping if {
	every setting in [
		samples.setting("work_mem", "64GB"), samples.setting("role", "postgres"),
		samples.setting("session_replication_role", "replica"),
		object.union(samples.setting("timezone", "UTC"), {"scope": "persistent"}),
		object.union(samples.setting("*", null), {"scope": "persistent"}),
		object.union(samples.setting("", null), {"known": false}),
	] {
		not sql.housekeeping with input as _set(setting)
		sql.changes_session with input as _set(setting)
		not sql.reads with input as _with({"settings": [setting]})
	}
	not sql.changes_session with input as _select([_orders])
}

test_which_setting_changes if {
	sql.sets("timezone") with input as _set(samples.setting("timezone", "UTC"))
	sql.sets("timezone") with input as _set(samples.setting("*", null))
	sql.sets("timezone") with input as _set(object.union(samples.setting("x", null), {"known": false}))
	not sql.sets("timezone") with input as _set(samples.setting("datestyle", "ISO"))
	not sql.sets("timezone") with input as _set(object.union(samples.setting("timezone", null), {"scope": "show"}))
	not sql.sets("timezone") with input as _select([_orders])
}

test_the_transaction_and_the_phase if {
	every state in ["open", "failed"] {
		sql.in_transaction with input as _with({"transaction": state})
	}
	not sql.in_transaction with input as _with({"transaction": "idle"})
	sql.executing with input as _with({"phase": "execute"})
	not sql.executing with input as _with({"phase": "prepare"})
}

test_parameters_are_known_when_all_are if {
	known := {"type": "int4", "value": 1, "known": true}
	unknown := {"type": "int4", "value": null, "known": false}
	sql.parameters_known with input as _with({"parameters": [known, known]})
	sql.parameters_known with input as _with({"parameters": []})
	not sql.parameters_known with input as _with({"parameters": [known, unknown]})
}

test_limits_are_compared if {
	sql.limited_to(10) with input as _with({"limit": 10})
	not sql.limited_to(10) with input as _with({"limit": 11})
	not sql.limited_to(10) with input as _with({"limit": null})
}
