// Command kubelet is a stand-in for the node agent, for tests: it serves the streams of containers (logs, exec, attach,
// port-forward) with Kubernetes' own streaming library, and runs programs of this machine in place of a container's.
//
// Each container is a directory, ROOT/NAMESPACE/POD/CONTAINER: its programs run there, and its log is the file beside it,
// CONTAINER.log. A pod is whatever the API server says it is; nothing is isolated from anything.
package main

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

type options struct {
	listen, root, cert, key, clientCA, main string
	websockets                              bool
}

func main() {
	var given options
	flag.StringVar(&given.listen, "listen", "127.0.0.1:0", "address to listen on")
	flag.StringVar(&given.root, "root", "", "directory of the containers")
	flag.StringVar(&given.cert, "cert", "", "PEM file of the certificate to serve with")
	flag.StringVar(&given.key, "key", "", "PEM file of its key")
	flag.StringVar(&given.clientCA, "client-ca", "", "PEM file of the authority that signs the API server's client certificate")
	flag.StringVar(&given.main, "main", "cat", "what runs in every container, and attach attaches to")
	flag.BoolVar(&given.websockets, "websockets", false, "translate WebSockets here, as a node says by declaring ExtendWebSocketsToKubelet")
	flag.Parse()
	if err := serve(given); err != nil {
		fmt.Fprintln(os.Stderr, "kubelet:", err)
		os.Exit(1)
	}
}

func serve(given options) error {
	authority, err := os.ReadFile(given.clientCA)
	if err != nil {
		return err
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(authority) {
		return errors.New("the client authority holds no certificate")
	}
	certificate, err := tls.LoadX509KeyPair(given.cert, given.key)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", given.listen)
	if err != nil {
		return err
	}
	served := handler(node{root: given.root, main: strings.Fields(given.main)})
	if given.websockets {
		runtime, err := listenWithin(served)
		if err != nil {
			return err
		}
		served = translated(served, runtime)
	}
	server := &http.Server{
		Handler:           served,
		ReadHeaderTimeout: 10 * time.Second,
		// HTTP/2 cannot be upgraded.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		TLSConfig: &tls.Config{
			MinVersion:   tls.VersionTLS12,
			Certificates: []tls.Certificate{certificate},
			ClientAuth:   tls.RequireAndVerifyClientCert,
			ClientCAs:    clients,
		},
	}
	fmt.Println("listening on", listener.Addr())
	return server.ServeTLS(listener, "", "")
}

// listenWithin serves the handler in plain HTTP on the loopback, behind a path that nobody can guess, as container runtimes do.
func listenWithin(served http.Handler) (url.URL, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return url.URL{}, err
	}
	at := url.URL{Scheme: "http", Host: listener.Addr().String(), Path: "/" + rand.Text()}
	server := &http.Server{Handler: http.StripPrefix(at.Path, served), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		fmt.Fprintln(os.Stderr, "kubelet:", server.Serve(listener))
		os.Exit(1)
	}()
	return at, nil
}
