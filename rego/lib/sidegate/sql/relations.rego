package sidegate.sql

# METADATA
# scope: document
# title: Could read or change that relation
# description: |
#   `schema.name`, quoted as in SQL where needed. A relation is also touched by whatever shows, reads or writes its rows
#   under another name: views and materialized views over it, rules, its children and its parents. Code that is out of
#   sight could touch anything, and so could a name that was not resolved. `reads_only`, `reads_from`, `writes_only` and
#   their like judge the named relation alone: to grant a view is to grant what it shows.
touches(name) if {
	some relation in _relations
	name in _spellings(relation)
}

touches(name) if _unquoted(name) in _behind

touches(_) if _could_touch_anything

# METADATA
# scope: document
# title: Could read or change that column
# description: |
#   `schema.name.column`, quoted as in SQL where needed. Whole rows and deleted rows touch every column, and so does
#   whatever shows, reads or writes the relation under another name.
touches_column(name) if {
	some relation in _relations
	some spelling in _spellings(relation)
	some column in _columns(relation)
	some spelled in _spelled(column)
	name == concat(".", [spelling, spelled])
}

touches_column(name) if {
	some relation in _relations
	some whole in {"*", null}
	whole in _columns(relation)
	some spelling in _spellings(relation)
	startswith(name, concat("", [spelling, "."]))
}

touches_column(name) if {
	some other in _behind
	startswith(_unquoted(name), concat("", [other, "."]))
}

touches_column(_) if _could_touch_anything

# METADATA
# scope: document
# title: Could read or change a relation of that schema
# description: Its name as it is and not quoted. Relations of other schemas that show its rows count.
touches_schema(schema) if {
	some relation in _relations
	relation.schema == schema
}

touches_schema(schema) if {
	some other in _behind
	startswith(other, _unquoted(concat("", [schema, "."])))
}

touches_schema(_) if _could_touch_anything

# METADATA
# title: Reads what the system keeps about rows or other sessions
# description: Statistics, other sessions' statements, credentials, files.
reads_system_values if {
	_postgres
	not _system_open
}

_system_open if {
	is_array(input.command.detail.relations)
	every relation in input.command.detail.relations {
		relation.system in {null, "open"}
	}
}

_relations contains relation if {
	_postgres
	some relation in input.command.detail.relations
}

# Quotes are left out on both sides: names that only they tell apart all count.
_behind contains _unquoted(other) if {
	some relation in _relations
	some other in relation.behind
}

_unquoted(name) := replace(name, "\"", "")

_could_touch_anything if _opaque

_could_touch_anything if {
	_postgres
	not _relations_known
}

# Every relation has a resolved name and all its facts.
_relations_known if {
	is_array(input.command.detail.relations)
	every relation in input.command.detail.relations {
		is_string(relation.schema)
		is_string(relation.name)
		is_array(relation.columns)
		_behind_known(relation)
		relation.access != "unknown"
		relation.kind != "unknown"
		relation.system in {null, "open", "values", "secret"}
	}
}

_behind_known(relation) if {
	is_array(relation.behind)
	every other in relation.behind {
		is_string(other)
	}
}

_only_accessed(ways) if {
	_relations_known
	every relation in input.command.detail.relations {
		relation.access in ways
	}
}

_only_reading if {
	_only_accessed({"read"})
	_system_open
}

_is_open_or_in(relation, _) if relation.system == "open"

_is_open_or_in(relation, names) if {
	some name in names
	name in _spellings(relation)
}

_is_open_or_in_schemas(relation, _) if relation.system == "open"

_is_open_or_in_schemas(relation, schemas) if {
	some schema in schemas
	relation.schema == schema
}

_is_read_or_in(relation, _) if relation.access == "read"

_is_read_or_in(relation, names) if _is_in(relation, names)

_is_not_read_or_in(relation, _) if relation.access != "read"

_is_not_read_or_in(relation, names) if _is_open_or_in(relation, names)

_is_in(relation, names) if {
	some name in names
	name in _spellings(relation)
}

# What a DELETE names no column of, it touches whole.
_columns(relation) := {column | some column in relation.columns} if {
	count(relation.columns) > 0
} else := {null}

# Every way to write the relation's name: quotes may always be there, and may be left out of plain lower-case words.
_spellings(relation) := {spelling |
	some schema in _spelled(relation.schema)
	some name in _spelled(relation.name)
	spelling := concat(".", [schema, name])
}

_spelled(word) := {concat("", ["\"", replace(word, "\"", "\"\""), "\""]), word} if {
	_plain(word)
} else := {concat("", ["\"", replace(word, "\"", "\"\""), "\""])}

_plain(word) if {
	word != ""
	trim(word, "abcdefghijklmnopqrstuvwxyz0123456789_$") == ""
	trim_left(substring(word, 0, 1), "0123456789$") != ""
}
