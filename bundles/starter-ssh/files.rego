# METADATA
# title: Files on hosts
# description: An agent may read files under some paths, write them under others, and fetch from repositories.
# schemas:
#   - input: schema.input
#   - input.command.detail: schema.ssh
package policy.files

import data.sidegate.ssh

# Files that agents may read, those that they may write too, and repositories: change these to yours.
readable := {"/srv", "/var/log"}

writable := {"/srv/agent"}

_repositories := {"/srv/git/app.git"}

allow contains {"code": "files.read"} if ssh.reads_under(readable)

allow contains {"code": "files.write"} if ssh.writes_under(writable)

allow contains {"code": "files.copy"} if _copies_as_allowed

allow contains {"code": "files.housekeeping"} if ssh.housekeeping

deny contains {
	"code": "files.outside",
	"message": "this file is outside of what may be read, or a link leads out of it",
	"remedy": concat("", ["read files under ", concat(" and ", sort(readable))]),
} if {
	ssh.asks_for("sftp")
	not ssh.sftp_writes
	not ssh.housekeeping
	not ssh.reads_under(readable)
	not ssh.writes_under(writable)
}

deny contains {
	"code": "files.change",
	"message": "this changes a file, its owner or its rights, where that is not allowed",
	"remedy": concat("", ["write files under ", concat(" and ", sort(writable)), "; leave owners and links alone"]),
} if {
	ssh.sftp_writes
	not ssh.writes_under(writable)
}

deny contains {
	"code": "files.copy",
	"message": "this copies files from or to where that is not allowed, or with options that are not known",
	"remedy": concat("", [
		"copy from ", concat(" and ", sort(readable)), ", to ", concat(" and ", sort(writable)),
		", by absolute paths, and with rsync -a by --no-links too; fetch from ", concat(" and ", sort(_repositories)),
		"; sftp, and scp without -O, tell what is wrong file by file",
	]),
} if {
	copies
	not _copies_as_allowed
}

# A file copy, judged here and not as a command.
copies if {
	ssh.is_literal
	some direction in {"upload", "download"}
	ssh.transfers(direction)
}

_copies_as_allowed if ssh.downloads_under(readable)

_copies_as_allowed if ssh.uploads_under(writable)

_copies_as_allowed if ssh.fetches(_repositories)
