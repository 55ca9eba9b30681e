package sidegate.ssh_test

import data.sidegate.samples
import data.sidegate.ssh

_kinds := {
	"exec", "shell", "subsystem", "sftp", "forward", "remote-forward", "environment", "agent-forward", "x11", "pty",
}

test_the_kind_is_what_is_asked_for if {
	every kind in _kinds {
		ssh.asks_for(kind) with input as samples.ssh({"kind": kind})
		ssh.asks_only_for({kind}) with input as samples.ssh({"kind": kind})
		every other in _kinds - {kind} {
			not ssh.asks_for(other) with input as samples.ssh({"kind": kind})
			not ssh.asks_only_for({other}) with input as samples.ssh({"kind": kind})
		}
	}
	not ssh.asks_only_for(set()) with input as samples.ssh({"kind": "pty"})
	not ssh.asks_only_for({"tun", null}) with input as samples.ssh({"kind": "tun"})
	ssh.asks_for("shell") with input as samples.ssh({"kind": "tun"})
	ssh.asks_for("shell") with input as samples.ssh({"kind": null})
}

test_what_clients_do_around_their_work_is_housekeeping if {
	every operation in ["close", "realpath", "expand-path", "home-directory", "limits", "users-groups-by-id"] {
		ssh.housekeeping with input as samples.sftp(operation, null)
	}
	ssh.housekeeping with input as samples.ssh({"kind": "subsystem", "subsystem": "sftp"})
	ssh.housekeeping with input as samples.ssh({"kind": "pty", "environment": {"name": "TERM", "value": "xterm-256color"}})
	ssh.housekeeping with input as samples.environment("LC_ALL", "C.UTF-8")
	every detail in [
		{"kind": "subsystem", "subsystem": "netconf"}, {"kind": "pty"}, {"kind": "shell", "mode": "line-gated"},
		{"kind": "pty", "environment": {"name": "TERM", "value": "../x"}}, {"kind": "agent-forward"}, {"kind": "x11"},
		{"kind": "exec"}, {"kind": "sftp", "operation": "stat"}, {"kind": "sftp", "operation": "extended"},
		{"kind": "sftp"}, {"kind": "forward"}, {"kind": "remote-forward"}, {"kind": "exec", "operation": "close"},
		{"kind": "exec", "subsystem": "sftp"}, {"kind": "exec", "environment": {"name": "TERM", "value": "x"}},
	] {
		not ssh.housekeeping with input as samples.ssh(detail)
	}
}

test_shells_are_seen if {
	every mode in ["recorded", "line-gated"] {
		ssh.opens_shell with input as samples.ssh({"kind": "shell", "mode": mode})
		ssh.shell_is(mode) with input as samples.ssh({"kind": "shell", "mode": mode})
	}
	not ssh.shell_is("line-gated") with input as samples.ssh({"kind": "shell", "mode": "recorded"})
	not ssh.shell_is("line-gated") with input as samples.ssh({"kind": "exec", "mode": "line-gated"})
	not ssh.shell_is(null) with input as samples.ssh({"kind": "shell", "mode": null})
	ssh.opens_shell with input as _first({"hides": "input"})
	not ssh.opens_shell with input as _first({"hides": "words"})
	not ssh.opens_shell with input as _ls
	ssh.opens_shell with input as samples.ssh({"commands": null})
	ssh.opens_shell with input as _first({"hides": "odd"})
}

test_forwards_are_compared_by_host_and_port if {
	ssh.forwards_to({"db.internal:5432"}) with input as samples.forward("db.internal", 5432)
	ssh.forwards_to(["a:1", "DB.internal:5432"]) with input as samples.forward("db.internal", 5432)
	ssh.forwards_to({"[::1]:80"}) with input as samples.forward("::1", 80)
	every pair in [
		["db.internal", 5433], ["xdb.internal", 5432], ["db.internal.", 5432], ["", 5432], [null, 5432],
		["db.internal", null], ["db.internal", "5432"], ["db.internal:5432", 1], ["db.internal", 0],
	] {
		not ssh.forwards_to({"db.internal:5432", ":5432", "db.internal:0"}) with input as samples.forward(pair[0], pair[1])
	}
	not ssh.forwards_to(set()) with input as samples.forward("db.internal", 5432)
	not ssh.forwards_to({"db.internal:5432"}) with input as object.union(
		samples.forward("db.internal", 5432),
		{"command": {"detail": {"kind": "remote-forward"}}},
	)
}

test_forwards_to_sockets_are_compared_by_path if {
	socket := samples.ssh({"kind": "forward", "destination": {"host": null, "port": null, "path": "/run/app.sock"}})
	ssh.forwards_to({"/run/app.sock"}) with input as socket
	not ssh.forwards_to({"/run/other.sock", "run/app.sock"}) with input as socket
	every path in ["/run/../run/app.sock", "run/app.sock", "", null] {
		odd := samples.ssh({"kind": "forward", "destination": {"host": null, "port": null, "path": path}})
		not ssh.forwards_to({path}) with input as odd
	}
	both := samples.ssh({"kind": "forward", "destination": {"host": "a", "port": 1, "path": "/run/app.sock"}})
	not ssh.forwards_to({"/run/app.sock", "a:1"}) with input as both
	not ssh.forwards_to({"/run/app.sock"}) with input as samples.ssh({"kind": "forward"})
	every odd in [{"host": "a"}, {"port": 1}] {
		mixed := object.union(socket, {"command": {"detail": {"destination": odd}}})
		not ssh.forwards_to({"/run/app.sock"}) with input as mixed
	}
	remote := object.union(socket, {"command": {"detail": {"kind": "remote-forward"}}})
	not ssh.forwards_to({"/run/app.sock"}) with input as remote
}

_listener(destination) := samples.ssh({
	"kind": "remote-forward",
	"destination": object.union({"host": null, "port": null, "path": null}, destination),
})

test_listeners_are_compared_as_the_agent_gave_them if {
	ssh.listens_on({"localhost:8080"}) with input as _listener({"host": "localhost", "port": 8080})
	ssh.listens_on(["a:1", "[::1]:0"]) with input as _listener({"host": "::1", "port": 0})
	ssh.listens_on({"*:8080"}) with input as _listener({"host": "", "port": 8080})
	ssh.listens_on({"*:8080"}) with input as _listener({"host": "*", "port": 8080})
	ssh.listens_on({"/run/app.sock"}) with input as _listener({"path": "/run/app.sock"})
	every pair in [
		["localhost", 8081], ["localhost", 0], ["127.0.0.1", 8080], ["", 8080], ["*", 8080], [null, 8080],
		["localhost", null], ["localhost", "8080"], ["localhost:8080", 1],
	] {
		not ssh.listens_on({"localhost:8080", ":8080"}) with input as _listener({"host": pair[0], "port": pair[1]})
	}
	not ssh.listens_on(set()) with input as _listener({"host": "localhost", "port": 8080})
	not ssh.listens_on({"/run/../run/app.sock"}) with input as _listener({"path": "/run/../run/app.sock"})
	not ssh.listens_on({"/run/app.sock", "a:1"}) with input as _listener({"host": "a", "port": 1, "path": "/run/app.sock"})
	not ssh.listens_on({"localhost:8080"}) with input as samples.forward("localhost", 8080)
	not ssh.listens_on({null}) with input as samples.ssh({"kind": "remote-forward"})
}

test_environment_variables_are_named if {
	ssh.sets_only({"LANG"}) with input as samples.environment("LANG", "x")
	ssh.sets_only({"LC_*"}) with input as samples.environment("LC_ALL", "x")
	not ssh.sets_only({"LC_*"}) with input as samples.environment("LD_PRELOAD", "x")
	not ssh.sets_only({"LC"}) with input as samples.environment("LC_ALL", "x")
	not ssh.sets_only(set()) with input as samples.environment("LANG", "x")
	not ssh.sets_only({"*"}) with input as samples.environment(null, "x")
	not ssh.sets_only({"*"}) with input as samples.ssh({"kind": "environment"})
	ssh.sets_environment("LANG") with input as samples.environment("LANG", "x")
	not ssh.sets_environment("PATH") with input as samples.environment("LANG", "x")
	ssh.sets_environment("PATH") with input as samples.environment(null, "x")
	not ssh.sets_environment("PATH") with input as _ls
	ssh.sets_environment("PATH") with input as samples.ssh({"kind": "environment"})
	terminal := samples.ssh({"kind": "pty", "environment": {"name": "TERM", "value": "x"}})
	not ssh.sets_environment("TERM") with input as terminal
	not ssh.sets_environment("LANG") with input as samples.ssh({"kind": "sftp", "operation": "limits"})
	every reason in ["assignment", "declaration", "hidden-commands", 1] {
		ssh.sets_environment("PATH") with input as samples.ssh({"reasons": [reason]})
	}
	ssh.sets_environment("PATH") with input as samples.ssh({"reasons": null})
	not ssh.sets_environment("PATH") with input as samples.ssh({"reasons": ["glob"]})
}

test_only_plain_values_are_harmless if {
	every pair in [["LANG", "de_DE.UTF-8@euro"], ["LC_TIME", "C"], ["TERM", ""], ["GIT_PROTOCOL", "version=2"]] {
		ssh.sets_harmless_environment with input as samples.environment(pair[0], pair[1])
	}
	every pair in [
		["LANG", "../../x"], ["LANG", "a b"], ["LANG", "$(id)"], ["LANG", 1], ["LANG", null], ["PATH", "x"], ["LC_ALL", "\n"],
		["XY", "version=2"], ["GIT_PROTOCOL", "version=3"], ["GIT_PROTOCOL", "C"], ["BASH_ENV", "x"],
		["LD_PRELOAD", "x"], ["ENV", "x"],
		["LANG", _long],
	] {
		not ssh.sets_harmless_environment with input as samples.environment(pair[0], pair[1])
	}
}

_long := concat("", ["a" | some _ in numbers.range(1, 65)])

test_users_are_compared if {
	ssh.logs_in_as({"agent"}) with input as _ls
	not ssh.logs_in_as({"root"}) with input as _ls
	not ssh.logs_in_as(set()) with input as _ls
	not ssh.logs_in_as({null}) with input as samples.ssh({"user": null})
}

# What a detail may look like when something is wrong with the facts.
_odd := [{}, null, "x", [], {"kind": null}, {"kind": "tun"}, {"kind": 1}]

_odd_ssh(detail) := {"command": {"protocol": "ssh", "action": "exec", "text": "", "detail": detail}}

test_odd_facts_permit_nothing_and_warn_of_everything if {
	every detail in _odd {
		_permits_nothing with input as _odd_ssh(detail)
		_warns_of_everything with input as _odd_ssh(detail)
	}
}

test_facts_of_a_kind_that_lack_everything_else_permit_nothing if {
	every kind in _kinds {
		_permits_nothing with input as _odd_ssh({"kind": kind})
	}
}

test_no_helper_is_true_of_another_protocol if {
	every detail in [
		{}, _ls.command.detail, samples.ssh({"kind": "shell", "mode": "line-gated"}).command.detail,
		samples.sftp_of_two("symlink", "/a", "/a").command.detail, samples.sftp_open("/a", ["read"]).command.detail,
		samples.transfer("scp", "upload", ["/a"]).command.detail, samples.forward("db", 5432).command.detail,
		samples.environment("LANG", "C").command.detail,
	] {
		every protocol in ["postgres", "kubernetes", null, "SSH"] {
			_says_nothing with input as {"command": {"protocol": protocol, "action": "x", "text": "", "detail": detail}}
		}
	}
	_says_nothing with input as {}
}

_permits_nothing if {
	not ssh.is_literal
	not ssh.only_runs({"ls"})
	not ssh.only_runs_as("root", {"ls"})
	not ssh.housekeeping
	not ssh.shell_is("line-gated")
	not ssh.forwards_to({"db:5432"})
	not ssh.sets_only({"*"})
	not ssh.sets_harmless_environment
	not ssh.reads_under({"/"})
	not ssh.writes_under({"/"})
	not ssh.links_under({"/"})
	not ssh.downloads_under({"/"})
	not ssh.uploads_under({"/"})
	not ssh.fetches({"/a"})
	not ssh.pushes({"/a"})
	not ssh.logs_in_as({"agent"})
}

_warns_of_everything if {
	ssh.asks_for("forward")
	ssh.asks_for("agent-forward")
	ssh.opens_shell
	ssh.sets_environment("PATH")
	ssh.runs("rm")
	ssh.hides_commands
	ssh.runs_as("root")
	ssh.changes_user
	ssh.redirects_to_file
	ssh.transfers("upload")
	ssh.sftp_writes
	ssh.sftp_touches({"/x"})
	ssh.sftp_links
}

_says_nothing if {
	_permits_nothing
	not ssh.asks_only_for(_kinds)
	not ssh.asks_for("exec")
	not ssh.asks_for("shell")
	not ssh.opens_shell
	not ssh.sets_environment("LANG")
	not ssh.runs("ls")
	not ssh.hides_commands
	not ssh.runs_as("agent")
	not ssh.changes_user
	not ssh.redirects_to_file
	not ssh.transfers("upload")
	not ssh.sftp_writes
	not ssh.sftp_touches({"/"})
	not ssh.sftp_links
}
