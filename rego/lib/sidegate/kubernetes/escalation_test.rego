package sidegate.kubernetes_test

import data.sidegate.kubernetes
import data.sidegate.samples

test_changes_to_rights_and_to_what_rules_the_cluster if {
	every resource in [
		"apiservices.apiregistration.k8s.io", "bindings", "certificatesigningrequests.certificates.k8s.io",
		"certificatesigningrequests.certificates.k8s.io/approval", "clusterroles.rbac.authorization.k8s.io",
		"customresourcedefinitions.apiextensions.k8s.io", "endpoints", "endpointslices.discovery.k8s.io",
		"mutatingwebhookconfigurations.admissionregistration.k8s.io", "namespaces", "namespaces/finalize", "nodes",
		"nodes/status", "persistentvolumes", "pods/binding", "pods/ephemeralcontainers", "pods/eviction",
		"rolebindings.rbac.authorization.k8s.io", "serviceaccounts/token", "services/status",
		"tokenreviews.authentication.k8s.io", "validatingadmissionpolicies.admissionregistration.k8s.io",
	] {
		every verb in ["create", "update", "patch", "delete", "deletecollection"] {
			kubernetes.escalates with input as samples.object_request(verb, resource, "x")
			dry := _with(samples.object_request(verb, resource, "x"), {"dryRun": true})
			kubernetes.escalates with input as dry
		}
		every verb in ["get", "list", "watch"] {
			not kubernetes.escalates with input as samples.object_request(verb, resource, "x")
		}
	}
	every resource in ["pods", "deployments.apps", "configmaps", "serviceaccounts", "jobs.batch", "things.example.com"] {
		not kubernetes.escalates with input as samples.object_request("create", resource, "x")
	}
	not kubernetes.escalates with input as samples.pod_exec(["ls"])
}

test_finalizers if {
	kubernetes.escalates with input as _patch("merge", ["/metadata/finalizers"])
	kubernetes.escalates with input as _patch("json", ["/metadata/finalizers/0"])
	kubernetes.escalates with input as _patch("merge", ["/metadata"])
	kubernetes.escalates with input as _patch("merge", null)
	not kubernetes.escalates with input as _patch("merge", ["/metadata/labels/a"])
	not kubernetes.escalates with input as _patch("apply", ["/metadata/labels/a"])
}

_service(verb, spec) := samples.writing(verb, "services", {"spec": spec}, null)

test_addresses_that_draw_the_traffic_of_others if {
	every verb in ["create", "update"] {
		kubernetes.escalates with input as _service(verb, {"externalIPs": ["10.0.0.1"]})
		kubernetes.escalates with input as _service(verb, {"externalName": "example.com"})
		kubernetes.escalates with input as samples.writing(verb, "services", null, null)
		not kubernetes.escalates with input as _service(verb, {"externalIPs": [], "externalName": ""})
		not kubernetes.escalates with input as _service(verb, {"ports": []})
	}
	kubernetes.escalates with input as samples.patching("services", "merge", ["/spec/externalIPs"])
	kubernetes.escalates with input as samples.patching("services", "merge", ["/spec/externalName"])
	not kubernetes.escalates with input as samples.patching("services", "merge", ["/spec/ports"])
	not kubernetes.escalates with input as samples.patching("services", "apply", ["/spec/ports"])
	not kubernetes.escalates with input as samples.object_request("delete", "services", "x")
	not kubernetes.escalates with input as samples.object_request("get", "services", "x")
}

test_secrets_that_the_server_puts_a_token_into if {
	token := {"type": "kubernetes.io/service-account-token"}
	applied := samples.patching("secrets", "apply", ["/type"])
	kubernetes.escalates with input as samples.writing("create", "secrets", token, null)
	kubernetes.escalates with input as samples.writing("create", "secrets", null, null)
	kubernetes.escalates with input as _with(applied, {"body": token})
	not kubernetes.escalates with input as _with(applied, {"body": {"type": "Opaque"}})
	not kubernetes.escalates with input as samples.writing("create", "secrets", {"type": "Opaque"}, null)
	not kubernetes.escalates with input as samples.patching("secrets", "merge", ["/data/a"])
	not kubernetes.escalates with input as samples.object_request("delete", "secrets", "x")
}

test_secrets_whose_token_becomes_that_of_another_account if {
	account := {"metadata": {"annotations": {"kubernetes.io/service-account.name": "admin"}}}
	annotation := "/metadata/annotations/kubernetes.io~1service-account.name"
	applied := samples.patching("secrets", "apply", [annotation])
	kubernetes.escalates with input as samples.writing("update", "secrets", account, null)
	kubernetes.escalates with input as samples.writing("update", "secrets", null, null)
	kubernetes.escalates with input as _with(applied, {"body": account})
	kubernetes.escalates with input as samples.patching("secrets", "merge", [annotation])
	kubernetes.escalates with input as samples.patching("secrets", "json", ["/metadata/annotations"])
	other := {"metadata": {"annotations": {"a": "b"}}, "type": "Opaque"}
	not kubernetes.escalates with input as samples.writing("update", "secrets", other, null)
	not kubernetes.escalates with input as samples.writing("update", "secrets", {"metadata": null}, null)
	not kubernetes.escalates with input as samples.patching("secrets", "merge", ["/metadata/annotations/a"])
	not kubernetes.escalates with input as samples.patching("configmaps", "merge", [annotation])
}

test_what_says_who_is_who_in_a_cluster if {
	every request in [
		samples.writing("create", "secrets", {"type": "bootstrap.kubernetes.io/token"}, null),
		samples.writing("update", "secrets", {"data": {}}, null),
		samples.patching("secrets", "merge", ["/data/token-secret"]),
		samples.patching("configmaps", "merge", ["/data/mapRoles"]),
		samples.object_request("delete", "configmaps", "x"),
	] {
		kubernetes.escalates with input as _with(request, {"namespace": "kube-system"})
		not kubernetes.escalates with input as _with(request, {"namespace": "default"})
	}
	read := samples.object_request("get", "secrets", "x")
	not kubernetes.escalates with input as _with(read, {"namespace": "kube-system"})
	restart := samples.patching("deployments.apps", "merge", ["/spec/template/metadata/annotations/a"])
	not kubernetes.escalates with input as _with(restart, {"namespace": "kube-system"})
}
