#!/bin/bash
# What: k8s.io/client-go v0.35.4 ignores the credentials of a kubeconfig whose server is http://: the token is not sent,
#   and no warning is printed. Impersonation is sent. A server without a scheme counts as http://, even with a CA.
# Why: a client that sends the token there is logged in where kubectl is anonymous, and anybody on the network can read
#   the token.
# Date: 2026-11-28
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
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
	for _, server := range []string{"https://127.0.0.1:1", "http://127.0.0.1:1", "127.0.0.1:1"} {
		config, err := clientcmd.RESTConfigFromKubeConfig([]byte(`{"apiVersion": "v1", "kind": "Config", "current-context": "x",
			"clusters": [{"name": "c", "cluster": {"server": "` + server + `"}}],
			"users": [{"name": "u", "user": {"token": "t", "as": "somebody"}}],
			"contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}]}`))
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s token=%q as=%q\n", server, config.BearerToken, config.Impersonate.UserName)
	}
}
END
GOFLAGS=-mod=mod go run . >seen
cat seen
diff seen - <<'END'
https://127.0.0.1:1 token="t" as="somebody"
http://127.0.0.1:1 token="" as="somebody"
127.0.0.1:1 token="" as="somebody"
END
