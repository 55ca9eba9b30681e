package sidegate.samples

# METADATA
# title: An SSH request with these facts
ssh(detail) := object.union(_input, {
	"command": {
		"protocol": "ssh",
		"action": object.get(detail, "kind", "exec"),
		"text": "",
		"detail": object.union(_request, detail),
	},
	"target": {"name": "build-host", "protocol": "ssh", "port": 22},
})

# METADATA
# title: A literal command line of these commands, each a list of words
exec(commands) := ssh({
	"kind": "exec",
	"literal": true,
	"commands": [command(words) | some words in commands],
})

# METADATA
# title: A command as `detail.commands` has it, all of whose words are known
command(words) := {
	"name": words[0],
	"argv": words,
	"literal": true,
	"nested": 0,
	"via": null,
	"hides": null,
	"user": null,
	"background": false,
	"directory": null,
}

# METADATA
# title: An SFTP operation on a path that is what it seems
sftp(operation, path) := ssh({"kind": "sftp", "operation": operation, "path": path, "resolved": path})

# METADATA
# title: An SFTP operation on two paths that are what they seem
sftp_of_two(operation, path, target) := ssh({
	"kind": "sftp", "operation": operation,
	"path": path, "resolved": path,
	"target": target, "targetResolved": target,
})

# METADATA
# title: A file that is opened by SFTP with these flags
sftp_open(path, flags) := ssh({"kind": "sftp", "operation": "open", "path": path, "resolved": path, "flags": flags})

# METADATA
# title: A file copy that scp, rsync or git asks for
transfer(program, direction, paths) := object.union(exec([[_servers[program][direction]]]), {"command": {"detail": {
	"transfer": {"program": program, "direction": direction, "paths": paths, "links": false},
}}})

_servers := {
	"scp": {"upload": "scp", "download": "scp"},
	"rsync": {"upload": "rsync", "download": "rsync"},
	"git": {"upload": "git-receive-pack", "download": "git-upload-pack"},
}

# METADATA
# title: A forward to a host and port
forward(host, port) := ssh({"kind": "forward", "destination": {"host": host, "port": port, "path": null}})

# METADATA
# title: An environment variable that is asked for
environment(name, value) := ssh({"kind": "environment", "environment": {"name": name, "value": value}})

_request := {
	"kind": "exec",
	"user": "agent",
	"tty": false,
	"mode": null,
	"commands": [],
	"literal": false,
	"reasons": [],
	"redirects": [],
	"transfer": null,
	"subsystem": null,
	"operation": null,
	"path": null,
	"resolved": null,
	"target": null,
	"targetResolved": null,
	"flags": [],
	"attributes": [],
	"permissions": null,
	"destination": null,
	"environment": null,
}
