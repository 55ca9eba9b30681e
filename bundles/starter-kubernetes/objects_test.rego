package policy.objects_test

import data.policy.objects
import data.sidegate.samples

_codes(said) := {each.code | some each in said}

_elsewhere(request) := object.union(request, {"command": {"detail": {"namespace": "kube-system"}}})

test_objects_of_the_namespaces_may_be_read if {
	every request in [
		samples.object_request("get", "pods", "web"), samples.object_request("list", "deployments.apps", ""),
		samples.object_request("watch", "events", ""), samples.object_request("get", "pods/log", "web"),
		samples.object_request("list", "things.example.com", ""),
	] {
		_codes(objects.allow) == {"objects.read"} with input as request
		objects.deny == set() with input as request
		objects.mask == set() with input as request
		_codes(objects.deny) == {"objects.namespace"} with input as _elsewhere(request)
		objects.allow == set() with input as _elsewhere(request)
	}
}

test_what_belongs_to_the_cluster_may_be_looked_at if {
	every resource in ["nodes", "namespaces", "storageclasses.storage.k8s.io"] {
		_codes(objects.allow) == {"objects.shared"} with input as samples.cluster_request("list", resource, "")
		objects.deny == set() with input as samples.cluster_request("list", resource, "")
		objects.allow == set() with input as samples.cluster_request("patch", resource, "x")
	}
	every resource in ["pods", "secrets", "clusterroles.rbac.authorization.k8s.io"] {
		_codes(objects.deny) == {"objects.namespace"} with input as samples.cluster_request("list", resource, "")
		objects.allow == set() with input as samples.cluster_request("list", resource, "")
	}
}

test_clients_may_find_their_way if {
	rights := samples.cluster_request("create", "selfsubjectaccessreviews.authorization.k8s.io", "")
	every request in [samples.path_request("/apis"), samples.path_request("/openapi/v3"), rights] {
		_codes(objects.allow) == {"objects.discovery"} with input as request
		objects.deny == set() with input as request
	}
}

test_secrets_are_read_without_their_values if {
	every verb in ["get", "list", "watch"] {
		request := samples.object_request(verb, "secrets", "db")
		_codes(objects.allow) == {"objects.secrets"} with input as request
		objects.deny == set() with input as request
		{each.path | some each in objects.mask} == {"data.*", "stringData.*"} with input as request
		{each["with"] | some each in objects.mask} == {"redact"} with input as request
		objects.allow == set() with input as _elsewhere(request)
	}
}

test_secrets_are_not_changed if {
	every verb in ["create", "update", "patch", "delete", "deletecollection"] {
		request := samples.object_request(verb, "secrets", "db")
		_codes(objects.deny) == {"objects.secrets"} with input as request
		objects.allow == set() with input as request
		count(objects.mask) == 2 with input as request
	}
}

test_other_protocols_are_no_matter_of_objects if {
	every request in [{}, samples.postgres({"effects": ["unknown"]}), samples.ssh({"kind": "shell"})] {
		(objects.allow | objects.deny) | objects.mask == set() with input as request
	}
}

test_every_refusal_teaches if {
	every request in [samples.cluster_request("list", "pods", ""), samples.object_request("delete", "secrets", "x")] {
		every reason in objects.deny {
			reason.message != ""
			reason.remedy != ""
		} with input as request
	}
}
