package policy.cluster_test

import data.policy.cluster
import data.sidegate.samples

_codes(said) := {each.code | some each in said}

test_rights_are_left_alone if {
	every resource in ["rolebindings.rbac.authorization.k8s.io", "serviceaccounts/token", "pods/ephemeralcontainers"] {
		_codes(cluster.deny) == {"cluster.rights"} with input as samples.object_request("create", resource, "x")
		cluster.deny == set() with input as samples.object_request("get", resource, "x")
	}
	cluster.deny == set() with input as samples.object_request("get", "nodes/proxy", "x")
}

test_what_is_deleted_is_named if {
	collection := samples.object_request("deletecollection", "pods", "")
	_codes(cluster.deny) == {"cluster.unnamed-delete"} with input as collection
	namespace := samples.cluster_request("delete", "namespaces", "dev")
	_codes(cluster.deny) == {"cluster.rights", "cluster.unnamed-delete"} with input as namespace
	cluster.deny == set() with input as samples.object_request("delete", "pods", "web")
}

test_every_refusal_teaches if {
	every reason in cluster.deny {
		reason.message != ""
		reason.remedy != ""
	} with input as samples.cluster_request("delete", "namespaces", "dev")
}
