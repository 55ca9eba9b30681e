package policy.files_test

import data.policy.files
import data.sidegate.samples

_codes(said) := {each.code | some each in said}

test_files_may_be_read_where_they_are_readable if {
	every request in [
		samples.sftp_open("/srv/app/a", ["read"]), samples.sftp("opendir", "/var/log"), samples.sftp("stat", "/srv"),
		samples.sftp("read", "/srv/app/a"),
	] {
		_codes(files.allow) == {"files.read"} with input as request
		files.deny == set() with input as request
	}
	every path in ["/etc/shadow", "/root", "/srvx", "/"] {
		_codes(files.deny) == {"files.outside"} with input as samples.sftp_open(path, ["read"])
		files.allow == set() with input as samples.sftp_open(path, ["read"])
	}
	led := object.union(samples.sftp("stat", "/srv/link"), {"command": {"detail": {"resolved": "/etc/shadow"}}})
	_codes(files.deny) == {"files.outside"} with input as led
}

test_files_may_be_written_where_they_are_writable if {
	every request in [
		samples.sftp_open("/srv/agent/a", ["write", "create", "truncate"]), samples.sftp("remove", "/srv/agent/a"),
		samples.sftp_of_two("rename", "/srv/agent/a", "/srv/agent/b"), samples.sftp("mkdir", "/srv/agent/d"),
	] {
		"files.write" in _codes(files.allow) with input as request
		files.deny == set() with input as request
	}
	every request in [
		samples.sftp_open("/srv/app/a", ["write", "create"]), samples.sftp("remove", "/srv/app/a"),
		samples.sftp_of_two("rename", "/srv/agent/a", "/srv/app/b"), samples.sftp("extended", "/srv/agent/a"),
		samples.sftp_of_two("symlink", "/srv/agent/a", "/srv/agent/b"), samples.sftp_open("/srv/app/a", ["read", "truncate"]),
	] {
		_codes(files.deny) == {"files.change"} with input as request
		files.allow == set() with input as request
	}
}

test_what_clients_do_on_their_own_is_allowed if {
	every request in [
		samples.sftp("realpath", "/home/agent"), samples.sftp("limits", null), samples.sftp("expand-path", "/home/agent"),
		samples.ssh({"kind": "subsystem", "subsystem": "sftp"}), samples.environment("LANG", "C.UTF-8"),
	] {
		_codes(files.allow) == {"files.housekeeping"} with input as request
		files.deny == set() with input as request
	}
}

test_copies_are_judged_by_where_from_and_where_to if {
	every program in ["scp", "rsync"] {
		_codes(files.allow) == {"files.copy"} with input as samples.transfer(program, "download", ["/srv/app/a"])
		_codes(files.allow) == {"files.copy"} with input as samples.transfer(program, "upload", ["/srv/agent/"])
		_codes(files.deny) == {"files.copy"} with input as samples.transfer(program, "upload", ["/srv/app"])
		_codes(files.deny) == {"files.copy"} with input as samples.transfer(program, "download", ["/etc/shadow"])
		_codes(files.deny) == {"files.copy"} with input as samples.exec([[program, "--odd"]])
	}
	linked := object.union(
		samples.transfer("rsync", "upload", ["/srv/agent/"]),
		{"command": {"detail": {"transfer": {"links": true}}}},
	)
	_codes(files.deny) == {"files.copy"} with input as linked
	files.allow == set() with input as linked
	_codes(files.allow) == {"files.copy"} with input as samples.transfer("git", "download", ["/srv/git/app.git"])
	_codes(files.deny) == {"files.copy"} with input as samples.transfer("git", "upload", ["/srv/git/app.git"])
}

test_nothing_else_is_a_matter_of_files if {
	every request in [samples.exec([["ls"]]), samples.ssh({"kind": "x11"}), samples.postgres({}), {}] {
		files.deny == set() with input as request
		files.allow == set() with input as request
	}
}

test_every_refusal_teaches if {
	every request in [
		samples.sftp("stat", "/etc"), samples.sftp("remove", "/etc"), samples.transfer("scp", "upload", ["/etc"]),
	] {
		every reason in files.deny {
			reason.message != ""
			contains(reason.remedy, "/srv")
		} with input as request
	}
}
