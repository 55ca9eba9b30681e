package main

import (
	"net/http"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/util/proxy"
	translator "k8s.io/apiserver/pkg/util/proxy"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	"k8s.io/streaming/pkg/httpstream/wsstream"
)

const (
	idle     = time.Hour
	creation = remotecommand.DefaultStreamCreationTimeout
)

// handler serves the paths that an API server asks a kubelet for.
func handler(on node) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", on.serveLog)
	for _, method := range []string{"GET ", "POST "} {
		mux.HandleFunc(method+"/exec/{namespace}/{pod}/{container}", on.serveExec)
		mux.HandleFunc(method+"/attach/{namespace}/{pod}/{container}", on.serveAttach)
		mux.HandleFunc(method+"/portForward/{namespace}/{pod}", on.servePortForward)
	}
	return mux
}

func (on node) serveExec(w http.ResponseWriter, r *http.Request) {
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	remotecommand.ServeExec(w, r, on, pod(r), "", r.PathValue("container"), r.URL.Query()["command"], options,
		idle, creation, remotecommand.SupportedStreamingProtocols)
}

func (on node) serveAttach(w http.ResponseWriter, r *http.Request) {
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	remotecommand.ServeAttach(w, r, on, pod(r), "", r.PathValue("container"), options,
		idle, creation, remotecommand.SupportedStreamingProtocols)
}

func (on node) servePortForward(w http.ResponseWriter, r *http.Request) {
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	portforward.ServePortForward(w, r, on, pod(r), "", options, idle, creation, portforward.SupportedProtocols)
}

// pod is where the streaming library carries which pod it is for.
func pod(r *http.Request) string {
	return r.PathValue("namespace") + "/" + r.PathValue("pod")
}

// translated serves the WebSockets that newer clients speak as a kubelet does that declares ExtendWebSocketsToKubelet: in SPDY
// to the runtime, which is the handler that listens at the URL. Everything else is its own.
func translated(runtime http.Handler, at url.URL) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		location := at
		location.Path += r.URL.Path
		location.RawQuery = r.URL.RawQuery
		switch {
		case wsstream.IsWebSocketRequestWithStreamCloseProtocol(r):
			options, err := remotecommand.NewOptions(r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			translator.NewStreamTranslatorHandler(&location, nil, 0, translator.Options{
				Stdin: options.Stdin, Stdout: options.Stdout, Stderr: options.Stderr, Tty: options.TTY,
			}).ServeHTTP(w, r)
		case wsstream.IsWebSocketRequestWithTunnelingProtocol(r):
			translator.NewTunnelingHandler(proxy.NewUpgradeAwareHandler(&location, nil, false, true, responder{})).ServeHTTP(w, r)
		default:
			runtime.ServeHTTP(w, r)
		}
	})
}

type responder struct{}

func (responder) Error(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, err.Error(), http.StatusBadGateway)
}
