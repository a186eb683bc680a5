// A kubelet that only answers exec, for thousands of pods at once. It runs no command: it says how the command ended, as
// late and as badly as it was told to, and remembers each exec that reached it.
//
// 10250, for the API server: the same streaming code as in a real kubelet.
// 10251, for the tests:
//
//	PUT /latency {"fromMs": 5, "toMs": 50}              how long a command takes
//	PUT /faults  {"NAMESPACE/POD": ["refuse", "drop"]}  what happens to the pod's next execs, in this order:
//	                                                    refuse, drop, hang, "exit N"; afterwards they succeed
//	GET /execs?namespace=NAMESPACE                      what has happened
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// exec is one exec that reached the kubelet. A refused one did not start.
type exec struct {
	Namespace string   `json:"namespace"`
	Pod       string   `json:"pod"`
	Command   []string `json:"command"`
	Fault     string   `json:"fault"`
	At        int64    `json:"at"`
	// How many commands ran when this one had started, itself included.
	Running int `json:"running"`
}

type latency struct {
	FromMs int `json:"fromMs"`
	ToMs   int `json:"toMs"`
}

type kubelet struct {
	mutex   sync.Mutex
	latency latency
	faults  map[string][]string
	execs   []exec
	running int
}

// ask remembers an exec and says which one it is, what happens to it and how long it takes.
func (k *kubelet) ask(namespace, pod string, command []string) (index int, fault string, takes time.Duration) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	key := namespace + "/" + pod
	if queue := k.faults[key]; len(queue) > 0 {
		fault, k.faults[key] = queue[0], queue[1:]
	}
	k.execs = append(k.execs, exec{namespace, pod, command, fault, time.Now().UnixMilli(), 0})
	millis := k.latency.FromMs
	if k.latency.ToMs > k.latency.FromMs {
		millis += rand.IntN(k.latency.ToMs - k.latency.FromMs)
	}
	return len(k.execs) - 1, fault, time.Duration(millis) * time.Millisecond
}

func (k *kubelet) begin(index int) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.running++
	k.execs[index].Running = k.running
}

func (k *kubelet) end() {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.running--
}

type connectionKey struct{}

// command plays one command.
type command struct {
	kubelet *kubelet
	index   int
	fault   string
	takes   time.Duration
	drop    func()
}

func (c command) ExecInContainer(ctx context.Context, _, _, _ string, argv []string, _ io.Reader, out, _ io.WriteCloser,
	_ bool, _ <-chan remotecommand.TerminalSize, _ time.Duration) error {
	// Its end is counted before the client can know of it, and so before the client's next command.
	c.kubelet.begin(c.index)
	defer c.kubelet.end()
	if out != nil {
		fmt.Fprintln(out, strings.Join(argv, " "))
	}
	select {
	case <-time.After(c.takes):
	case <-ctx.Done():
	}
	switch {
	case c.fault == "drop":
		c.drop()
	case c.fault == "hang":
		// As a real runtime, it doesn't end a command whose client has left.
		time.Sleep(time.Hour)
	case strings.HasPrefix(c.fault, "exit "):
		code, _ := strconv.Atoi(c.fault[len("exit "):])
		return utilexec.CodeExitError{Err: fmt.Errorf("exit code %d", code), Code: code}
	}
	return nil
}

var protocols = []string{remotecommand.StreamProtocolV4Name}

func (k *kubelet) serveExec(w http.ResponseWriter, r *http.Request) {
	namespace, pod, container := r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("container")
	argv := r.URL.Query()["command"]
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	index, fault, takes := k.ask(namespace, pod, argv)
	if fault == "refuse" {
		http.Error(w, fmt.Sprintf("container not found (%q)", container), http.StatusInternalServerError)
		return
	}
	connection := r.Context().Value(connectionKey{}).(net.Conn)
	played := command{k, index, fault, takes, func() { connection.Close() }}
	remotecommand.ServeExec(w, r, played, pod, "", container, argv, options, 4*time.Hour, 30*time.Second, protocols)
}

func (k *kubelet) put(into func(*json.Decoder) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		k.mutex.Lock()
		defer k.mutex.Unlock()
		if err := into(json.NewDecoder(r.Body)); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	}
}

func (k *kubelet) listExecs(w http.ResponseWriter, r *http.Request) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	found := []exec{}
	for _, each := range k.execs {
		if each.Namespace == r.URL.Query().Get("namespace") {
			found = append(found, each)
		}
	}
	json.NewEncoder(w).Encode(found)
}

func main() {
	address := flag.String("address", "", "where the API server asks")
	control := flag.String("control", "127.0.0.1:10251", "where the tests ask")
	cert := flag.String("cert", "", "certificate")
	key := flag.String("key", "", "its key")
	ca := flag.String("client-ca", "", "whose certificates are let in")
	flag.Parse()

	k := &kubelet{faults: map[string][]string{}}
	tests := http.NewServeMux()
	tests.HandleFunc("PUT /latency", k.put(func(body *json.Decoder) error { return body.Decode(&k.latency) }))
	tests.HandleFunc("PUT /faults", k.put(func(body *json.Decoder) error { return body.Decode(&k.faults) }))
	tests.HandleFunc("GET /execs", k.listExecs)
	go func() { log.Fatal(http.ListenAndServe(*control, tests)) }()

	pem, err := os.ReadFile(*ca)
	if err != nil {
		log.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(pem)
	apiServer := http.NewServeMux()
	apiServer.HandleFunc("/exec/{namespace}/{pod}/{container}", k.serveExec)
	server := &http.Server{
		Addr:      *address,
		Handler:   apiServer,
		TLSConfig: &tls.Config{ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12},
		// An upgrade needs HTTP/1.1.
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},
		ConnContext: func(ctx context.Context, connection net.Conn) context.Context {
			return context.WithValue(ctx, connectionKey{}, connection)
		},
	}
	log.Fatal(server.ListenAndServeTLS(*cert, *key))
}
