#!/bin/bash
# What: kubectl reads manifests with the decoder of k8s.io/apimachinery v0.35.4. If a file has two flow mappings in a row
#   without --- between them, the decoder returns only the first, without an error. If both are JSON objects, it returns
#   both.
# Why: a tool that reads both would plan hooks in a pod that `kubectl apply` of the same file never creates.
# Date: 2026-11-28
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'END'
module finding

go 1.25.0

require k8s.io/apimachinery v0.35.4
END
cat >main.go <<'END'
package main

import (
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/util/yaml"
)

func main() {
	for _, text := range []string{"{name: a}\n{name: b}\n", "{\"name\": \"a\"}\n{\"name\": \"b\"}\n"} {
		decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
		for {
			var object map[string]string
			err := decoder.Decode(&object)
			if err == io.EOF {
				break
			}
			fmt.Println(object["name"], err)
			if err != nil {
				break
			}
		}
		fmt.Println("end")
	}
}
END
GOFLAGS=-mod=mod go run . >seen
cat seen
diff seen - <<'END'
a <nil>
end
a <nil>
b <nil>
end
END
