// What the programs here share: the kinds that a request's body can be.
package main

import (
	"fmt"
	"os"
	"reflect"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

type unmarshaler interface{ Unmarshal([]byte) error }

func knownTypes() *runtime.Scheme {
	known := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, apiextensions.AddToScheme, apiregistration.AddToScheme} {
		if err := add(known); err != nil {
			fail("%v", err)
		}
	}
	return known
}

func bodies(known *runtime.Scheme) map[schema.GroupVersionKind]reflect.Type {
	found := map[schema.GroupVersionKind]reflect.Type{}
	for kind, of := range known.AllKnownTypes() {
		if isBody(kind.Kind, of) && kind.Version != runtime.APIVersionInternal {
			found[kind] = of
		}
	}
	return found
}

// Lists and the options of reads are no bodies of requests.
func isBody(kind string, of reflect.Type) bool {
	_, readable := reflect.New(of).Interface().(unmarshaler)
	options := strings.HasSuffix(kind, "Options") && kind != "DeleteOptions"
	return readable && !options && !strings.HasSuffix(kind, "List") && kind != "WatchEvent"
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", arguments...)
	os.Exit(1)
}
