package sidegate.kubernetes_test

import data.sidegate.kubernetes
import data.sidegate.samples

_mounting := samples.pod({"secrets": ["db"]})

test_whatever_is_done_to_a_secret_is_answered_with_it if {
	every verb in ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"] {
		kubernetes.reads_secrets with input as samples.object_request(verb, "secrets", "db")
		kubernetes.touches_secrets with input as samples.object_request(verb, "secrets", "db")
	}
	kubernetes.reads_secrets with input as samples.object_request("create", "serviceaccounts/token", "agent")
	kubernetes.reads_secrets with input as samples.object_request("get", "secrets/odd", "db")
	every request in [
		_pods("get"), samples.object_request("get", "serviceaccounts", "agent"), samples.path_request("/version"),
		samples.object_request("get", "secrets.example.com", "db"), samples.object_request("get", "configmaps", "a"),
	] {
		not kubernetes.reads_secrets with input as request
		not kubernetes.touches_secrets with input as request
	}
}

test_pods_use_the_secrets_that_they_mount if {
	every resource in ["pods", "deployments.apps", "cronjobs.batch", "podtemplates"] {
		kubernetes.touches_secrets with input as samples.writing("create", resource, {}, _mounting)
		not kubernetes.reads_secrets with input as samples.writing("create", resource, {}, _mounting)
		not kubernetes.touches_secrets with input as samples.writing("create", resource, {}, samples.pod({}))
		kubernetes.touches_secrets with input as samples.writing("create", resource, {}, null)
	}
	kubernetes.touches_secrets with input as samples.writing("create", "pods", {}, samples.pod({"secrets": null}))
}

test_a_patch_of_pods_could_be_of_such_as_have_secrets if {
	image := _with(_patch("strategic", [_image]), {"pod": samples.pod({"partial": true})})
	kubernetes.touches_secrets with input as image
	not kubernetes.touches_secrets with input as _patch("strategic", [_restarted])
	not kubernetes.touches_secrets with input as _patch("merge", ["/spec/replicas"])
}
