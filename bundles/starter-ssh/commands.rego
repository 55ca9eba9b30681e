# METADATA
# title: Commands on hosts
# description: |
#   An agent may run commands that only look, written out word by word, on no files but those of policy.files. This
#   bundle stands by itself, since decisions on PostgreSQL take longer beside it; for both, put the files of both in one
#   folder.
# schemas:
#   - input: schema.input
#   - input.command.detail: schema.ssh
package policy.commands

import data.policy.files
import data.sidegate.ssh

# What agents may run, and what they may give it: change this to yours. No program here writes, runs another, or takes
# a pager where there is a terminal.
_commands := {
	"cat": {"flags": "AbEensTtuv", "paths": files.readable},
	"cd": {"flags": "", "paths": files.readable, "least": 1},
	"cut": {"flags": "bcf", "paths": files.readable},
	"date": [[], ["-u"], ["-Is"]],
	"df": {"flags": "hHiklT", "paths": files.readable},
	"du": {"flags": "achdksx", "paths": files.readable, "least": 1},
	"echo": [["**"]],
	"free": {"flags": "bghkm"},
	"grep": [
		{"flags": "ABCEFHLchilmnoqsvwx", "texts": 1, "paths": files.readable},
		{"flags": "ABCEFHLchilmnoqrsvwx", "texts": 1, "paths": files.readable, "least": 1},
	],
	"head": {"flags": "cnqv", "numbers": true, "paths": files.readable},
	"hostname": [[]],
	"id": [[]],
	"journalctl": [["--no-pager", "-u", "*"], ["--no-pager", "-u", "*", "-n", "*"]],
	"ls": {"flags": "1ACFSUacdghiklnoprstux", "paths": files.readable},
	"nproc": [[]],
	"ps": [[], ["aux"], ["-ef"]],
	"pwd": [[], ["-P"]],
	"sha256sum": {"flags": "b", "paths": files.readable},
	"sort": {"flags": "Vbdfghinrsu", "paths": files.readable},
	"stat": {"flags": "Lft", "paths": files.readable},
	"systemctl": [["--no-pager", "status", "*"], ["is-active", "*"], ["is-enabled", "*"]],
	"tail": {"flags": "Fcfnqv", "numbers": true, "paths": files.readable},
	"true": true,
	"uname": {"flags": "amnoprsv"},
	"uniq": {"flags": "cdiu"},
	"uptime": [[], ["-p"], ["-s"]],
	"wc": {"flags": "Lclmw", "paths": files.readable},
	"whoami": [[]],
}

allow contains {"code": "commands.look"} if ssh.only_runs(_commands)

# An agent is told one reason, so each of these leaves a line to the one that says best what is in its way; of what
# reads commands, `shell.open` does. Together they deny all that is not literal.
deny contains {
	"code": "commands.hidden",
	"message": "this line runs commands that cannot be seen in it: code, a script, what another host or a pager runs",
	"remedy": concat("", [
		"send the commands themselves, without interpreters, ssh, editors and programs that run others; ",
		"on a terminal, git and systemctl need --no-pager as their first word",
	]),
} if {
	_out_of_sight
	not ssh.opens_shell
}

deny contains {
	"code": "commands.expanded",
	"message": "this line is more than commands and their words: it expands, assigns, redirects, loops or defines",
	"remedy": "write every word out, and put quotes around text; |, ; && and || may join commands, and 2>&1 output",
} if {
	ssh.asks_for("exec")
	not ssh.is_literal
	not _out_of_sight
	not _as_another_user
}

deny contains {
	"code": "commands.user",
	"message": "this acts as another user than the one that is logged in",
	"remedy": "leave out sudo, su and their like",
} if {
	_changes_user
}

deny contains {
	"code": "commands.unlisted",
	"message": "a command of this line, or what it is given, is not among those that may be run",
	"remedy": concat("", [
		"these may be run: ", concat(", ", sort([name | some name, _ in _commands])),
		"; on paths under ", concat(" and ", sort(files.readable)), ", with short options such as -n5",
	]),
} if {
	ssh.is_literal
	not _changes_user
	not ssh.only_runs(_commands)
	not files.copies
}

# A variable that could change what is run is an assignment first.
_out_of_sight if {
	ssh.asks_for("exec")
	not _assigns
	some command in input.command.detail.commands
	command.hides != null
}

_assigns if {
	some reason in input.command.detail.reasons
	reason in {"assignment", "declaration"}
}

_as_another_user if {
	ssh.asks_for("exec")
	some command in input.command.detail.commands
	command.user != null
}

_changes_user if _as_another_user

_changes_user if {
	ssh.is_literal
	ssh.changes_user
}
