# METADATA
# title: What no agent does to a cluster
# description: Whatever other packages allow. Each refusal says what to do instead.
# schemas:
#   - input: schema.input
#   - input.command.detail: schema.kubernetes
package policy.cluster

import data.sidegate.kubernetes

deny contains {
	"code": "cluster.rights",
	"message": "this changes who may do what, or what rules the cluster: roles, tokens, webhooks, nodes, namespaces …",
	"remedy": "work with the rights that there are, and propose the change to whoever runs the cluster",
} if {
	kubernetes.escalates
	not kubernetes.proxies
}

deny contains {
	"code": "cluster.unnamed-delete",
	"message": "this deletes objects that it does not name",
	"remedy": "delete one object at a time, by its name",
} if {
	kubernetes.unnamed_delete
}
