#!/bin/bash
# What: @kubernetes/client-node 2.0.1 merges the files of KUBECONFIG=a:b, and takes the current-context of b, the last
#   file. client-go v0.35.4 (kubectl) takes that of a, the first file that has one.
# Why: people put the cluster they work on in front. A plugin that uses client-node's default loading would run restore
#   hooks in another cluster than the kubectl beside it.
# Date: 2026-11-29
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
for name in a b; do
  cat >"$name" <<END
apiVersion: v1
kind: Config
clusters: [{name: $name, cluster: {server: "https://$name.example"}}]
users: [{name: $name, user: {}}]
contexts: [{name: $name, context: {cluster: $name, user: $name}}]
current-context: $name
END
done
export KUBECONFIG=$dir/a:$dir/b

npm init -y >npm.log
npm install --silent --no-audit --no-fund @kubernetes/client-node@2.0.1 >>npm.log
cat >main.mjs <<'END'
import { KubeConfig } from '@kubernetes/client-node';

const config = new KubeConfig();
config.loadFromDefault();
console.log('client-node:', config.getCurrentContext(), config.getCurrentCluster().server);
END
node main.mjs >seen

cat >go.mod <<'END'
module finding

go 1.25.0

require k8s.io/client-go v0.35.4
END
cat >main.go <<'END'
package main

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	config, err := clientcmd.NewDefaultClientConfigLoadingRules().Load()
	if err != nil {
		panic(err)
	}
	context := config.Contexts[config.CurrentContext]
	fmt.Println("client-go:", config.CurrentContext, config.Clusters[context.Cluster].Server)
}
END
GOFLAGS=-mod=mod go mod tidy 2>/dev/null
GOFLAGS=-mod=mod go run . >>seen
cat seen
diff seen - <<'END'
client-node: b https://b.example
client-go: a https://a.example
END
