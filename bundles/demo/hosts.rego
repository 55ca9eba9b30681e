# METADATA
# title: The demo's host
# description: |
#   What the demo's agent may do on the demo's host, beside what bundles/starter says of its database. For hosts of your
#   own begin with bundles/starter-ssh.
# schemas:
#   - input: schema.input
#   - input.command.detail: schema.ssh
package policy.hosts

import data.sidegate.ssh

_commands := {
	"cat": [["app.log"], ["orders.csv"]],
	"cut": [["-d", "*", "-f", "*", "orders.csv"]],
	"grep": [["*"], ["*", "app.log"], ["-c", "*", "app.log"]],
	"head": [["-n", "*"], ["-n", "*", "app.log"], ["-n", "*", "orders.csv"]],
	"ls": [[], ["-l"]],
	"pwd": [[], ["-P"]],
	"sort": [[], ["-r"]],
	"tail": [["-n", "*"], ["-n", "*", "app.log"]],
	"uniq": [["-c"]],
	"wc": [["-l"]],
}

allow contains {"code": "host.look"} if ssh.only_runs(_commands)

allow contains {"code": "host.shell"} if ssh.shell_is("line-gated")

allow contains {"code": "host.housekeeping"} if ssh.housekeeping

deny contains {
	"code": "host.command",
	"message": "this runs more than looking at the log and the orders",
	"remedy": concat("", ["one of ", concat(", ", sort(object.keys(_commands))), ", on app.log or orders.csv"]),
} if {
	ssh.asks_for("exec")
	not ssh.only_runs(_commands)
}

deny contains {
	"code": "host.files",
	"message": "files of this host are not copied",
	"remedy": "read app.log or orders.csv with cat",
} if {
	ssh.asks_for("sftp")
	not ssh.housekeeping
}
