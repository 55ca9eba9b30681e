# METADATA
# title: Writes
# description: An agent may change rows of the tables that it works on, never all rows at once.
# schemas:
#   - input: schema.input
#   - input.command.detail: schema.postgres
package policy.writes

import data.sidegate.sql

# The tables that agents may write to: change this to yours.
_writable := {"public.orders", "public.order_items"}

allow contains {"code": "writes.rows"} if sql.writes_only(_writable)

deny contains {
	"code": "writes.unbounded",
	"message": "this would change every row of a table, or cannot be shown not to",
	"remedy": "name the rows in a WHERE clause; TRUNCATE and MERGE are not available",
} if {
	sql.unbounded_write
}

deny contains {
	"code": "writes.function",
	"message": "this calls a function that changes something: a sequence, a large object, the server",
	"remedy": "leave it out; a column takes the next number of its sequence by itself when it is not given",
} if {
	some function in input.command.detail.functions
	function.class == "writes"
}

deny contains {
	"code": "writes.table",
	"message": concat("", ["this changes tables other than ", concat(" and ", sort(_writable))]),
	"remedy": "read what you need from them, and ask their owner for the change",
} if {
	_changes_rows
	not sql.writes_only(_writable)
}

_changes_rows if {
	some effect in {"insert", "update", "delete", "copy-in"}
	sql.does(effect)
}
