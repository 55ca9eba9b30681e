package sidegate.sql

# METADATA
# title: Only looks after the session
# description: |
#   Transactions, cursors, prepared statements, SHOW, and settings that drivers and tools send on their own and that
#   change only how values are written or how long things may take.
housekeeping if {
	count(_effects) > 0
	count(_effects - _housekeeping) == 0
	_only_reading
	_calm
}

# METADATA
# title: Changes a setting of weight
# description: Any setting but the harmless ones of `housekeeping`; those that outlast the session always.
changes_session if {
	_postgres
	not _settings_harmless
}

# METADATA
# scope: document
# title: Could change that setting
# description: In lower case. RESET ALL changes every setting.
sets(name) if {
	some setting in input.command.detail.settings
	setting.scope != "show"
	setting.name in {name, "*"}
	_postgres
}

sets(_) if {
	_postgres
	not _settings_known
}

# METADATA
# title: Begins, ends or subdivides a transaction
controls_transaction if does("transaction")

# METADATA
# title: Runs within an open transaction block
in_transaction if {
	_postgres
	not input.command.detail.transaction == "idle"
}

# METADATA
# title: Is about to run
# description: A statement is judged when it is prepared, and again with its parameters each time that it runs.
executing if {
	_postgres
	input.command.detail.phase == "execute"
}

# METADATA
# title: Every parameter has a known value
parameters_known if {
	_postgres
	is_array(input.command.detail.parameters)
	every parameter in input.command.detail.parameters {
		parameter.known == true
	}
}

# METADATA
# title: Returns at most so many rows
# description: The outermost LIMIT is a constant no greater than that.
limited_to(rows) if {
	_postgres
	is_number(input.command.detail.limit)
	input.command.detail.limit <= rows
}

# What drivers and tools set: how values are written, how queries are planned, how long things may take. Names, roles
# and the reading of text are pinned by Sidegate, which refuses their change whatever policy says; saying again what is
# pinned is common among drivers, and harmless.
_harmless_settings := {
	"application_name",
	"array_nulls",
	"bytea_output",
	"client_encoding",
	"client_min_messages",
	"datestyle",
	"default_text_search_config",
	"default_transaction_deferrable",
	"default_transaction_isolation",
	"default_transaction_read_only",
	"extra_float_digits",
	"geqo",
	"idle_in_transaction_session_timeout",
	"idle_session_timeout",
	"intervalstyle",
	"jit",
	"lc_monetary",
	"lc_numeric",
	"lc_time",
	"lock_timeout",
	"plan_cache_mode",
	"quote_all_identifiers",
	"row_security",
	"search_path",
	"standard_conforming_strings",
	"statement_timeout",
	"synchronize_seqscans",
	"timezone",
	"timezone_abbreviations",
	"transaction_deferrable",
	"transaction_isolation",
	"transaction_read_only",
	"transaction_timeout",
	"xmlbinary",
	"xmloption",
}

_settings_known if {
	is_array(input.command.detail.settings)
	every setting in input.command.detail.settings {
		is_string(setting.name)
		setting.known == true
		setting.scope in {"show", "transaction", "session", "persistent"}
	}
}

# The value may be computed (a time zone from a parameter); the name may not, it is then not in the list.
_settings_harmless if {
	is_array(input.command.detail.settings)
	every setting in input.command.detail.settings {
		_is_harmless(setting)
	}
}

_is_harmless(setting) if setting.scope == "show"

_is_harmless(setting) if {
	setting.scope in {"transaction", "session"}
	setting.name in _harmless_settings
}

# RESET goes back to what the session was started with, which Sidegate chose.
_is_harmless(setting) if {
	setting.scope in {"transaction", "session"}
	setting.known == true
	setting.value == null
}
