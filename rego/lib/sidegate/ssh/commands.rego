package sidegate.ssh

import data.sidegate.arguments

# METADATA
# title: Runs exactly the words that are in the facts
# description: |
#   A command line in which no word is expanded, nothing is assigned or redirected to a file, and no command hides
#   another. What is executed is then Sidegate's own quoting of these words.
is_literal if {
	asks_only_for({"exec"})
	input.command.detail.literal == true
	input.command.detail.reasons == []
	count(input.command.detail.commands) > 0
	every command in input.command.detail.commands {
		_plain(command)
	}
}

# METADATA
# title: Only runs these commands, as the login's own user
# description: |
#   True for literal lines alone, every command of which is here: those that others run, and `sudo`, `env`, `sh`,
#   `xargs` and their like that run others, too. Commands that outlive the line are never among them. Names are compared
#   as they are: `ls` is not `/bin/ls`. Either a non-empty set of names, or an object with what each name may be given:
#
#       {"uptime": true, "git": [["status"], ["fetch", "*"]], "tail": {"flags": "fn", "paths": ["/var/log"]}}
#
#   `true` is anything. A list of words is exactly these, where `*` is one word and `**`, last, is any number of words,
#   of which none begins with `-`. An object lists what may be among the words, and nothing else may:
#   `flags`: options of one letter, which may stand together and have a number behind them; `words`: these words as they
#   are; `numbers`: words of digits; `paths`: paths at or under these, as they are written (links are not followed),
#   absolute, or relative to the command's `directory` (see schemas/ssh.json); `texts`: how many words, the first that
#   are no options, may be anything; `least`: how many paths there
#   must be. A list may hold several of both, any of which will do.
#
#   In a line-gated shell each line begins with `cd /where/it/is || exit;` once the agent has gone somewhere: name `cd`,
#   with the directories that it may lead to, and `pwd -P`, which confirms it. `exit` by itself need not be named.
only_runs(commands) if {
	is_literal
	every command in input.command.detail.commands {
		command.user == null
		_permitted(command, commands)
	}
}

_permitted(command, commands) if arguments.permitted(command, commands)

# It ends the shell that the line has to itself, and runs nothing.
_permitted(command, _) if command.argv == ["exit"]

# METADATA
# title: Only runs these commands, as that user
# description: As `only_runs`, by way of sudo, su, doas or runuser, which need not be listed.
only_runs_as(user, commands) if {
	is_literal
	is_string(user)
	every index, command in input.command.detail.commands {
		_permitted_as(user, command, _following(index), commands)
	}
}

_permitted_as(user, command, _, commands) if {
	command.user == user
	_permitted(command, commands)
}

# That what changes the user runs a command at all is seen by what follows it.
_permitted_as(user, command, next, _) if {
	command.user == null
	command.name in {"sudo", "su", "doas", "runuser"}
	next.via == command.name
	next.nested == command.nested + 1
	next.user == user
}

# Where the line goes first, as the login's own user.
_permitted_as(_, command, _, commands) if {
	command.user == null
	command.nested == 0
	command.name in {"cd", "exit"}
	_permitted(command, commands)
}

_following(index) := command if {
	command := input.command.detail.commands[index + 1]
} else := {}

# METADATA
# title: Only runs these commands, with these variables exported
# description: |
#   As `only_runs`, with `export` of variables of these names beside it, whatever their values: in a line-gated shell
#   they stand in front of each line. A non-empty set of names; many variables say what programs run.
only_runs_with(variables, commands) if {
	asks_only_for({"exec"})
	is_array(input.command.detail.reasons)
	every reason in input.command.detail.reasons {
		reason in {"declaration", "hidden-commands"}
	}
	count(input.command.detail.commands) > 0
	every command in input.command.detail.commands {
		command.user == null
		_runs_or_exports(command, variables, commands)
	}
}

_runs_or_exports(command, _, commands) if {
	_plain(command)
	_permitted(command, commands)
}

# That it may hide commands is then only for the names of the variables.
_runs_or_exports(command, variables, _) if {
	command.literal == true
	command.background == false
	command.nested == 0
	command.name == "export"
	command.hides in {null, "escape"}
	command.argv[0] == "export"
	assignments := array.slice(command.argv, 1, count(command.argv))
	count(assignments) > 0
	every assignment in assignments {
		is_string(assignment)
		some variable in variables
		startswith(assignment, concat("", [variable, "="]))
	}
}

# METADATA
# scope: document
# title: Could run that command
# description: By its name alone, whatever the directory. A line that hides commands could run any.
runs(name) if {
	asks_for("exec")
	some command in input.command.detail.commands
	_base(command.name) == _base(name)
}

runs(_) if hides_commands

# METADATA
# title: Could run commands that are not in the facts
# description: |
#   Words that are expanded to a command, code and scripts, an interpreter that reads standard input, programs that can
#   be made to run others, another host; and a shell that is not line-gated, and subsystems other than SFTP.
hides_commands if {
	_ssh
	not _runs_no_commands
	not _in_sight
}

_runs_no_commands if asks_only_for({"sftp", "forward", "remote-forward", "environment", "agent-forward", "x11", "pty"})

_runs_no_commands if _begins_sftp

_runs_no_commands if shell_is("line-gated")

_in_sight if {
	asks_only_for({"exec"})
	count(input.command.detail.commands) > 0
	every command in input.command.detail.commands {
		is_string(command.name)
		command.name != ""
		command.hides == null
	}
	is_array(input.command.detail.reasons)
	every reason in input.command.detail.reasons {
		reason in _without_hiding
	}
}

# What keeps a line from being literal and yet leaves every command that it runs in the list, under its own name.
_without_hiding := {
	"parameter", "command-substitution", "process-substitution", "arithmetic", "glob", "brace", "tilde",
	"locale-quoting", "redirect", "here-document", "compound", "coprocess", "test", "negation", "time", "background",
	"unportable",
}

# METADATA
# scope: document
# title: Could act as that user
# description: The login is that user's, or a command changes to it.
runs_as(user) if {
	_ssh
	not _known_not_to_be(user)
}

_known_not_to_be(user) if {
	is_string(input.command.detail.user)
	input.command.detail.user != user
	not hides_commands
	every command in input.command.detail.commands {
		_as_another(command, user)
	}
}

_as_another(command, _) if command.user == null

_as_another(command, user) if {
	is_string(command.user)
	not command.user in {user, "*"}
}

# METADATA
# title: Could act as another user than the one that logs in
changes_user if {
	_ssh
	not _keeps_user
}

_keeps_user if {
	not hides_commands
	every command in input.command.detail.commands {
		command.user == null
	}
}

# METADATA
# title: Could write a file by a redirection
# description: Into /dev/null nothing is written.
redirects_to_file if {
	asks_for("exec")
	not _redirects_harmless
}

_redirects_harmless if {
	is_array(input.command.detail.redirects)
	every redirect in input.command.detail.redirects {
		_writes_no_file(redirect)
	}
}

_writes_no_file(redirect) if redirect.access in {"read", "descriptor", "text"}

_writes_no_file(redirect) if {
	redirect.access == "write"
	redirect.target == "/dev/null"
}

# Nothing but its words, which are all known.
_plain(command) if {
	command.literal == true
	command.hides == null
	command.background == false
	command.name != ""
	command.argv[0] == command.name
	every word in command.argv {
		is_string(word)
	}
}

# The last component.
_base(name) := parts[count(parts) - 1] if parts := split(name, "/")
