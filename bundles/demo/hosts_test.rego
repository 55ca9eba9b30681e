package policy.hosts_test

import data.policy.hosts
import data.sidegate.samples

_codes(said) := {each.code | some each in said}

test_looking_at_the_log_and_the_orders_is_allowed if {
	every commands in [
		[["ls", "-l"]], [["cat", "app.log"]], [["tail", "-n", "3", "app.log"], ["grep", "ERROR"]],
		[["cut", "-d", ",", "-f", "2", "orders.csv"], ["sort"], ["uniq", "-c"]],
	] {
		_codes(hosts.allow) == {"host.look"} with input as samples.exec(commands)
		hosts.deny == set() with input as samples.exec(commands)
	}
}

test_everything_else_is_refused_with_what_would_be_accepted if {
	every commands in [[["rm", "app.log"]], [["cat", "app.log"], ["rm", "app.log"]], [["cat", ".ssh/authorized_keys"]]] {
		_codes(hosts.deny) == {"host.command"} with input as samples.exec(commands)
		hosts.allow == set() with input as samples.exec(commands)
		every reason in hosts.deny {
			contains(reason.remedy, "cat, cut")
		} with input as samples.exec(commands)
	}
}

test_a_shell_is_one_whose_lines_are_judged if {
	lines := samples.ssh({"kind": "shell", "mode": "line-gated"})
	_codes(hosts.allow) == {"host.shell"} with input as lines
	hosts.allow == set() with input as samples.ssh({"kind": "shell", "mode": "recorded"})
}

test_files_are_not_copied if {
	_codes(hosts.deny) == {"host.files"} with input as samples.sftp("open", "/srv/x")
	hosts.deny == set() with input as samples.sftp("realpath", "/srv")
	_codes(hosts.allow) == {"host.housekeeping"} with input as samples.sftp("realpath", "/srv")
}

test_statements_are_nothing_to_it if {
	hosts.deny == set() with input as samples.postgres({"effects": ["select"]})
	hosts.allow == set() with input as samples.postgres({"effects": ["select"]})
}
