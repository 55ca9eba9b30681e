# METADATA
# title: Streams to containers
# description: An agent may run commands in containers that only look. It gets no shell and no way around the gate.
# schemas:
#   - input: schema.input
#   - input.command.detail: schema.kubernetes
package policy.streams

import data.policy.objects
import data.sidegate.kubernetes

# Files that agents may look at: change these to yours. Service account tokens and Secrets are mounted elsewhere.
_readable := {"/app", "/srv", "/var/log"}

# No program here writes, runs another, or shows the environment, in which there may be Secrets.
_commands := {
	"cat": {"flags": "AbEensTtuv", "paths": _readable, "least": 1},
	"date": [[], ["-u"]],
	"df": {"flags": "hHiklT", "paths": _readable},
	"du": {"flags": "achdksx", "paths": _readable, "least": 1},
	"grep": {"flags": "ABCEFHLchilmnoqsvwx", "texts": 1, "paths": _readable, "least": 1},
	"head": {"flags": "cnqv", "numbers": true, "paths": _readable, "least": 1},
	"hostname": [[]],
	"id": [[]],
	"ls": {"flags": "1ACFSUacdghiklnoprstux", "paths": _readable, "least": 1},
	"nproc": [[]],
	"ps": [[], ["aux"], ["-ef"]],
	"tail": {"flags": "Fcfnqv", "numbers": true, "paths": _readable, "least": 1},
	"true": [[]],
	"uname": {"flags": "amnoprsv"},
	"uptime": [[]],
	"wc": {"flags": "Lclmw", "paths": _readable, "least": 1},
	"whoami": [[]],
}

allow contains {"code": "streams.look"} if _looks

deny contains {
	"code": "streams.shell",
	"message": "this gives a shell, or attaches to what runs, where nobody sees what is done",
	"remedy": "send one command at a time, without sh -c: kubectl exec web -- ls -l /srv",
} if {
	kubernetes.opens_shell
}

deny contains {
	"code": "streams.unlisted",
	"message": "this command, what it is given or where it runs is not among what is allowed, or it is fed by the agent",
	"remedy": concat("", [
		"without -i, these may be run: ", concat(", ", sort([name | some name, _ in _commands])),
		"; on paths under ", concat(" and ", sort(_readable)),
	]),
} if {
	kubernetes.touches("pods/exec")
	not kubernetes.opens_shell
	not _looks
}

deny contains {
	"code": "streams.forward",
	"message": "a forward or a proxy goes around the policies of what it leads to",
	"remedy": "ask for a target of its own for what you want to reach",
} if {
	_leads_elsewhere
}

deny contains {
	"code": "streams.unknown",
	"message": "this takes over the connection in a way that cannot be judged",
	"remedy": "read the object without an upgrade of the connection",
} if {
	kubernetes.connects
	not kubernetes.touches("pods/exec")
	not kubernetes.attaches
	not _leads_elsewhere
}

_looks if {
	kubernetes.in_namespaces(objects.namespaces)
	kubernetes.exec_only(_commands)
}

_leads_elsewhere if kubernetes.forwards_ports

_leads_elsewhere if kubernetes.proxies
