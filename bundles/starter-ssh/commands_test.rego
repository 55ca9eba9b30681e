package policy.commands_test

import data.policy.commands
import data.policy.connections
import data.sidegate.samples

_codes(said) := {each.code | some each in said}

_not_literal(words, reasons) := samples.ssh({"reasons": reasons, "commands": [samples.command(words)]})

test_commands_that_only_look_may_be_run if {
	every words in [
		["uptime"], ["df", "-h"], ["ls", "-la", "/srv/app"], ["cat", "/srv/app/config.yml"],
		["tail", "-n100", "/var/log/syslog"],
		["tail", "-n", "100", "/var/log/syslog"], ["grep", "-rn", "error", "/var/log"], ["grep", "error"],
		["echo", "a b", "c"],
		["du", "-sh", "/srv/app"], ["systemctl", "--no-pager", "status", "nginx"], ["ps", "aux"], ["wc", "-l"], ["date"],
	] {
		_codes(commands.allow) == {"commands.look"} with input as samples.exec([words])
		commands.deny == set() with input as samples.exec([words])
	}
	_codes(commands.allow) == {"commands.look"} with input as samples.exec([["ps", "aux"], ["grep", "x"], ["wc", "-l"]])
}

_in_directory(directory, words) := samples.ssh({"literal": true, "commands": [
	samples.command(["cd", directory]), samples.command(["exit"]),
	object.union(samples.command(words), {"directory": directory}),
]})

test_lines_of_a_line_gated_shell_run_where_the_agent_is if {
	_codes(commands.allow) == {"commands.look"} with input as samples.exec([["cd", "/srv/app"], ["pwd", "-P"]])
	_codes(commands.allow) == {"commands.look"} with input as _in_directory("/var/log", ["tail", "-n5", "nginx/error.log"])
	_codes(commands.allow) == {"commands.look"} with input as _in_directory("/var/log", ["ls"])
	every request in [
		_in_directory("/root", ["ls"]), _in_directory("/srv", ["cat", "../etc/shadow"]), _in_directory("/srv", ["rm", "x"]),
		samples.exec([["cd", "/root"], ["pwd", "-P"]]), samples.exec([["cd", "srv"], ["pwd", "-P"]]), samples.exec([["cd"]]),
		samples.exec([["cd", "/srv"], ["exit"], ["cat", "app/x"]]),
	] {
		_codes(commands.deny) == {"commands.unlisted"} with input as request
		commands.allow == set() with input as request
	}
}

test_other_commands_and_other_words_of_these_are_refused if {
	every words in [
		["rm", "-rf", "/srv"], ["cat", "/etc/shadow"], ["cat", "/srv/../etc/shadow"], ["cat", ".ssh/id_ed25519"],
		["tail", "--pid=1", "/var/log/a"], ["grep", "-f", "/etc/shadow", "x"], ["grep", "-r", "password"],
		["ls", "-R", "/root"],
		["sort", "-o", "/srv/x", "/srv/y"], ["hostname", "other"], ["date", "-s", "now"], ["systemctl", "restart", "nginx"],
		["systemctl", "status", "nginx"], ["uniq", "/srv/a", "/srv/b"], ["/tmp/ls"], ["find", "/srv"], ["ps", "e"],
	] {
		_codes(commands.deny) == {"commands.unlisted"} with input as samples.exec([words])
		commands.allow == set() with input as samples.exec([words])
	}
	_codes(commands.deny) == {"commands.unlisted"} with input as samples.exec([["ls"], ["rm", "x"]])
}

test_words_that_the_shell_expands_are_refused if {
	every reason in ["glob", "parameter", "tilde", "redirect", "compound", "background"] {
		_codes(commands.deny) == {"commands.expanded"} with input as _not_literal(["ls", "-l"], [reason])
		commands.allow == set() with input as _not_literal(["ls", "-l"], [reason])
	}
}

_hiding(words, hides, reasons) := samples.ssh({
	"reasons": array.concat(["hidden-commands"], reasons),
	"commands": [object.union(samples.command(words), {"hides": hides})],
})

test_commands_out_of_sight_are_refused_as_just_that if {
	every hides in ["words", "code", "file", "escape", "remote", "depth", "odd"] {
		every reasons in [[], ["glob"], ["shell-state"]] {
			hiding := _hiding(["python3", "x.py"], hides, reasons)
			_codes(commands.deny) & {"commands.expanded", "commands.unlisted", "commands.user"} == set() with input as hiding
			commands.allow == set() with input as hiding
		}
		_codes(commands.deny) | _codes(connections.deny) != set() with input as _hiding(["python3"], hides, [])
	}
	_codes(commands.deny) == {"commands.hidden"} with input as _hiding(["bash", "x.sh"], "file", [])
}

test_what_reads_commands_is_refused_as_a_shell_and_nothing_else if {
	reading := _hiding(["bash"], "input", [])
	commands.deny == set() with input as reading
	_codes(connections.deny) == {"shell.open"} with input as reading
	commands.allow == set() with input as reading
}

test_what_only_changes_the_shell_is_refused_as_more_than_words if {
	every reason in ["function", "assignment", "declaration", "shell-state"] {
		_codes(commands.deny) == {"commands.expanded"} with input as _not_literal(["ls"], [reason])
	}
}

test_variables_that_change_what_is_run_are_refused_as_assignments if {
	every reason in ["assignment", "declaration"] {
		_codes(commands.deny) == {"commands.expanded"} with input as _hiding(["export", "PATH=/tmp"], "escape", [reason])
	}
}

test_other_users_are_refused_as_just_that if {
	inner := object.union(samples.command(["cat", "/srv/a"]), {"nested": 1, "via": "sudo", "user": "root"})
	every by_sudo in [
		samples.ssh({"literal": true, "commands": [samples.command(["sudo", "cat", "/srv/a"]), inner]}),
		samples.ssh({"reasons": ["glob"], "commands": [samples.command(["sudo", "cat", "/srv/a"]), inner]}),
	] {
		_codes(commands.deny) == {"commands.user"} with input as by_sudo
		commands.allow == set() with input as by_sudo
	}
	unknown := samples.ssh({"literal": true, "commands": [object.remove(samples.command(["ls"]), ["user"])]})
	_codes(commands.deny) == {"commands.user"} with input as unknown
}

test_nothing_else_is_a_matter_of_commands if {
	every request in [
		samples.sftp("stat", "/etc"), samples.ssh({"kind": "shell", "mode": "recorded"}), samples.postgres({}), {},
		samples.forward("db", 5432), samples.transfer("scp", "upload", ["/etc/x"]),
	] {
		commands.deny == set() with input as request
		commands.allow == set() with input as request
	}
}

test_every_refusal_teaches if {
	every reason in commands.deny {
		reason.message != ""
		reason.remedy != ""
	} with input as samples.exec([["rm"]])
	some reason in commands.deny with input as samples.exec([["rm"]])
	contains(reason.remedy, "cat, cd, cut, date")
	contains(reason.remedy, "/srv and /var/log")
}
