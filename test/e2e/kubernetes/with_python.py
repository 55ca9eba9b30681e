"""What an agent does with the Python client. `with_python.py KUBECONFIG NAMESPACE`; prints what it saw as JSON."""
import json
import sys
import threading

from kubernetes import client, config, dynamic, watch
from kubernetes.client.rest import ApiException

config.load_kube_config(config_file=sys.argv[1])
namespace = sys.argv[2]
core, apps, seen = client.CoreV1Api(), client.AppsV1Api(), []


def shown(name, ask):
    try:
        seen.append([name, ask()])
    except ApiException as error:
        body = json.loads(error.body)
        seen.append([name, error.status, body["kind"], body["reason"], body["message"]])


meta = client.V1ObjectMeta(name="python", labels={"by": "python"})
shown("create", lambda: core.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=meta, data={"a": "b"})).data)
shown("create again", lambda: core.create_namespaced_config_map(namespace, client.V1ConfigMap(metadata=meta)).data)
shown("read", lambda: core.read_namespaced_config_map("python", namespace).data)
shown("patch", lambda: core.patch_namespaced_config_map("python", namespace, {"data": {"c": "d"}}).data)
shown("list", lambda: [item.metadata.name for item in core.list_namespaced_config_map(namespace, label_selector="by=python").items])
shown("missing", lambda: core.read_namespaced_config_map("missing", namespace).data)
template = {"metadata": {"labels": {"app": "p"}}, "spec": {"containers": [{"name": "c", "image": "registry.example/c:1"}]}}
deployment = {"metadata": {"name": "python"}, "spec": {"selector": {"matchLabels": {"app": "p"}}, "template": template}}
shown("deploy", lambda: apps.create_namespaced_deployment(namespace, deployment).spec.replicas)
shown("scale", lambda: apps.patch_namespaced_deployment_scale("python", namespace, {"spec": {"replicas": 3}}).spec.replicas)


def change():
    core.patch_namespaced_config_map("python", namespace, {"data": {"c": "e"}})
    core.delete_namespaced_config_map("python", namespace)


def follow():
    events = []
    threading.Timer(0.3, change).start()
    for event in watch.Watch().stream(core.list_namespaced_config_map, namespace, label_selector="by=python", timeout_seconds=20):
        events.append([event["type"], event["object"].data])
        if event["type"] == "DELETED":
            return events
    return events


shown("watch", follow)
maps = dynamic.DynamicClient(client.ApiClient()).resources.get(api_version="v1", kind="ConfigMap")
body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "dynamic"}, "data": {"x": "y"}}
shown("dynamic", lambda: maps.create(body=body, namespace=namespace).to_dict()["data"])
shown("access", lambda: client.AuthorizationV1Api().create_self_subject_access_review(
    {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": namespace}}}).status.allowed)
shown("version", lambda: client.VersionApi().get_code().major)
shown("delete all", lambda: core.delete_collection_namespaced_config_map(namespace, label_selector="by=none").kind)
print(json.dumps(seen))
