#!/bin/bash
# What: @kubernetes/client-node 2.0.1. Of a kubeconfig's user it takes `as`, but neither as-groups nor as-uid nor as-user-extra,
#   and says nothing: it sends Impersonate-User alone. client-go v0.35.4 (kubectl) sends all four.
# Why: deploy/example gives rights to the group sre. Who is in it by as-groups has them with kubectl, and not with a program that
#   loads the same file by client-node. So the plugin sends these headers itself: impersonationHeaders in
#   shared/kubernetes/connect/connection.ts.
# Date: 2026-11-30
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >kubeconfig <<'END'
apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "http://127.0.0.1:18990", insecure-skip-tls-verify: true}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {as: jane, as-groups: [sre, people], as-uid: "7", as-user-extra: {reason: [drill]}}}]
END

echo '{"type": "module"}' >package.json
npm install --silent --no-audit --no-fund node@24.21.0 @kubernetes/client-node@2.0.1
cat >main.js <<'END'
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';

const config = new KubeConfig();
config.loadFromFile('kubeconfig');
await config.makeApiClient(CoreV1Api).readNamespacedPod({ name: 'client-node', namespace: 'shop' });
END
cat >server.js <<'END'
import { createServer } from 'node:http';

createServer(({ url, headers }, response) => {
  response.setHeader('content-type', 'application/json').end('{"kind": "Pod", "apiVersion": "v1"}');
  const sent = Object.entries(headers).filter(([name]) => name.startsWith('impersonate'));
  if (url !== '/') console.log(url.split('/').at(-1), JSON.stringify(Object.fromEntries(sent.sort())));
}).listen(18990, '127.0.0.1');
END
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

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	config, err := clientcmd.BuildConfigFromFlags("", "kubeconfig")
	if err != nil {
		panic(err)
	}
	pods := kubernetes.NewForConfigOrDie(config).CoreV1().Pods("shop")
	if _, err := pods.Get(context.Background(), "client-go", metav1.GetOptions{}); err != nil {
		panic(err)
	}
}
END
GOFLAGS=-mod=mod go mod tidy 2>/dev/null
node_modules/node/bin/node server.js >seen &
server=$!
trap 'kill $server; rm -rf "$dir"' EXIT
until curl -so /dev/null http://127.0.0.1:18990/; do sleep 0.2; done
node_modules/node/bin/node main.js
GOFLAGS=-mod=mod go run . 2>/dev/null
cat seen
diff seen - <<'END'
client-node {"impersonate-user":"jane"}
client-go {"impersonate-extra-reason":"drill","impersonate-group":"sre, people","impersonate-uid":"7","impersonate-user":"jane"}
END
