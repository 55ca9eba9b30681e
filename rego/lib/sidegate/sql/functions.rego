package sidegate.sql

# METADATA
# scope: document
# title: Could call that function
# description: "`name` or `schema.name`, as they are and not quoted. Code that is out of sight could call anything."
calls(name) if {
	some function in _functions
	function.name == name
}

calls(name) if {
	some function in _functions
	concat(".", [function.schema, function.name]) == name
}

calls(_) if _could_call_anything

# METADATA
# scope: document
# title: Could call a function of that class
# description: pure, reads, session, writes, external, waits or unknown.
calls_class(class) if {
	some function in _functions
	function.class == class
}

calls_class(_) if _could_call_anything

# METADATA
# title: Could hold the connection or a worker for as long as it likes
# description: pg_sleep, advisory locks, and code that is out of sight.
waits if calls_class("waits")

_functions contains function if {
	_postgres
	some function in input.command.detail.functions
}

_could_call_anything if _effects_unknown

_could_call_anything if "procedural" in _effects

_could_call_anything if {
	_postgres
	not _has_only_functions({"pure", "session", "writes", "waits", "external"})
}

_has_only_functions(classes) if {
	is_array(input.command.detail.functions)
	every function in input.command.detail.functions {
		is_string(function.name)
		function.class in classes
	}
}

# Nothing beyond the rows: functions that are pure or about the session alone, harmless settings (those of set_config
# too), nobody else's role.
_calm if {
	_has_only_functions({"pure", "session"})
	_settings_harmless
	input.command.detail.role == null
}
