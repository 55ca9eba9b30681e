# METADATA
# title: What an SSH request does
# description: |
#   Helpers over the facts of SSH requests. Two promises hold for each of them. It is true only for commands of the
#   protocol ssh, so that a rule built on it binds no other. And it is total: where a fact is missing, odd or unknown,
#   what permits (`only_runs`, `reads_under`, `forwards_to` …) is false, and what warns (`runs`, `hides_commands`,
#   `opens_shell` …) is true.
# schemas:
#   - input: schema.input
#   - input.command.detail: schema.ssh
package sidegate.ssh

import data.sidegate.directories

_ssh if input.command.protocol == "ssh"

# METADATA
# title: Is a request of one of these kinds
# description: A non-empty set of kinds listed in schemas/ssh.json. What exec and sftp requests do is not looked at.
asks_only_for(kinds) if {
	_ssh
	_kind_known
	input.command.detail.kind in kinds
}

# METADATA
# scope: document
# title: Could be a request of that kind
asks_for(kind) if {
	_ssh
	input.command.detail.kind == kind
}

asks_for(_) if {
	_ssh
	not _kind_known
}

_kind_known if input.command.detail.kind in {
	"exec", "shell", "subsystem", "sftp", "forward", "remote-forward", "environment", "agent-forward", "x11", "pty",
}

# METADATA
# title: Only does what every client does around its work
# description: |
#   Asks for a terminal, sets the language, begins SFTP (each of whose operations is judged by itself), closes files,
#   asks how paths are resolved and what the server can do.
housekeeping if _housekeeping

_housekeeping if {
	asks_only_for({"pty"})
	_plain_value(input.command.detail.environment.value)
}

_housekeeping if _environment_harmless

_housekeeping if _begins_sftp

_housekeeping if {
	asks_only_for({"sftp"})
	input.command.detail.operation in {
		"close", "realpath", "expand-path", "home-directory", "limits", "users-groups-by-id",
	}
}

_begins_sftp if {
	asks_only_for({"subsystem"})
	input.command.detail.subsystem == "sftp"
}

# METADATA
# scope: document
# title: Could give the agent a shell
# description: A shell request, and a command line that runs what it is told on standard input.
opens_shell if asks_for("shell")

opens_shell if {
	asks_for("exec")
	not _feeds_no_interpreter
}

_feeds_no_interpreter if {
	is_array(input.command.detail.commands)
	every command in input.command.detail.commands {
		command.hides in {"words", "code", "file", "escape", "remote", "depth", null}
	}
}

# METADATA
# title: Asks for a shell of that mode
# description: "`recorded` or `line-gated`: of the latter, each line is then judged as an exec request is."
shell_is(mode) if {
	asks_only_for({"shell"})
	is_string(mode)
	input.command.detail.mode == mode
}

# METADATA
# scope: document
# title: Connects to one of these destinations, from the upstream host
# description: |
#   A non-empty set of `host:port` (`[address]:port` for IPv6), or absolute paths of sockets. Names are compared as they
#   are, in lower case; what they resolve to is not policy's to know.
forwards_to(destinations) if {
	asks_only_for({"forward"})
	some destination in destinations
	lower(destination) == _destination
}

forwards_to(destinations) if {
	asks_only_for({"forward"})
	_socket in destinations
}

# METADATA
# scope: document
# title: Listens here, on the upstream host
# description: |
#   For remote forwards. A non-empty set of `host:port` (`[address]:port` for IPv6), or absolute paths of sockets. Names
#   are compared as they are, in lower case: `localhost` and `127.0.0.1` are two. `*` is every address, also where the
#   agent gave none. Port 0 is the one that the upstream host chooses, and stands for no other.
listens_on(places) if {
	asks_only_for({"remote-forward"})
	some place in places
	lower(place) == _listener
}

listens_on(places) if {
	asks_only_for({"remote-forward"})
	_socket in places
}

_socket := path if {
	input.command.detail.destination.host == null
	input.command.detail.destination.port == null
	path := input.command.detail.destination.path
	directories.canonical(path)
}

_listener := concat(":", [_bracketed(_interface), format_int(port, 10)]) if {
	input.command.detail.destination.path == null
	port := input.command.detail.destination.port
	port >= 0
}

_interface := "*" if input.command.detail.destination.host == ""

_interface := lower(host) if {
	host := input.command.detail.destination.host
	host != ""
}

_destination := concat(":", [_bracketed(lower(host)), format_int(port, 10)]) if {
	input.command.detail.destination.path == null
	host := input.command.detail.destination.host
	host != ""
	port := input.command.detail.destination.port
	port > 0
}

_bracketed(host) := concat("", ["[", host, "]"]) if {
	contains(host, ":")
} else := host

# METADATA
# title: Sets only these environment variables
# description: |
#   A non-empty set of names; one that ends in `*` stands for all that begin so. The value is free, see
#   `sets_harmless_environment` for a list with values.
sets_only(names) if {
	asks_only_for({"environment"})
	some name in names
	_named(input.command.detail.environment.name, name)
}

# METADATA
# title: Sets only what says how to write and count
# description: LANG, LC_* and TERM to plain words, GIT_PROTOCOL to a version.
sets_harmless_environment if _environment_harmless

_environment_harmless if {
	sets_only({"LANG", "LANGUAGE", "LC_*", "TERM", "COLORTERM"})
	_plain_value(input.command.detail.environment.value)
}

_environment_harmless if {
	sets_only({"GIT_PROTOCOL"})
	input.command.detail.environment.value in {"version=0", "version=1", "version=2"}
}

# No path: what a value names could be a file that somebody else wrote.
_plain_value(value) if {
	count(value) <= 64
	trim(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:@+-") == ""
}

# METADATA
# scope: document
# title: Could set that environment variable
# description: By a request, or by an assignment within a command line; see `runs("env")` for what is given to programs.
sets_environment(name) if {
	asks_for("environment")
	input.command.detail.environment.name == name
}

sets_environment(_) if {
	asks_for("environment")
	not _variable_named
}

sets_environment(_) if {
	asks_for("exec")
	not _assigns_nothing
}

# As a rule of its own: `not is_string(…)` would be undefined where there is no name.
_variable_named if is_string(input.command.detail.environment.name)

_assigns_nothing if {
	is_array(input.command.detail.reasons)
	every reason in input.command.detail.reasons {
		is_string(reason)
		not reason in {"assignment", "declaration", "shell-state", "hidden-commands", "unsupported"}
	}
}

# METADATA
# title: Logs in upstream as one of these users
# description: A non-empty set. Commands may change to another user after that, see `runs_as`.
logs_in_as(users) if {
	_ssh
	is_string(input.command.detail.user)
	input.command.detail.user in users
}

_named(name, wanted) if {
	is_string(name)
	name == wanted
}

_named(name, wanted) if {
	is_string(name)
	endswith(wanted, "*")
	startswith(name, trim_suffix(wanted, "*"))
}
