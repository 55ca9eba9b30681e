package sidegate.ssh

import data.sidegate.directories

# METADATA
# title: Only reads files under these paths, by SFTP
# description: |
#   A non-empty set of absolute paths; each holds itself and what is below it. Both the path and what the upstream host
#   resolves it to must be there. Opening a file to read and to create or truncate it is no reading.
reads_under(paths) if {
	asks_only_for({"sftp"})
	_reading
	_path_under(paths)
}

# METADATA
# title: Only changes files under these paths, by SFTP
# description: |
#   As `reads_under`; both files of a rename or copy must be there. A handle that may write may read as well. Making
#   links is no part of it (see `links_under`), nor are owners, set-uid and set-gid bits, and unknown attributes.
writes_under(paths) if {
	asks_only_for({"sftp"})
	_writing(paths)
	_path_under(paths)
	_attributes_harmless
}

# METADATA
# title: Only makes links under these paths that point under them, by SFTP
# description: A link outlives the judgement of it; on a host where others change files, allow none.
links_under(paths) if {
	asks_only_for({"sftp"})
	_operation in {"symlink", "link"}
	_path_under(paths)
	_target_under(paths)
}

# METADATA
# title: Only downloads files under these paths, by scp or rsync
# description: Paths as they are written; what links in them lead to is not known. Of SFTP it is, see `reads_under`.
downloads_under(paths) if {
	_copies("download")
	_transfer_under(paths)
}

# METADATA
# title: Only uploads files under these paths, by scp or rsync
# description: |
#   As `downloads_under`. Making symbolic links is no part of it, since by them later paths lead elsewhere: rsync needs
#   `--no-links` beside `-a`, or `-M--munge-links`. A login that is root's should not have rsync at all: with `-a` it
#   makes devices too.
uploads_under(paths) if {
	_copies("upload")
	input.command.detail.transfer.links == false
	_transfer_under(paths)
}

# METADATA
# title: Only fetches from these repositories, by git
# description: A non-empty set of repositories as they are written.
fetches(repositories) if _exchanges("download", repositories)

# METADATA
# title: Only pushes to these repositories, by git
# description: A non-empty set of repositories as they are written.
pushes(repositories) if _exchanges("upload", repositories)

# METADATA
# scope: document
# title: Could be a file copy in that direction, by scp, rsync or git
# description: "`upload` is from the agent to the host. SFTP operations are seen by `sftp_writes` and `sftp_touches`."
transfers(direction) if {
	asks_for("exec")
	_direction == direction
}

transfers(_) if {
	some program in {"scp", "rsync", "git-upload-pack", "git-receive-pack", "git-upload-archive", "git-shell"}
	runs(program)
	not _transfer_known
}

_transfer_known if _direction in {"upload", "download"}

# Functions take the facts from rules: the compiler's plan then shows which of them a policy reads, and decisions are
# remembered by these alone.
_direction := input.command.detail.transfer.direction

_operation := input.command.detail.operation

# METADATA
# title: Could change files by SFTP
sftp_writes if {
	asks_for("sftp")
	not _known_not_to_write
}

# METADATA
# title: Could touch files under these paths by SFTP
# description: |
#   Reading and looking up is touching; of what is above them, only to rename it. What the upstream host did not resolve
#   could be anywhere.
sftp_touches(paths) if {
	asks_for("sftp")
	not _known_to_miss(paths)
}

# METADATA
# title: Could make a symbolic or hard link by SFTP
sftp_links if {
	asks_for("sftp")
	not _makes_no_links
}

_makes_no_links if _operation in (_operations - {"symlink", "link"})

_known_not_to_write if _reading

_known_not_to_write if _operation in (_without_path | {"expand-path"})

_known_to_miss(_) if _operation in _without_path

_known_to_miss(paths) if {
	_operation in ((_operations - _without_path) - _two_files)
	_misses(_path, paths)
	_misses(_resolved, paths)
}

_known_to_miss(paths) if {
	_operation in _two_files
	_misses(_path, paths)
	_misses(_resolved, paths)
	_misses(_target, paths)
	_misses(_target_resolved, paths)
	not _holds_any(_resolved, paths)
	not _holds_any(_target_resolved, paths)
}

_path := input.command.detail.path

_resolved := input.command.detail.resolved

_target := input.command.detail.target

_target_resolved := input.command.detail.targetResolved

_misses(path, paths) if {
	directories.canonical(path)
	not directories.under(path, paths)
}

# A directory that is renamed takes what is below it along.
_holds_any(directory, paths) if {
	some path in paths
	directories.under(directories.without_slash(path), [directory])
}

_copies(direction) if {
	_one_plain_command
	_direction == direction
	input.command.detail.transfer.program in {"scp", "rsync"}
}

_transfer_under(paths) if {
	count(input.command.detail.transfer.paths) > 0
	every path in input.command.detail.transfer.paths {
		directories.under(directories.without_slash(path), paths)
	}
}

_exchanges(direction, repositories) if {
	_one_plain_command
	_direction == direction
	input.command.detail.transfer.program == "git"
	count(input.command.detail.transfer.paths) > 0
	every repository in input.command.detail.transfer.paths {
		repository in repositories
	}
}

_one_plain_command if {
	is_literal
	count(input.command.detail.commands) == 1
	input.command.detail.commands[0].user == null
}

_looking := {"stat", "lstat", "fstat", "statvfs", "opendir", "readdir", "readlink", "realpath", "close"}

_without_path := {"home-directory", "limits", "users-groups-by-id"}

_changing := {"write", "fsync", "setstat", "lsetstat", "fsetstat", "remove", "mkdir", "rmdir"}

_two_files := {"rename", "copy-data", "symlink", "link"}

_operations := (((_looking | _without_path) | _changing) | _two_files) | {"open", "read", "expand-path"}

_reading if _operation in _looking

_reading if _operation == "read"

_reading if {
	_operation == "open"
	input.command.detail.flags == ["read"]
}

_writing(_) if _operation in _changing

_writing(paths) if {
	_operation in {"rename", "copy-data"}
	_target_under(paths)
}

_writing(_) if {
	_operation in {"open", "read", "close", "fstat"}
	_opened_to_write
}

_opened_to_write if {
	flags := {flag | some flag in input.command.detail.flags}
	count(flags - {"read", "write", "append", "create", "truncate", "exclusive"}) == 0
	"write" in flags
}

_path_under(paths) if {
	directories.under(_path, paths)
	directories.under(_resolved, paths)
}

_target_under(paths) if {
	directories.under(_target, paths)
	directories.under(_target_resolved, paths)
}

# Set-uid, set-gid and sticky are the octal digit above the nine bits.
_attributes_harmless if {
	is_array(input.command.detail.attributes)
	every attribute in input.command.detail.attributes {
		attribute in {"size", "permissions", "times"}
	}
	_permissions_harmless
}

_permissions_harmless if {
	input.command.detail.permissions == null
	not "permissions" in input.command.detail.attributes
}

_permissions_harmless if {
	is_number(input.command.detail.permissions)
	input.command.detail.permissions >= 0
	input.command.detail.permissions < 512
}
