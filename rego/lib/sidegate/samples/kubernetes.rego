package sidegate.samples

# METADATA
# title: A Kubernetes request with these facts
kubernetes(detail) := object.union(_input, {
	"command": {
		"protocol": "kubernetes",
		"action": object.get(detail, "verb", "get"),
		"text": "",
		"detail": object.union(_api_request, detail),
	},
	"target": {"name": "cluster", "protocol": "kubernetes", "port": 6443},
})

# METADATA
# title: A request for an object of the namespace `default`
# description: "`resource` as kubectl writes it: `pods`, `deployments.apps/scale`. The name may be empty."
object_request(verb, resource, name) := kubernetes(object.union(_named(resource), {
	"verb": verb, "namespace": "default", "name": name,
}))

# METADATA
# title: A request for what has no namespace
cluster_request(verb, resource, name) := kubernetes(object.union(_named(resource), {"verb": verb, "name": name}))

# METADATA
# title: A request for what is no resource
path_request(path) := kubernetes({"verb": "get", "resourceRequest": false, "version": "", "path": path})

# METADATA
# title: A whole object that is created or updated, and the pods that it describes or null
writing(verb, resource, body, pod) := object.union(object_request(verb, resource, "web"), {"command": {"detail": {
	"body": body, "bodyForm": "object", "pod": pod,
}}})

# METADATA
# title: A patch of these JSON Pointers
patching(resource, type, paths) := object.union(object_request("patch", resource, "web"), {"command": {"detail": {
	"body": {}, "bodyForm": "patch",
	"patch": {"type": type, "paths": paths, "operations": []},
}}})

# METADATA
# title: Pods as `detail.pod` has them, harmless but for what is given
pod(facts) := object.union(_pod, facts)

# METADATA
# title: A command in the container `app` of the pod `web`, over WebSocket, with nothing to read
pod_exec(argv) := object.union(object_request("get", "pods/exec", "web"), {"command": {"action": "connect", "detail": {
	"upgrade": "websocket",
	"exec": {
		"command": argv, "container": "app", "stdin": false, "stdout": true, "stderr": true, "tty": false, "shell": false,
	},
}}})

# `pods/log`, `deployments.apps`: the group is behind the first dot.
_named(written) := {
	"resource": split(kind, ".")[0],
	"group": concat(".", array.slice(split(kind, "."), 1, count(kind))),
	"subresource": concat("/", array.slice(parts, 1, count(parts))),
} if {
	parts := split(written, "/")
	kind := parts[0]
}

_pod := {
	"partial": false,
	"images": ["registry.example/team/app:1"],
	"commands": [],
	"secrets": [],
	"configMaps": [],
	"serviceAccount": "",
	"hostNamespaces": [],
	"hostPaths": [],
	"hostPorts": [],
	"volumes": [],
	"node": "",
	"privileged": false,
	"capabilities": [],
	"baseline": [],
	"restricted": [],
}

_api_request := {
	"verb": "get",
	"resourceRequest": true,
	"group": "",
	"version": "v1",
	"resource": "",
	"subresource": "",
	"namespace": "",
	"name": "",
	"generateName": "",
	"path": "",
	"rest": "",
	"fieldSelector": "",
	"labelSelector": "",
	"dryRun": false,
	"force": false,
	"upgrade": null,
	"query": {},
	"exec": null,
	"body": null,
	"bodyForm": null,
	"patch": null,
	"pod": null,
}
