#!/bin/bash
# What: a token that is refused (401) although it has not expired, while a new one is to be had. k8s.io/client-go v0.35.4 asks the
#   credential plugin for it, but doesn't send the request again: the caller gets the 401, and only the next request is well. A
#   token from a file (tokenFile, and the ServiceAccount of a pod) is not even read again: all requests fail until it was read
#   50 s ago. @kubernetes/client-node 2.0.1 never asks the plugin again if it named no expirationTimestamp, which it need not.
# Why: a ServiceAccount that was made anew, as a restore does, or a session that was ended is enough for it. Here credentials are
#   read again after a 401, and the request is sent again, so that no write of a run is lost by it: Exchange in
#   shared/kubernetes/api/exchange.ts.
# Date: 2026-11-30. It takes a minute.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'END'
module finding

go 1.25.0

require (
	k8s.io/apimachinery v0.35.4
	k8s.io/client-go v0.35.4
)
END
cat >main.go <<'END'
package main

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Asks once with the first token. From then on only the second one is valid, which is there at once.
func ask(name string, config *rest.Config) {
	valid := "first"
	renew := func(token string) {
		valid = token
		if err := os.WriteFile("token", []byte(token), 0o600); err != nil {
			panic(err)
		}
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.Header.Get("Authorization") != "Bearer "+valid {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "refused", "code": 401}`)
			return
		}
		fmt.Fprint(w, `{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "db-0"}}`)
	}))
	defer server.Close()
	renew("first")
	since := time.Now()
	config.Host = server.URL
	pods := kubernetes.NewForConfigOrDie(config).CoreV1().Pods("shop")
	get := func() error {
		_, err := pods.Get(context.Background(), "db-0", metav1.GetOptions{})
		return err
	}
	if err := get(); err != nil {
		panic(err)
	}
	renew("second")
	fmt.Printf("%s: %v\n", name, get())
	tries := 1
	for get() != nil && tries < 100 {
		tries++
		time.Sleep(time.Second)
	}
	fmt.Printf("%s: the second request is well: %v, after 45 to 60 s: %v\n", name, tries == 1,
		time.Since(since) > 45*time.Second && time.Since(since) < 60*time.Second)
}

func main() {
	plugin, err := clientcmd.RESTConfigFromKubeConfig([]byte(`{"apiVersion": "v1", "kind": "Config", "current-context": "x",
		"clusters": [{"name": "c", "cluster": {"server": "https://replaced.example"}}],
		"users": [{"name": "u", "user": {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Never",
			"command": "bash", "args": ["plugin.sh"]}}}],
		"contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}]}`))
	if err != nil {
		panic(err)
	}
	ask("client-go, plugin", plugin)
	ask("client-go, file", &rest.Config{BearerTokenFile: "token"})
}
END
cat >plugin.sh <<'END'
echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "'"$(cat token)"'"}}'
END
GOFLAGS=-mod=mod go mod tidy 2>/dev/null
GOFLAGS=-mod=mod go run . 2>/dev/null >seen
echo '{"type": "module"}' >package.json
npm install --silent --no-audit --no-fund node@24.21.0 @kubernetes/client-node@2.0.1
cat >main.js <<'END'
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';

let valid = 'first';
writeFileSync('token', valid);
const server = createServer(({ headers }, response) => {
  response.setHeader('content-type', 'application/json');
  if (headers.authorization === `Bearer ${valid}`) return response.end('{"kind": "Pod", "apiVersion": "v1"}');
  return response.writeHead(401).end('{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 401}');
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const config = new KubeConfig();
config.loadFromOptions({
  clusters: [{ name: 'c', server: `http://127.0.0.1:${server.address().port}`, skipTLSVerify: true }],
  users: [{ name: 'u', exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'bash', args: ['plugin.sh'] } }],
  contexts: [{ name: 'x', cluster: 'c', user: 'u' }],
  currentContext: 'x',
});
const api = config.makeApiClient(CoreV1Api);
const get = () =>
  api.readNamespacedPod({ name: 'db-0', namespace: 'shop' }).then(
    () => 'well',
    (error) => error.code,
  );
const first = await get();
valid = 'second';
writeFileSync('token', valid);
const more = [];
for (let request = 0; request < 5; request += 1) more.push(await get());
console.log(`client-node, plugin: ${first}, then ${more.join(' ')}`);
process.exit();
END
node_modules/node/bin/node main.js >>seen
cat seen
diff seen - <<'END'
client-go, plugin: refused
client-go, plugin: the second request is well: true, after 45 to 60 s: false
client-go, file: refused
client-go, file: the second request is well: false, after 45 to 60 s: true
client-node, plugin: well, then 401 401 401 401 401
END
