package sidegate.ssh_test

import data.sidegate.samples
import data.sidegate.ssh

_data := {"/srv/data", "/home/agent/jobs/"}

_sftp_with(operation, path, detail) := object.union(samples.sftp(operation, path), {"command": {"detail": detail}})

test_files_under_the_named_paths_may_be_read if {
	every path in ["/srv/data", "/srv/data/a", "/srv/data/a/b c", "/home/agent/jobs", "/home/agent/jobs/x"] {
		every operation in ["stat", "lstat", "opendir", "readdir", "readlink", "statvfs", "read", "close"] {
			ssh.reads_under(_data) with input as samples.sftp(operation, path)
			not ssh.sftp_writes with input as samples.sftp(operation, path)
		}
		ssh.reads_under(_data) with input as samples.sftp_open(path, ["read"])
	}
	ssh.reads_under({"/"}) with input as samples.sftp("stat", "/")
	ssh.reads_under({"/"}) with input as samples.sftp("stat", "/etc")
}

test_paths_are_compared_by_their_components if {
	every path in [
		"/srv/database", "/srv", "/", "/srv/data/../other", "/srv/data/..", "/srv/data/./a", "/srv/data//a", "/srv/data/",
		"srv/data", "srv/data/a", "", "/SRV/DATA/a", null, 1, ["/srv/data"],
	] {
		not ssh.reads_under(_data) with input as samples.sftp("stat", path)
		not ssh.writes_under(_data) with input as samples.sftp("remove", path)
		ssh.sftp_writes with input as samples.sftp("remove", path)
	}
}

test_no_paths_named_permit_none if {
	every paths in [set(), [], {""}, {"srv/data"}, {null}, {"/srv/data/../data"}, "/srv/data", null] {
		not ssh.reads_under(paths) with input as samples.sftp("stat", "/srv/data/a")
		not ssh.writes_under(paths) with input as samples.sftp("remove", "/srv/data/a")
	}
}

test_what_the_host_resolves_must_be_there_too if {
	every resolved in ["/etc/passwd", null, "/srv/data/../../etc", 1] {
		not ssh.reads_under(_data) with input as _sftp_with("stat", "/srv/data/a", {"resolved": resolved})
		not ssh.writes_under(_data) with input as _sftp_with("remove", "/srv/data/a", {"resolved": resolved})
		not ssh.reads_under(_data) with input as _sftp_with("stat", resolved, {"resolved": "/srv/data/a"})
	}
}

test_opening_a_file_to_do_more_than_read_is_no_reading if {
	every flags in [
		[], ["write"], ["read", "write"], ["read", "create"], ["read", "truncate"], ["read", "append"], ["read", "unknown"],
		["create"], ["read", "exclusive"], null, "read", ["reading"],
	] {
		not ssh.reads_under(_data) with input as samples.sftp_open("/srv/data/a", flags)
		ssh.sftp_writes with input as samples.sftp_open("/srv/data/a", flags)
	}
}

test_other_operations_are_no_reading if {
	every operation in [
		"write", "fsync", "copy-data", "setstat", "lsetstat", "fsetstat", "remove", "mkdir", "rmdir", "rename", "symlink",
		"link", "extended", "odd", null,
	] {
		not ssh.reads_under(_data) with input as samples.sftp_of_two(operation, "/srv/data/a", "/srv/data/b")
		ssh.sftp_writes with input as samples.sftp_of_two(operation, "/srv/data/a", "/srv/data/b")
	}
}

test_files_under_the_named_paths_may_be_changed if {
	every operation in ["write", "fsync", "setstat", "lsetstat", "fsetstat", "remove", "mkdir", "rmdir"] {
		ssh.writes_under(_data) with input as samples.sftp(operation, "/srv/data/a")
		not ssh.writes_under(_data) with input as samples.sftp(operation, "/srv/other/a")
	}
	every flags in [
		["write"], ["write", "create", "truncate"], ["read", "write"], ["write", "append"],
		["write", "create", "exclusive"],
	] {
		every operation in ["open", "close", "fstat", "read"] {
			ssh.writes_under(_data) with input as _sftp_with(operation, "/srv/data/a", {"flags": flags})
			not ssh.writes_under(_data) with input as _sftp_with(operation, "/srv/other/a", {"flags": flags})
		}
	}
}

test_a_handle_to_write_changes_nothing_but_its_file if {
	every operation in ["rename", "symlink", "link", "copy-data", "extended", "stat", null] {
		not ssh.writes_under(_data) with input as _sftp_with(operation, "/srv/data/a", {"flags": ["write"]})
	}
	every operation in ["write", "remove", "setstat", "rename", null] {
		not ssh.reads_under(_data) with input as _sftp_with(operation, "/srv/data/a", {"flags": ["read"]})
	}
}

test_facts_of_another_kind_are_no_file_operation if {
	every kind in ["exec", "forward", "subsystem"] {
		not ssh.writes_under(_data) with input as _sftp_with("remove", "/srv/data/a", {"kind": kind})
		not ssh.reads_under(_data) with input as _sftp_with("stat", "/srv/data/a", {"kind": kind})
		not ssh.sftp_writes with input as _sftp_with("remove", "/srv/data/a", {"kind": kind})
		not ssh.sftp_touches(_data) with input as _sftp_with("remove", "/srv/data/a", {"kind": kind})
	}
	not ssh.writes_under(_data) with input as _replaced(samples.sftp("setstat", "/srv/data/a"), {"attributes": {}})
}

test_a_file_that_is_not_opened_to_write_is_not_written if {
	every flags in [["read"], [], ["create"], ["truncate"], ["append"], ["write", "unknown"], null] {
		not ssh.writes_under(_data) with input as samples.sftp_open("/srv/data/a", flags)
	}
}

test_both_files_of_a_rename_or_copy_must_be_there if {
	every operation in ["rename", "copy-data"] {
		ssh.writes_under(_data) with input as samples.sftp_of_two(operation, "/srv/data/a", "/srv/data/b")
		not ssh.writes_under(_data) with input as samples.sftp_of_two(operation, "/srv/data/a", "/etc/cron.d/b")
		not ssh.writes_under(_data) with input as samples.sftp_of_two(operation, "/etc/shadow", "/srv/data/b")
		not ssh.writes_under(_data) with input as samples.sftp_of_two(operation, "/srv/data/a", null)
		led := object.union(
			samples.sftp_of_two(operation, "/srv/data/a", "/srv/data/b"),
			{"command": {"detail": {"targetResolved": "/etc/b"}}},
		)
		not ssh.writes_under(_data) with input as led
		apart := object.union(
			samples.sftp_of_two(operation, "/srv/data/a", "/srv/data/b"),
			{"command": {"detail": {"target": "/etc/b"}}},
		)
		not ssh.writes_under(_data) with input as apart
	}
}

test_links_are_no_part_of_writing if {
	every operation in ["symlink", "link"] {
		inside := samples.sftp_of_two(operation, "/srv/data/a", "/srv/data/b")
		not ssh.writes_under(_data) with input as inside
		not ssh.reads_under(_data) with input as inside
		ssh.links_under(_data) with input as inside
		ssh.sftp_links with input as inside
		not ssh.links_under(_data) with input as samples.sftp_of_two(operation, "/srv/data/a", "/etc/shadow")
		not ssh.links_under(_data) with input as samples.sftp_of_two(operation, "/home/agent/.x", "/srv/data/b")
	}
	not ssh.links_under(_data) with input as samples.sftp_of_two("rename", "/srv/data/a", "/srv/data/b")
	every detail in [{"kind": "exec"}, {"kind": "forward"}] {
		other := object.union(samples.sftp_of_two("symlink", "/srv/data/a", "/srv/data/b"), {"command": {"detail": detail}})
		not ssh.links_under(_data) with input as other
		not ssh.sftp_links with input as other
	}
	not ssh.sftp_links with input as samples.sftp("stat", "/srv/data/a")
	ssh.sftp_links with input as samples.sftp("extended", null)
	ssh.sftp_links with input as samples.sftp(null, null)
}

test_owners_and_set_uid_bits_are_not_set if {
	every detail in [
		{"attributes": ["permissions"], "permissions": 420}, {"attributes": ["times", "size"]},
		{"attributes": ["permissions"], "permissions": 0}, {"attributes": ["permissions"], "permissions": 511},
	] {
		ssh.writes_under(_data) with input as _sftp_with("setstat", "/srv/data/a", detail)
	}
	every detail in [
		{"attributes": ["owner"]}, {"attributes": ["extended"]}, {"attributes": ["odd"]}, {"attributes": null},
		{"attributes": ["permissions"], "permissions": 2541}, {"attributes": ["permissions"], "permissions": 512},
		{"attributes": ["permissions"], "permissions": null}, {"attributes": ["permissions"], "permissions": "0644"},
		{"attributes": ["permissions"], "permissions": -1}, {"attributes": [], "permissions": 2541},
	] {
		not ssh.writes_under(_data) with input as _sftp_with("setstat", "/srv/data/a", detail)
		opened := object.union(detail, {"flags": ["write", "create"]})
		not ssh.writes_under(_data) with input as _sftp_with("open", "/srv/data/a", opened)
	}
}

test_touching_a_path_is_seen_whatever_is_done if {
	keys := {"/home/agent/.ssh"}
	every operation in ["stat", "read", "open", "remove", "mkdir", "realpath"] {
		ssh.sftp_touches(keys) with input as samples.sftp(operation, "/home/agent/.ssh/authorized_keys")
		ssh.sftp_touches(keys) with input as samples.sftp(operation, "/home/agent/.ssh")
		ssh.sftp_touches(keys) with input as _sftp_with(operation, "/srv/a", {"resolved": "/home/agent/.ssh/config"})
		ssh.sftp_touches(keys) with input as _sftp_with(operation, "/srv/a", {"resolved": null})
		not ssh.sftp_touches(keys) with input as samples.sftp(operation, "/home/agent/.sshd")
		not ssh.sftp_touches(keys) with input as samples.sftp(operation, "/home/agent")
	}
	every operation in ["rename", "symlink", "link", "copy-data"] {
		ssh.sftp_touches(keys) with input as samples.sftp_of_two(operation, "/srv/a", "/home/agent/.ssh/authorized_keys")
		not ssh.sftp_touches(keys) with input as samples.sftp_of_two(operation, "/srv/a", "/srv/b")
	}
	ssh.sftp_touches(keys) with input as samples.sftp_of_two("rename", "/home/agent", "/home/b")
	ssh.sftp_touches(keys) with input as samples.sftp_of_two("rename", "/srv/b", "/home/agent")
	every operation in ["rename", "symlink", "link", "copy-data"] {
		every detail in [
			{"path": "/home/agent/.ssh/a"}, {"resolved": "/home/agent/.ssh/a"}, {"target": "/home/agent/.ssh/a"},
			{"targetResolved": "/home/agent/.ssh/a"}, {"path": null}, {"target": null}, {"targetResolved": null},
		] {
			one := object.union(samples.sftp_of_two(operation, "/srv/a", "/srv/b"), {"command": {"detail": detail}})
			ssh.sftp_touches(keys) with input as one
		}
	}
	every path in ["/home/agent/.ssh/a", null, "a"] {
		seeming := object.union(samples.sftp("stat", "/srv/a"), {"command": {"detail": {"path": path}}})
		ssh.sftp_touches(keys) with input as seeming
	}
	ssh.sftp_touches(keys) with input as samples.sftp("extended", null)
	ssh.sftp_touches(keys) with input as samples.sftp_of_two("extended", "/srv/a", "/srv/b")
	not ssh.sftp_touches(keys) with input as samples.sftp("limits", null)
	not ssh.sftp_writes with input as samples.sftp("limits", null)
	not ssh.sftp_writes with input as samples.sftp("expand-path", "~/x")
}

test_copies_by_scp_and_rsync_are_judged_by_path if {
	every program in ["scp", "rsync"] {
		ssh.downloads_under(_data) with input as samples.transfer(program, "download", ["/srv/data/a", "/srv/data/b/"])
		ssh.uploads_under(_data) with input as samples.transfer(program, "upload", ["/srv/data"])
		not ssh.downloads_under(_data) with input as samples.transfer(program, "upload", ["/srv/data/a"])
		not ssh.uploads_under(_data) with input as samples.transfer(program, "download", ["/srv/data/a"])
		every paths in [[], ["a"], ["/srv/data/a", "/etc/b"], ["/srv/data/../x"], ["~/x"], null, [null]] {
			not ssh.downloads_under(_data) with input as samples.transfer(program, "download", paths)
			not ssh.uploads_under(_data) with input as samples.transfer(program, "upload", paths)
		}
	}
	not ssh.downloads_under({"/"}) with input as samples.transfer("git", "download", ["/srv/a.git"])
	not ssh.downloads_under(_data) with input as _ls
}

test_a_copy_beside_other_commands_is_no_copy if {
	copy := samples.transfer("scp", "download", ["/srv/data/a"]).command.detail
	beside := object.union(copy, {"commands": array.concat(copy.commands, [samples.command(["id"])])})
	not ssh.downloads_under(_data) with input as samples.ssh(beside)
	as_root := object.union(copy, {"commands": [object.union(copy.commands[0], {"user": "root"})]})
	not ssh.downloads_under(_data) with input as samples.ssh(as_root)
	not ssh.downloads_under(_data) with input as samples.ssh(object.union(copy, {"literal": false}))
}

test_git_is_judged_by_repository if {
	ssh.fetches({"/srv/a.git"}) with input as samples.transfer("git", "download", ["/srv/a.git"])
	ssh.pushes(["/srv/a.git"]) with input as samples.transfer("git", "upload", ["/srv/a.git"])
	not ssh.pushes({"/srv/a.git"}) with input as samples.transfer("git", "download", ["/srv/a.git"])
	not ssh.fetches({"/srv/a.git"}) with input as samples.transfer("git", "upload", ["/srv/a.git"])
	not ssh.fetches({"/srv/a.git"}) with input as samples.transfer("git", "download", ["/srv/b.git"])
	not ssh.fetches({"/srv/a.git"}) with input as samples.transfer("git", "download", [])
	not ssh.fetches(set()) with input as samples.transfer("git", "download", ["/srv/a.git"])
	not ssh.fetches({"/srv/a.git"}) with input as samples.transfer("scp", "download", ["/srv/a.git"])
	fetched := samples.transfer("git", "download", ["/srv/a.git"]).command.detail
	not ssh.fetches({"/srv/a.git"}) with input as samples.ssh(object.union(fetched, {"literal": false}))
}

test_uploads_that_make_links_are_no_uploads_under_paths if {
	request := samples.transfer("rsync", "upload", ["/srv/data"])
	every links in [true, null, "false"] {
		not ssh.uploads_under(_data) with input as object.union(
			request,
			{"command": {"detail": {"transfer": {"links": links}}}},
		)
	}
}

test_copies_are_seen_also_where_their_options_are_not_known if {
	ssh.transfers("upload") with input as samples.transfer("scp", "upload", ["x"])
	not ssh.transfers("upload") with input as samples.transfer("scp", "download", ["x"])
	ssh.transfers("upload") with input as samples.exec([["rsync", "--daemon"]])
	ssh.transfers("download") with input as samples.exec([["/usr/bin/git-upload-pack", "--odd", "x"]])
	ssh.transfers("upload") with input as _first({"hides": "code"})
	not ssh.transfers("upload") with input as _ls
	not ssh.transfers("upload") with input as samples.sftp("write", "/a")
}
