package policy.connections_test

import data.policy.connections
import data.sidegate.samples

_codes(said) := {each.code | some each in said}

test_what_no_agent_opens_is_refused_with_its_own_code if {
	every kind, code in {
		"shell": "shell.open", "forward": "forward.open", "remote-forward": "forward.open", "agent-forward": "agent.forward",
		"x11": "agent.forward", "subsystem": "subsystem.unknown", "environment": "environment.set",
	} {
		_codes(connections.deny) == {code} with input as samples.ssh({"kind": kind})
	}
	every name in ["LD_PRELOAD", "BASH_ENV", "PATH", "GIT_SSH_COMMAND"] {
		_codes(connections.deny) == {"environment.set"} with input as samples.environment(name, "x")
	}
}

test_a_shell_is_opened_where_each_of_its_lines_is_judged if {
	lines := samples.ssh({"kind": "shell", "mode": "line-gated"})
	_codes(connections.allow) == {"shell.lines"} with input as lines
	connections.deny == set() with input as lines
	every detail in [
		{"kind": "shell", "mode": "recorded"}, {"kind": "shell"}, {"kind": "tun", "mode": "line-gated"},
		{"mode": "line-gated", "commands": [object.union(samples.command(["bash"]), {"hides": "input"})]},
	] {
		_codes(connections.deny) & {"shell.open"} != set() with input as samples.ssh(detail)
		connections.allow == set() with input as samples.ssh(detail)
	}
}

test_an_interpreter_that_reads_is_a_shell if {
	reading := samples.ssh({"commands": [object.union(samples.command(["bash"]), {"hides": "input"})]})
	_codes(connections.deny) == {"shell.open"} with input as reading
}

test_commands_files_and_harmless_variables_are_none_of_these if {
	every request in [
		samples.exec([["ls"]]), samples.sftp("stat", "/etc"), samples.ssh({"kind": "subsystem", "subsystem": "sftp"}),
		samples.environment("LC_ALL", "C"), samples.ssh({"kind": "pty"}), samples.postgres({"effects": ["unknown"]}), {},
	] {
		connections.deny == set() with input as request
	}
}

test_every_refusal_teaches if {
	every kind in ["shell", "forward", "x11", "subsystem", "environment"] {
		every reason in connections.deny {
			reason.message != ""
			reason.remedy != ""
		} with input as samples.ssh({"kind": kind})
	}
}
