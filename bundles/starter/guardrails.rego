# METADATA
# title: Guardrails
# description: What no agent does here, whatever other packages allow, and what it may do instead.
# schemas:
#   - input: schema.input
#   - input.command.detail: schema.postgres
package policy.guardrails

import data.sidegate.sql

deny contains {
	"code": "schema.change",
	"message": "this changes the schema",
	"remedy": "propose it as a migration; rows may be read, and changed in the tables named by policy.writes",
} if {
	sql.changes_schema
}

deny contains {
	"code": "code.out-of-sight",
	"message": "this runs code that cannot be judged: DO, CALL, or a function that runs SQL or is not known",
	"remedy": "send the statements themselves, and use PostgreSQL's own functions",
} if {
	sql.procedural
}

deny contains {
	"code": "io.outside",
	"message": "this reaches files, programs or other servers",
	"remedy": "COPY … TO STDOUT gives the rows to the client",
} if {
	sql.unsafe_io
}

deny contains {
	"code": "roles.change",
	"message": "this changes who may do what, or acts as somebody else",
	"remedy": "work with the rights that the session has",
} if {
	sql.changes_roles
}

deny contains {
	"code": "session.setting",
	"message": "this changes a setting that other statements depend on",
	"remedy": "leave it out; time zone, date style, timeouts and application_name may be set",
} if {
	sql.changes_session
}

deny contains {
	"code": "session.channel",
	"message": "LISTEN and NOTIFY reach other sessions",
	"remedy": "poll the table instead",
} if {
	some effect in {"listen", "notify"}
	sql.does(effect)
}

deny contains {
	"code": "database.maintenance",
	"message": "VACUUM, ANALYZE, REINDEX and their like are left to the database's owner",
	"remedy": "leave it out",
} if {
	sql.does("maintenance")
}

# What does not exist cannot be judged. Whoever may not see it is told the same.
deny contains {
	"code": "names.unknown",
	"message": "this names a table or view that does not exist here",
	"remedy": "check its spelling, and write its schema before its name",
} if {
	some relation in input.command.detail.relations
	relation.schema == null
}
