#!/bin/bash
# What: github.com/vmware-tanzu/velero v1.18.3, resource modifiers. The field `value` is a string, but one that looks like a
#   number, a boolean, a list or an object is put into the JSON patch without quotes. So `value: "true"` sets the boolean true,
#   and a condition with it never matches a label, because labels are strings. A second pair of quotes is needed, and \ before
#   each quote within. The documentation says that what works with `kubectl patch` works here as it is.
# Why: people add hooks to restored pods by modifiers. A command is a list in JSON, so the annotation becomes a list, and the API
#   server refuses the pod; wait-for-ready becomes a boolean. A condition that never matches is silent: the hook never runs.
#   Lint finds both: modifier-value-not-a-string and modifier-test-fails in docs/lint.md.
# Date: 2026-11-30. The module's name begins with Velero's, because Go lets no other import its internal packages.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'END'
module github.com/vmware-tanzu/velero/finding

go 1.26.0

require github.com/vmware-tanzu/velero v1.18.3
END
cat >main.go <<'END'
package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/sirupsen/logrus"
	"github.com/vmware-tanzu/velero/internal/resourcemodifiers"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/scheme"
)

const rules = `
version: v1
resourceModifierRules:
- conditions:
    groupResource: pods
    matches: [{path: /metadata/labels/restore, value: %s}]
  patches:
  - {operation: add, path: /metadata/annotations/post.hook.restore.velero.io~1%s, value: %s}
`

func show(label, key, value string) {
	modifiers, err := resourcemodifiers.GetResourceModifiersFromConfig(&corev1.ConfigMap{
		Data: map[string]string{"rules.yaml": fmt.Sprintf(rules, label, key, value)},
	})
	if err != nil {
		panic(err)
	}
	if err := modifiers.Validate(); err != nil {
		panic(err)
	}
	metadata := map[string]any{
		"name": "db-0", "namespace": "shop", "annotations": map[string]any{}, "labels": map[string]any{"restore": "true"},
	}
	pod := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": metadata}}
	log := logrus.New()
	log.SetOutput(io.Discard)
	for _, err := range modifiers.ApplyResourceModifierRules(pod, "pods", scheme.Scheme, log) {
		panic(err)
	}
	text, err := json.Marshal(pod.Object["metadata"].(map[string]any)["annotations"])
	if err != nil {
		panic(err)
	}
	fmt.Printf("if restore is %s, %s: %s\n", label, key, text)
}

func main() {
	show(`"true"`, "container", "main")
	show(`'"true"'`, "container", "main")
	show(`'"true"'`, "wait-for-ready", `"true"`)
	show(`'"true"'`, "wait-for-ready", `'"true"'`)
	show(`'"true"'`, "command", `'["psql", "-f", "/dump.sql"]'`)
	show(`'"true"'`, "command", `'"[\"psql\", \"-f\", \"/dump.sql\"]"'`)
}
END
GOFLAGS=-mod=mod go mod tidy 2>/dev/null
GOFLAGS=-mod=mod go run . 2>/dev/null >seen
cat seen
diff seen - <<'END'
if restore is "true", container: {}
if restore is '"true"', container: {"post.hook.restore.velero.io/container":"main"}
if restore is '"true"', wait-for-ready: {"post.hook.restore.velero.io/wait-for-ready":true}
if restore is '"true"', wait-for-ready: {"post.hook.restore.velero.io/wait-for-ready":"true"}
if restore is '"true"', command: {"post.hook.restore.velero.io/command":["psql","-f","/dump.sql"]}
if restore is '"true"', command: {"post.hook.restore.velero.io/command":"[\"psql\", \"-f\", \"/dump.sql\"]"}
END
