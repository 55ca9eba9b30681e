// What agents that are written in Go do: a typed client in protobuf, a dynamic one, an informer, and the election of a leader.
//
//	client-go KUBECONFIG NAMESPACE
//
// Prints what it saw, one line of JSON each, without what differs between two runs.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

const patience = 20 * time.Second

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(file, namespace string) error {
	config, err := clientcmd.BuildConfigFromFlags("", file)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	binary := rest.CopyConfig(config)
	binary.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	binary.ContentType = "application/vnd.kubernetes.protobuf"
	client, err := kubernetes.NewForConfig(binary)
	if err != nil {
		return err
	}
	return errors.Join(
		typed(ctx, client, namespace),
		unstructuredObjects(ctx, config, namespace),
		informed(ctx, client, namespace),
		elected(ctx, client, namespace),
	)
}

// say prints what was seen, or the API server's own account of why it was not.
func say(name string, seen any, err error) {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		seen = []any{status.Status().Code, status.Status().Reason, status.Status().Message}
	} else if err != nil {
		seen = err.Error()
	}
	line, _ := json.Marshal([]any{name, seen})
	fmt.Println(string(line))
}

func configMap(name string, data map[string]string) *core.ConfigMap {
	labels := map[string]string{"by": "client-go"}
	return &core.ConfigMap{ObjectMeta: meta.ObjectMeta{Name: name, Labels: labels}, Data: data, BinaryData: map[string][]byte{"b": {0, 255}}}
}

func typed(ctx context.Context, client kubernetes.Interface, namespace string) error {
	maps := client.CoreV1().ConfigMaps(namespace)
	made, err := maps.Create(ctx, configMap("typed", map[string]string{"a": "1"}), meta.CreateOptions{})
	if err != nil {
		return err
	}
	say("create", []any{made.Data, made.BinaryData}, nil)
	_, err = maps.Create(ctx, configMap("typed", nil), meta.CreateOptions{})
	say("create again", nil, err)
	made.Data["a"] = "2"
	changed, err := maps.Update(ctx, made, meta.UpdateOptions{})
	say("update", changed.Data, err)
	_, err = maps.Update(ctx, made, meta.UpdateOptions{})
	say("update what has changed", nil, err)
	patched, err := maps.Patch(ctx, "typed", types.StrategicMergePatchType, []byte(`{"data":{"b":"3"}}`), meta.PatchOptions{})
	say("patch", patched.Data, err)
	apply := applycore.ConfigMap("typed", namespace).WithData(map[string]string{"c": "4"})
	applied, err := maps.Apply(ctx, apply, meta.ApplyOptions{FieldManager: "client-go", Force: true})
	say("apply", applied.Data, err)
	_, err = maps.Get(ctx, "missing", meta.GetOptions{})
	say("missing", nil, err)
	list, err := maps.List(ctx, meta.ListOptions{LabelSelector: "by=client-go", Limit: 1})
	say("list", len(list.Items), err)
	say("deploy", deploy(ctx, client, namespace), nil)
	zero := int64(0)
	err = maps.DeleteCollection(ctx, meta.DeleteOptions{GracePeriodSeconds: &zero}, meta.ListOptions{LabelSelector: "by=client-go"})
	say("delete collection", nil, err)
	version, err := client.Discovery().ServerVersion()
	say("version", version.Major, err)
	return nil
}

func deploy(ctx context.Context, client kubernetes.Interface, namespace string) any {
	labels := map[string]string{"app": "client-go"}
	pod := core.PodTemplateSpec{
		ObjectMeta: meta.ObjectMeta{Labels: labels},
		Spec:       core.PodSpec{Containers: []core.Container{{Name: "c", Image: "registry.example/c:1"}}},
	}
	deployments := client.AppsV1().Deployments(namespace)
	_, err := deployments.Create(ctx, &apps.Deployment{
		ObjectMeta: meta.ObjectMeta{Name: "client-go"},
		Spec:       apps.DeploymentSpec{Selector: &meta.LabelSelector{MatchLabels: labels}, Template: pod},
	}, meta.CreateOptions{})
	if err != nil {
		return err.Error()
	}
	scale, err := deployments.GetScale(ctx, "client-go", meta.GetOptions{})
	if err != nil {
		return err.Error()
	}
	scale.Spec.Replicas = 4
	scaled, err := deployments.UpdateScale(ctx, "client-go", scale, meta.UpdateOptions{})
	if err != nil {
		return err.Error()
	}
	return scaled.Spec.Replicas
}

func unstructuredObjects(ctx context.Context, config *rest.Config, namespace string) error {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	resource := schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1",
		"kind":       "ConfigMap",
		"metadata":   map[string]any{"generateName": "dynamic-"},
		"data":       map[string]any{"x": "y"},
	}}
	made, err := client.Resource(resource).Namespace(namespace).Create(ctx, object, meta.CreateOptions{})
	if err != nil {
		return err
	}
	say("dynamic", made.Object["data"], nil)
	only, err := metadata.NewForConfig(config)
	if err != nil {
		return err
	}
	partial, err := only.Resource(resource).Namespace(namespace).Get(ctx, made.GetName(), meta.GetOptions{})
	say("metadata", partial.Kind, err)
	err = client.Resource(resource).Namespace(namespace).Delete(ctx, made.GetName(), meta.DeleteOptions{})
	say("dynamic delete", nil, err)
	return nil
}

func informed(ctx context.Context, client kubernetes.Interface, namespace string) error {
	only := informers.WithTweakListOptions(func(options *meta.ListOptions) { options.LabelSelector = "by=client-go" })
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace(namespace), only)
	events := make(chan string, 16)
	tell := func(kind string) func(any) {
		return func(object any) { events <- fmt.Sprint(kind, " ", object.(*core.ConfigMap).Data) }
	}
	informer := factory.Core().V1().ConfigMaps().Informer()
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    tell("added"),
		UpdateFunc: func(_, object any) { tell("updated")(object) },
		DeleteFunc: tell("deleted"),
	}); err != nil {
		return err
	}
	stop := make(chan struct{})
	defer close(stop)
	factory.Start(stop)
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return errors.New("the informer did not come to know what there is")
	}
	maps := client.CoreV1().ConfigMaps(namespace)
	steps := []func() error{
		func() error {
			_, err := maps.Create(ctx, configMap("informed", map[string]string{"n": "1"}), meta.CreateOptions{})
			return err
		},
		func() error {
			_, err := maps.Update(ctx, configMap("informed", map[string]string{"n": "2"}), meta.UpdateOptions{})
			return err
		},
		func() error { return maps.Delete(ctx, "informed", meta.DeleteOptions{}) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
		select {
		case event := <-events:
			say("informer", event, nil)
		case <-time.After(patience):
			return errors.New("the informer was not told")
		}
	}
	return nil
}

func elected(ctx context.Context, client kubernetes.Interface, namespace string) error {
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  meta.ObjectMeta{Name: "leader", Namespace: namespace},
		Client:     client.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: "me"},
	}
	leading, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	leaderelection.RunOrDie(leading, leaderelection.LeaderElectionConfig{
		Lock:            lock,
		LeaseDuration:   6 * time.Second,
		RenewDeadline:   4 * time.Second,
		RetryPeriod:     200 * time.Millisecond,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) {
				say("leading", true, nil)
				time.Sleep(time.Second)
				cancel()
			},
			OnStoppedLeading: func() { say("released", true, nil) },
		},
	})
	lease, err := client.CoordinationV1().Leases(namespace).Get(ctx, "leader", meta.GetOptions{})
	if err != nil {
		return err
	}
	say("lease", *lease.Spec.HolderIdentity == "", nil)
	return nil
}
