# METADATA
# title: What a SQL statement does
# description: |
#   Helpers over the facts of PostgreSQL statements. Two promises hold for each of them. It is true only for commands
#   of the protocol postgres, so that a rule built on it binds no other. And it is total: where a fact is missing, odd
#   or unknown, what permits (`reads`, `writes_only` …) is false, and what warns (`writes`, `touches` …) is true.
# schemas:
#   - input: schema.input
#   - input.command.detail: schema.postgres
package sidegate.sql

_postgres if input.command.protocol == "postgres"

_effects contains effect if {
	_postgres
	some effect in input.command.detail.effects
}

# The statement's code is in sight: no DO block, no CALL, nothing that the parser has no rule for.
_transparent if {
	count(_effects) > 0
	count(_effects & {"unknown", "procedural", "unsafe-io"}) == 0
	_has_only_functions({"pure", "session", "writes", "waits"})
}

_opaque if {
	_postgres
	not _transparent
}

# What a session does around its statements, and what every driver and tool needs.
_housekeeping := {"cursor", "prepare", "session", "transaction"}

# COPY FROM STDIN inserts.
_changes := {"insert", "update", "delete", "copy-in"}

# METADATA
# scope: document
# title: Has that effect
# description: One of the effects listed in schemas/postgres.json, anywhere in the statement, or one that is unknown.
does(effect) if effect in _effects

does(_) if _effects_unknown

# Said to be false, and not left undefined: what is undefined is evaluated anew by everybody who asks.
default _effects_unknown := false

_effects_unknown if "unknown" in _effects

_effects_unknown if {
	_postgres
	count(_effects) == 0
}

# METADATA
# title: Only reads
# description: |
#   Reads rows and does nothing else: no lock, no side effect of a function, no setting of weight, no relation that
#   keeps credentials or other sessions' data.
reads if {
	"select" in _effects
	count((_effects - {"select"}) - _housekeeping) == 0
	_only_reading
	_calm
}

# METADATA
# title: Only copies rows out, to the client
# description: COPY … TO STDOUT of what `reads` would allow. To files and programs it is `unsafe_io`.
copies_out if {
	"copy-out" in _effects
	count((_effects - {"copy-out", "select"}) - _housekeeping) == 0
	_only_reading
	_calm
}

# METADATA
# title: Only reads these relations
# description: A non-empty set of `schema.name`, quoted as in SQL where needed. Open relations of the system are free.
reads_only(relations) if {
	reads
	count(relations) > 0
	every relation in input.command.detail.relations {
		_is_open_or_in(relation, relations)
	}
}

# METADATA
# title: Only reads relations of these schemas
# description: A non-empty set of names, as they are and not quoted. Open relations of the system are free.
reads_only_in(schemas) if {
	reads
	count(schemas) > 0
	every relation in input.command.detail.relations {
		_is_open_or_in_schemas(relation, schemas)
	}
}

# METADATA
# title: Could change data or the database
# description: Everything but what is known to leave them as they are.
writes if {
	_postgres
	not _known_not_to_write
}

_known_not_to_write if {
	count(_effects) > 0
	count(_effects - ({"select", "copy-out", "lock", "listen"} | _housekeeping)) == 0
	_only_accessed({"read", "lock"})
	_has_only_functions({"pure", "session", "waits"})
	_settings_known
	every setting in input.command.detail.settings {
		setting.scope in {"show", "transaction", "session"}
	}
}

# METADATA
# title: Only inserts, updates and deletes, in these relations
# description: |
#   A non-empty set of `schema.name`. COPY FROM STDIN inserts. Relations that it reads are not limited, but for those of
#   the system that keep credentials or other sessions' data; say `reads_from` beside it to limit them. See also
#   `unbounded_write`.
writes_only(relations) if {
	count(_effects & _changes) > 0
	count(((_effects - {"select"}) - _changes) - _housekeeping) == 0
	count(relations) > 0
	_only_accessed({"read", "insert", "update", "delete"})
	every relation in input.command.detail.relations {
		_is_read_or_in(relation, relations)
	}
	_calm
}

# METADATA
# title: Whatever it reads is one of these relations
# description: A non-empty set of `schema.name`. True for a statement that reads no relation; use beside `writes_only`.
reads_from(relations) if {
	count(_effects) > 0
	not _opaque
	count(relations) > 0
	_everything_known
	every relation in input.command.detail.relations {
		_is_not_read_or_in(relation, relations)
	}
}

# METADATA
# scope: document
# title: Writes without a bound
# description: UPDATE, DELETE or MERGE that is not known to have a WHERE clause that can be false; TRUNCATE.
unbounded_write if {
	count(_effects & {"update", "delete", "merge", "truncate"}) > 0
	not _bounded
}

unbounded_write if _effects_unknown

_bounded if {
	not "truncate" in _effects
	input.command.detail.where == true
}

# METADATA
# title: Could change the schema
# description: CREATE, ALTER, DROP, COMMENT, SELECT INTO; code out of sight could too, see `runs_code`.
changes_schema if does("ddl")

# METADATA
# scope: document
# title: Could change who may do what, or act as somebody else
# description: GRANT, REVOKE, CREATE ROLE, ALTER DEFAULT PRIVILEGES; SET ROLE, SET SESSION AUTHORIZATION.
changes_roles if does("grant")

changes_roles if does("role")

changes_roles if {
	_postgres
	not input.command.detail.role == null
}

# METADATA
# scope: document
# title: Runs code that is out of sight
# description: DO, CALL, the body of a function; a function nobody has classified, or one that runs SQL from a string.
procedural if does("procedural")

procedural if {
	_postgres
	not _has_only_functions({"pure", "session", "writes", "waits", "external"})
}

# METADATA
# scope: document
# title: Could reach files, programs or other servers
unsafe_io if does("unsafe-io")

unsafe_io if {
	_postgres
	not _has_only_functions({"pure", "reads", "session", "writes", "waits"})
}

# METADATA
# scope: document
# title: Anything in it is unknown
# description: An effect, a relation, a function, a setting or a bound parameter.
uses_unknown if _effects_unknown

uses_unknown if {
	_postgres
	not _everything_known
}

_everything_known if {
	_has_only_functions({"pure", "reads", "session", "writes", "waits", "external"})
	_relations_known
	_settings_known
}
