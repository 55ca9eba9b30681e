# METADATA
# title: Inputs for tests
# description: |
#   A policy input has every key. `input as samples.postgres({"effects": ["select"]})` says what a test is about, and
#   leaves the rest to what is most ordinary.
package sidegate.samples

# METADATA
# title: A PostgreSQL statement with these facts
postgres(detail) := object.union(_input, {"command": {
	"protocol": "postgres",
	"action": _action(detail),
	"text": "",
	"detail": object.union(_statement, detail),
}})

# METADATA
# title: A relation of the user's, as `detail.relations` has it
relation(schema, name, access, columns) := {
	"schema": schema,
	"name": name,
	"access": access,
	"columns": columns,
	"system": null,
	"kind": "table",
	"behind": [],
}

# METADATA
# title: A view of the user's over these relations
# description: "`behind` as `detail.relations` has it: sorted `schema.name`, not quoted."
view(schema, name, columns, behind) := object.union(
	relation(schema, name, "read", columns),
	{"kind": "view", "behind": behind},
)

# METADATA
# title: A relation of the system's
system_relation(name, class) := {
	"schema": "pg_catalog",
	"name": name,
	"access": "read",
	"columns": ["*"],
	"system": class,
	"kind": "table",
	"behind": [],
}

# METADATA
# title: A builtin function of that class
builtin(name, class) := {"schema": "pg_catalog", "name": name, "class": class}

# METADATA
# title: A setting that is changed for the session
setting(name, value) := {"name": name, "value": value, "scope": "session", "known": true}

_action(detail) := action if {
	action := detail.effects[0]
} else := "empty"

_statement := {
	"effects": [],
	"relations": [],
	"functions": [],
	"where": null,
	"limit": null,
	"parameters": [],
	"settings": [],
	"role": null,
	"transaction": "idle",
	"phase": "execute",
	"statement": {"index": 1, "of": 1},
	"readsOnly": true,
}

_input := {
	"version": 1,
	"principal": {"subject": "agent", "issuer": "", "groups": [], "claims": {}, "chain": []},
	"workload": {"namespace": "", "pod": "", "serviceAccount": "", "labels": {}},
	"target": {"name": "orders-db", "protocol": "postgres", "host": "localhost", "port": 5432, "labels": {}},
	"session": {"id": "s", "sequence": 1, "usage": {"commands": 1, "rows": 0, "bytes": 0, "denied": 0}},
	"approval": null,
}
