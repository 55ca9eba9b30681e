# METADATA
# title: Reads
# description: An agent may read whatever its role may read, and do what drivers and tools do around that.
# schemas:
#   - input: schema.input
#   - input.command.detail: schema.postgres
package policy.reads

import data.sidegate.sql

allow contains {"code": "reads.rows"} if sql.reads

allow contains {"code": "reads.copy"} if sql.copies_out

allow contains {"code": "reads.housekeeping"} if sql.housekeeping

deny contains {
	"code": "reads.system-values",
	"message": "this reads what the database keeps about rows, credentials or other sessions",
	"remedy": "query the tables themselves; pg_class, pg_attribute and information_schema may be read",
} if {
	sql.reads_system_values
}

deny contains {
	"code": "reads.lock",
	"message": "this locks what others may need",
	"remedy": "leave out LOCK TABLE and FOR UPDATE or FOR SHARE",
} if {
	sql.does("lock")
}

deny contains {
	"code": "reads.wait",
	"message": "this can hold a connection for as long as it likes",
	"remedy": "leave out pg_sleep and advisory locks; wait in the program instead",
} if {
	sql.waits
}
