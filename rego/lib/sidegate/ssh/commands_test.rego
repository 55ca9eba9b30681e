package sidegate.ssh_test

import data.sidegate.samples
import data.sidegate.ssh

_ls := samples.exec([["ls", "-l", "/srv"]])

# The first command of the line, with something else about it.
_first(change) := samples.ssh({"literal": true, "commands": [object.union(samples.command(["ls", "-l"]), change)]})

_sudo(user, words) := samples.ssh({"literal": true, "commands": [
	samples.command(array.concat(["sudo", "-u", user], words)),
	object.union(samples.command(words), {"nested": 1, "via": "sudo", "user": user}),
]})

test_a_line_of_known_words_is_literal if {
	ssh.is_literal with input as _ls
	ssh.is_literal with input as samples.exec([["ls"], ["wc", "-l"]])
	not ssh.hides_commands with input as _ls
}

test_a_line_is_not_literal_for_anything_odd_about_it_or_its_commands if {
	every change in [
		{"literal": false}, {"reasons": ["glob"]}, {"reasons": null}, {"commands": []}, {"commands": null},
		{"commands": ["ls"]}, {"kind": "shell"}, {"kind": null}, {"literal": "true"},
	] {
		not ssh.is_literal with input as samples.ssh(object.union(_ls.command.detail, change))
		not ssh.only_runs({"ls"}) with input as samples.ssh(object.union(_ls.command.detail, change))
	}
	every change in [
		{"literal": false}, {"hides": "words"}, {"hides": 1}, {"background": true}, {"name": null}, {"name": ""},
		{"name": "cat"}, {"argv": []}, {"argv": ["ls", null]}, {"argv": [null]}, {"argv": "ls"}, {"argv": null},
		{"name": "", "argv": [""]},
	] {
		not ssh.is_literal with input as _first(change)
		not ssh.only_runs({"ls", ""}) with input as _first(change)
	}
}

test_only_commands_that_are_named_are_run if {
	every names in [{"ls"}, ["cat", "ls"], {"ls": true}, {"ls": [["-l", "*"]], "cat": true}] {
		ssh.only_runs(names) with input as _ls
	}
	every names in [
		set(), [], {}, {"cat"}, {"/bin/ls"}, {"LS"}, {"cat": "ls"}, {"ls": false}, {"ls": []}, {"ls": null}, "ls", null,
	] {
		not ssh.only_runs(names) with input as _ls
	}
	not ssh.only_runs({"ls"}) with input as samples.exec([["ls"], ["rm", "-rf", "/"]])
	not ssh.only_runs({"ls"}) with input as samples.exec([["/tmp/ls"]])
}

test_what_another_user_would_run_is_not_only_run if {
	not ssh.only_runs({"sudo", "ls"}) with input as _sudo("root", ["ls"])
	not ssh.only_runs({"ls"}) with input as _first({"user": "root"})
	not ssh.only_runs({"ls"}) with input as _first({"user": 1})
}

test_a_command_may_be_run_as_a_named_user if {
	restart := _sudo("deploy", ["systemctl", "restart", "web"])
	ssh.only_runs_as("deploy", {"systemctl": [["restart", "*"]]}) with input as restart
	not ssh.only_runs_as("deploy", {"systemctl": [["status", "*"]]}) with input as restart
	not ssh.only_runs_as("root", {"systemctl"}) with input as restart
	not ssh.only_runs_as("*", {"ls"}) with input as samples.exec([["ls"]])
	not ssh.only_runs_as(null, {"ls"}) with input as samples.exec([["ls"]])
}

test_sudo_by_itself_is_not_a_command_of_that_user if {
	alone := samples.ssh({"literal": true, "commands": [samples.command(["sudo", "-e", "/etc/passwd"])]})
	not ssh.only_runs_as("deploy", {"sudo", "ls"}) with input as alone
	beside := samples.ssh({"literal": true, "commands": array.concat(
		alone.command.detail.commands,
		_sudo("deploy", ["ls"]).command.detail.commands,
	)})
	not ssh.only_runs_as("deploy", {"ls"}) with input as beside
	twice := samples.ssh({"literal": true, "commands": array.concat(
		_sudo("deploy", ["ls"]).command.detail.commands,
		_sudo("root", ["ls"]).command.detail.commands,
	)})
	not ssh.only_runs_as("deploy", {"ls"}) with input as twice
}

_at(directory, words) := samples.ssh({"literal": true, "commands": [
	samples.command(["cd", directory]), samples.command(["exit"]),
	object.union(samples.command(words), {"directory": directory}),
]})

_listed := {"cd": {"flags": "", "paths": {"/srv"}, "least": 1}, "cat": {"flags": "n", "paths": {"/srv/a"}}}

test_relative_paths_are_known_where_the_line_says_where_it_runs if {
	every words in [["cat", "x"], ["cat", "-n", "x/y"], ["cat", "/srv/a/x"], ["cat", "."], ["cat", "x/"], ["cat"]] {
		ssh.only_runs(_listed) with input as _at("/srv/a", words)
	}
	ssh.only_runs(_listed) with input as _at("/srv", ["cat", "a/x"])
	ssh.only_runs({"cd": true, "cat": {"flags": "", "paths": {"/etc"}}}) with input as _at("/", ["cat", "etc/x"])
	every words in [["cat", "../x"], ["cat", "x/../../y"], ["cat", ""], ["cat", ".."], ["cat", "x//y"], ["cat", "./x"]] {
		not ssh.only_runs(_listed) with input as _at("/srv/a", words)
	}
	not ssh.only_runs(_listed) with input as _at("/srv", ["cat", "x"])
	not ssh.only_runs(_listed) with input as _at("/srv/ab", ["cat", "x"])
	not ssh.only_runs(_listed) with input as _at("/etc", ["cat", "/srv/a/x"])
	not ssh.only_runs(_listed) with input as samples.exec([["cat", "x"]])
	not ssh.only_runs({"cat": true}) with input as _at("/srv", ["cat", "a/x"])
}

test_exit_by_itself_runs_nothing if {
	ssh.only_runs({"ls"}) with input as samples.exec([["ls"], ["exit"]])
	not ssh.only_runs({"ls"}) with input as samples.exec([["ls"], ["exit", "1"]])
}

test_another_user_may_be_changed_to_where_the_agent_is if {
	going := [samples.command(["cd", "/srv"]), samples.command(["exit"])]
	ls := _sudo("deploy", ["ls"]).command.detail.commands
	there := samples.ssh({"literal": true, "commands": array.concat(going, ls)})
	ssh.only_runs_as("deploy", {"cd": [["/srv"]], "ls": true}) with input as there
	not ssh.only_runs_as("deploy", {"cd": [["/etc"]], "ls": true}) with input as there
	not ssh.only_runs_as("deploy", {"ls"}) with input as there
	not ssh.only_runs_as("deploy", {"ls", "cat"}) with input as samples.exec([["cat"]])
}

_export(words, change) := samples.ssh({"reasons": ["declaration", "hidden-commands"], "commands": [
	object.union(samples.command(array.concat(["export"], words)), change),
	samples.command(["make", "test"]),
]})

test_variables_may_be_exported_by_name if {
	every words in [["MODE=x"], ["MODE=x=y", "LEVEL="]] {
		ssh.only_runs_with({"MODE", "LEVEL"}, {"make": [["test"]]}) with input as _export(words, {"hides": "escape"})
		ssh.only_runs_with({"MODE", "LEVEL"}, {"make": [["test"]]}) with input as _export(words, {})
	}
	ssh.only_runs_with({"MODE"}, {"ls"}) with input as _ls
	every words in [["PATH=/tmp"], ["MODE=x", "PATH=/tmp"], ["MODE"], ["MODE+=x"], ["-n", "MODE=x"], [], [null]] {
		not ssh.only_runs_with({"MODE"}, {"make"}) with input as _export(words, {"hides": "escape"})
	}
	every change in [
		{"hides": "words"}, {"literal": false}, {"background": true}, {"nested": 1}, {"user": "root"}, {"name": "declare"},
	] {
		not ssh.only_runs_with({"MODE"}, {"make"}) with input as _export(["MODE=x"], change)
	}
	not ssh.only_runs_with({"MODE"}, {"ls"}) with input as _export(["MODE=x"], {})
	not ssh.only_runs_with(set(), {"make"}) with input as _export(["MODE=x"], {})
	not ssh.only_runs_with({"MODE"}, {"make"}) with input as samples.ssh({"reasons": [], "commands": []})
	not ssh.only_runs_with({"MODE"}, {"make"}) with input as samples.ssh({
		"reasons": ["glob"],
		"commands": [samples.command(["make"])],
	})
	not ssh.only_runs_with({"MODE"}, {"ls"}) with input as _first({"hides": "escape"})
}

# sudo, and what follows it in the list.
_pair(first, second) := samples.ssh({"literal": true, "commands": [
	object.union(samples.command(["sudo", "ls"]), first),
	object.union_n([samples.command(["ls"]), {"nested": 1, "via": "sudo", "user": "deploy"}, second]),
]})

test_what_sudo_runs_must_follow_it_and_be_of_that_user if {
	ssh.only_runs_as("deploy", {"ls"}) with input as _pair({}, {})
	every pair in [
		[{"user": "root"}, {}], [{"name": "env", "argv": ["env"]}, {"via": "env"}], [{}, {"via": "su"}], [{}, {"via": null}],
		[{}, {"nested": 0}], [{}, {"nested": 2}], [{"nested": 1}, {}], [{}, {"user": null}], [{}, {"user": "root"}],
	] {
		not ssh.only_runs_as("deploy", {"ls"}) with input as _pair(pair[0], pair[1])
	}
	sudo_only := [{"hides": null}, {"nested": 0, "via": null, "user": null}]
	not ssh.only_runs_as("deploy", {"ls"}) with input as _pair(sudo_only[0], sudo_only[1])
}

test_collections_of_another_form_are_odd if {
	every change in [{"commands": {}}, {"reasons": {}}, {"commands": "ls"}] {
		ssh.hides_commands with input as _replaced(_ls, change)
		not ssh.is_literal with input as _replaced(_ls, change)
	}
	ssh.redirects_to_file with input as _replaced(_ls, {"redirects": {}})
	ssh.opens_shell with input as _replaced(_ls, {"commands": {}})
	ssh.sets_environment("PATH") with input as _replaced(_ls, {"reasons": {}})
	ssh.runs_as("root") with input as _replaced(_ls, {"user": {}})
	ssh.hides_commands with input as _first({"name": ""})
}

# object.union would merge objects.
_replaced(request, change) := _odd_ssh(object.union(
	object.remove(request.command.detail, object.keys(change)),
	change,
))

test_commands_are_seen_by_name_whatever_the_directory if {
	every name in ["rm", "/bin/rm", "/usr/bin/rm"] {
		ssh.runs("rm") with input as samples.exec([["ls"], [name, "x"]])
		ssh.runs(name) with input as samples.exec([["rm", "x"]])
	}
	not ssh.runs("rm") with input as _ls
	nested := samples.ssh({"commands": [samples.command(["rm"])], "reasons": ["glob"]})
	ssh.runs("rm") with input as nested
	not ssh.runs("ls") with input as nested
}

test_what_hides_commands_could_run_any if {
	every hides in ["words", "code", "file", "input", "escape", "remote", "depth", "odd", 1] {
		ssh.hides_commands with input as _first({"hides": hides})
		ssh.runs("rm") with input as _first({"hides": hides})
		ssh.runs_as("root") with input as _first({"hides": hides})
		ssh.changes_user with input as _first({"hides": hides})
	}
	every reason in [
		"assignment", "declaration", "function", "shell-state", "hidden-commands", "depth", "unsupported", "odd",
	] {
		ssh.hides_commands with input as samples.ssh({"commands": [samples.command(["ls"])], "reasons": [reason]})
	}
	ssh.hides_commands with input as _first({"name": null})
	ssh.hides_commands with input as samples.ssh({"commands": []})
	ssh.hides_commands with input as samples.ssh({"kind": "shell", "mode": "recorded"})
	ssh.hides_commands with input as samples.ssh({"kind": "subsystem", "subsystem": "netconf"})
}

test_words_that_are_expanded_hide_no_command if {
	every reason in ["parameter", "glob", "tilde", "redirect", "compound", "background", "test"] {
		expanded := samples.ssh({
			"commands": [object.union(samples.command(["rm", "x"]), {
				"literal": false,
				"argv": ["rm", null],
			})],
			"reasons": [reason],
		})
		not ssh.hides_commands with input as expanded
		ssh.runs("rm") with input as expanded
		not ssh.runs("ls") with input as expanded
	}
}

test_what_runs_no_command_line_hides_none if {
	every detail in [
		{"kind": "sftp", "operation": "read"}, {"kind": "forward"}, {"kind": "pty"}, {"kind": "environment"},
		{"kind": "x11"}, {"kind": "shell", "mode": "line-gated"}, {"kind": "subsystem", "subsystem": "sftp"},
	] {
		not ssh.hides_commands with input as samples.ssh(detail)
		not ssh.runs("rm") with input as samples.ssh(detail)
		not ssh.changes_user with input as samples.ssh(detail)
		not ssh.runs_as("root") with input as samples.ssh(detail)
		ssh.runs_as("agent") with input as samples.ssh(detail)
	}
}

test_acting_as_another_user_is_seen if {
	ssh.runs_as("root") with input as _sudo("root", ["ls"])
	ssh.runs_as("root") with input as _sudo("*", ["ls"])
	not ssh.runs_as("root") with input as _sudo("deploy", ["ls"])
	ssh.runs_as("root") with input as _first({"user": 1})
	ssh.runs_as("root") with input as samples.ssh(object.union(_ls.command.detail, {"user": "root"}))
	ssh.runs_as("agent") with input as _ls
	ssh.changes_user with input as _sudo("deploy", ["ls"])
	not ssh.changes_user with input as _ls
	not ssh.runs_as("root") with input as _ls
}

test_redirections_to_files_are_seen if {
	every redirect in [
		{"operation": ">", "access": "write", "target": "/tmp/x", "descriptor": 1},
		{"operation": ">", "access": "write", "target": null, "descriptor": 1},
		{"operation": "<>", "access": "read-write", "target": "/dev/null", "descriptor": 0},
		{"operation": ">", "access": "write", "target": "/dev/null/../sda", "descriptor": 1},
		{"operation": ">"}, {}, null,
	] {
		ssh.redirects_to_file with input as samples.ssh({"redirects": [redirect]})
	}
	ssh.redirects_to_file with input as samples.ssh({"redirects": null})
	every redirect in [
		{"operation": ">", "access": "write", "target": "/dev/null", "descriptor": 2},
		{"operation": ">&", "access": "descriptor", "target": "1", "descriptor": 2},
		{"operation": "<", "access": "read", "target": "x", "descriptor": 0},
		{"operation": "<<", "access": "text", "target": null, "descriptor": 0},
	] {
		not ssh.redirects_to_file with input as samples.ssh({"redirects": [redirect]})
	}
	not ssh.redirects_to_file with input as samples.sftp("read", "/a")
}
