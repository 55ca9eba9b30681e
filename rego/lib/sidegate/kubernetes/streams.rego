package sidegate.kubernetes

import data.sidegate.arguments

# METADATA
# title: Could take over the connection, or go past the API server
# description: exec, attach, portforward, proxies, and whatever else asks for another protocol on the connection.
connects if {
	_kubernetes
	not _plain_exchange
}

_plain_exchange if _asks_about_server

_plain_exchange if {
	_attributed
	input.command.detail.upgrade == null
	input.command.detail.verb != "proxy"
	not input.command.detail.subresource in {"attach", "exec", "portforward", "proxy"}
}

# METADATA
# scope: document
# title: Could reach what a node, pod or service serves
# description: By the API server's proxies, with the API server's own rights there. What is asked is not judged.
proxies if does("proxy")

proxies if {
	_attributed
	input.command.detail.subresource == "proxy"
}

# METADATA
# scope: document
# title: Could give the agent a shell in a container
# description: |
#   Commands that run others, and attaching to what runs already; see `exec.shell` of schemas/kubernetes.json.
opens_shell if attaches

opens_shell if {
	touches("pods/exec")
	not _argv_in_sight
}

_argv_in_sight if {
	input.command.detail.exec.shell == false
	count(input.command.detail.exec.command) > 0
	every word in input.command.detail.exec.command {
		is_string(word)
	}
}

# METADATA
# title: Could attach to what runs in a container
attaches if touches("pods/attach")

# METADATA
# title: Could forward ports to a pod
# description: To which ports is not known. What goes through is not judged.
forwards_ports if touches("pods/portforward")

# METADATA
# title: Only runs these commands in a container, and feeds them nothing
# description: |
#   As `ssh.only_runs`: a non-empty set of names, or an object with what each name may be given. There is no shell
#   between, so every word is what it is; standard input is closed. Over WebSocket alone. Say `in_namespaces` beside it,
#   and `in_containers` where a pod has several.
exec_only(commands) if {
	verbs_only({"connect"})
	on_resources({"pods/exec"})
	input.command.detail.upgrade == "websocket"
	_argv_in_sight
	input.command.detail.exec.stdin == false
	argv := input.command.detail.exec.command
	arguments.permitted({"name": argv[0], "argv": argv, "directory": null}, commands)
}

# METADATA
# title: Is for one of these containers
# description: |
#   A non-empty set of names; "" is for requests that leave it to the pod. Of exec, attach and logs.
in_containers(containers) if _container in containers

_container := input.command.detail.exec.container if on_resources({"pods/attach", "pods/exec"})

_container := object.get(input.command.detail.query, ["container", 0], "") if on_resources({"pods/log"})
