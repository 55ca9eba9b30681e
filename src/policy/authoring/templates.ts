/** Policies to begin with, and their tests, by the protocol that they are about. */

interface Template {
  readonly rules: (name: string) => string
  readonly tests: (name: string) => string
}

export type TemplateName = 'postgres' | 'ssh' | 'kubernetes'

const postgresRules = (name: string) => `# METADATA
# title: What agents may do
# schemas:
#   - input: schema.input
#   - input.command.detail: schema.postgres
package policy.${name}

import data.sidegate.sql

# Relations that agents may read.
_readable := {"public.orders", "public.products"}

allow contains {"code": "${name}.read"} if sql.reads_only(_readable)

allow contains {"code": "${name}.housekeeping"} if sql.housekeeping

deny contains {
	"code": "${name}.unbounded-write",
	"message": "this changes every row of a table",
	"remedy": "add a WHERE clause",
} if {
	sql.unbounded_write
}

limit contains {"rows": 10000}
`

const postgresTests = (name: string) => `package policy.${name}_test

import data.policy.${name}
import data.sidegate.samples

_reading(table) := samples.postgres({
	"effects": ["select"],
	"relations": [samples.relation("public", table, "read", ["*"])],
})

test_orders_may_be_read if {
	${name}.allow == {{"code": "${name}.read"}} with input as _reading("orders")
}

test_salaries_may_not_be_read if {
	${name}.allow == set() with input as _reading("salaries")
}

test_every_row_at_once_may_not_be_changed if {
	count(${name}.deny) == 1 with input as samples.postgres({"effects": ["delete"]})
}
`

const sshRules = (name: string) => `# METADATA
# title: What agents may run on hosts
# schemas:
#   - input: schema.input
#   - input.command.detail: schema.ssh
package policy.${name}

import data.sidegate.ssh

# Files that agents may read: by commands, as their paths are written, and by sftp and scp, where they lead.
_readable := {"/srv"}

# Commands that agents may run, and what they may be given.
_commands := {"uptime": [[]], "ls": {"flags": "l", "paths": _readable}}

allow contains {"code": "${name}.look"} if ssh.only_runs(_commands)

allow contains {"code": "${name}.read"} if ssh.reads_under(_readable)

allow contains {"code": "${name}.housekeeping"} if ssh.housekeeping

deny contains {
	"code": "${name}.shell",
	"message": "a shell runs what nobody has judged",
	"remedy": "send one command at a time: ssh host 'ls -l /srv'",
} if {
	ssh.opens_shell
	not ssh.shell_is("line-gated")
}
`

const sshTests = (name: string) => `package policy.${name}_test

import data.policy.${name}
import data.sidegate.samples

test_the_host_may_be_looked_at if {
	${name}.allow == {{"code": "${name}.look"}} with input as samples.exec([["ls", "-l", "/srv"]])
}

test_files_may_be_read if {
	${name}.allow == {{"code": "${name}.read"}} with input as samples.sftp_open("/srv/a", ["read"])
	${name}.allow == set() with input as samples.sftp_open("/etc/passwd", ["read"])
}

test_files_may_not_be_removed if {
	${name}.allow == set() with input as samples.exec([["rm", "/srv/a"]])
	${name}.allow == set() with input as samples.sftp("remove", "/srv/a")
}

test_a_shell_may_not_be_opened if {
	count(${name}.deny) == 1 with input as samples.ssh({"kind": "shell", "mode": "recorded"})
}
`

const kubernetesRules = (name: string) => `# METADATA
# title: What agents may do in a cluster
# schemas:
#   - input: schema.input
#   - input.command.detail: schema.kubernetes
package policy.${name}

import data.sidegate.kubernetes

# Namespaces that agents may look into.
_namespaces := {"default"}

allow contains {"code": "${name}.read"} if kubernetes.reads_only_in(_namespaces)

allow contains {"code": "${name}.housekeeping"} if kubernetes.housekeeping

deny contains {
	"code": "${name}.rights",
	"message": "this changes who may do what",
	"remedy": "work with the rights that there are",
} if {
	kubernetes.escalates
}

mask contains {"path": "data.*", "with": "redact"} if kubernetes.reads_secrets
`

const kubernetesTests = (name: string) => `package policy.${name}_test

import data.policy.${name}
import data.sidegate.samples

test_pods_may_be_read if {
	${name}.allow == {{"code": "${name}.read"}} with input as samples.object_request("list", "pods", "")
}

test_secrets_may_not_be_read if {
	${name}.allow == set() with input as samples.object_request("get", "secrets", "db")
	count(${name}.mask) == 1 with input as samples.object_request("get", "secrets", "db")
}

test_rights_may_not_be_changed if {
	binding := samples.object_request("create", "rolebindings.rbac.authorization.k8s.io", "x")
	count(${name}.deny) == 1 with input as binding
}
`

export const TEMPLATES: Readonly<Record<TemplateName, Template>> = {
  postgres: { rules: postgresRules, tests: postgresTests },
  ssh: { rules: sshRules, tests: sshTests },
  kubernetes: { rules: kubernetesRules, tests: kubernetesTests },
}
