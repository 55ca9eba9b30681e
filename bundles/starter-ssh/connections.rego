# METADATA
# title: Connections to hosts
# description: What no agent opens on a host, whatever other packages allow, and what it may do instead.
# schemas:
#   - input: schema.input
#   - input.command.detail: schema.ssh
package policy.connections

import data.sidegate.ssh

# Where a target is configured to give one: each of its lines is judged as a command is.
allow contains {"code": "shell.lines"} if ssh.shell_is("line-gated")

deny contains {
	"code": "shell.open",
	"message": "a shell runs what nobody has judged",
	"remedy": "send one command at a time: ssh host 'ls -l /srv'",
} if {
	ssh.opens_shell
	not ssh.shell_is("line-gated")
}

deny contains {
	"code": "forward.open",
	"message": "a forward goes around the policies of what it leads to",
	"remedy": "ask for a target of its own for what you want to reach",
} if {
	some kind in {"forward", "remote-forward"}
	ssh.asks_for(kind)
}

deny contains {
	"code": "agent.forward",
	"message": "the host would reach keys or a display on the agent's side",
	"remedy": "leave out ForwardAgent and ForwardX11",
} if {
	some kind in {"agent-forward", "x11"}
	ssh.asks_for(kind)
}

deny contains {
	"code": "subsystem.unknown",
	"message": "this subsystem cannot be judged",
	"remedy": "use sftp, or commands",
} if {
	ssh.asks_for("subsystem")
	not ssh.housekeeping
}

deny contains {
	"code": "environment.set",
	"message": "this variable could change what commands do",
	"remedy": "leave it out; LANG, LC_*, TERM and GIT_PROTOCOL may be sent",
} if {
	ssh.asks_for("environment")
	not ssh.sets_harmless_environment
}
