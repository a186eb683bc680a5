#!/bin/bash
# What: sigs.k8s.io/kustomize/api v0.20.1, which is in kubectl 1.35.4. A strategic merge patch that names only the second
#   container, to change its image, makes it the first one. The same patch by the API server's library
#   (k8s.io/apimachinery v0.33.12) leaves the order as it is.
# Why: a hook without a container runs in the pod's first one (github.com/vmware-tanzu/velero v1.18.3, and R3.4 of
#   docs/contract.md): with such a patch in an overlay /load-dump runs in the exporter. Lint reads a patch as the API server does
#   (shared/core/lint/collect/collect-pods.ts), so only a lint of what `kubectl kustomize` prints sees this order.
# Date: 2026-11-30. The module's name begins with Velero's, because Go lets no other import its internal packages.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'END'
module github.com/vmware-tanzu/velero/finding

go 1.26.0

require (
	github.com/sirupsen/logrus v1.9.4
	github.com/vmware-tanzu/velero v1.18.3
	k8s.io/api v0.33.12
	k8s.io/apimachinery v0.33.12
	sigs.k8s.io/kustomize/api v0.20.1
	sigs.k8s.io/kustomize/kyaml v0.20.1
	sigs.k8s.io/yaml v1.5.0
)
END
cat >main.go <<'END'
package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/sirupsen/logrus"
	"github.com/vmware-tanzu/velero/internal/hook"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const base = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  template:
    metadata:
      annotations: {post.hook.restore.velero.io/command: /load-dump}
    spec:
      containers:
        - {name: postgres, image: postgres}
        - {name: metrics, image: exporter}
`

const patch = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  template:
    spec:
      containers:
        - {name: metrics, image: registry.example.com/exporter}
`

func kustomized() []byte {
	files := filesys.MakeFsInMemory()
	files.WriteFile("base.yaml", []byte(base))
	files.WriteFile("patch.yaml", []byte(patch))
	files.WriteFile("kustomization.yaml", []byte("resources: [base.yaml]\npatches: [{path: patch.yaml}]\n"))
	made, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, ".")
	if err != nil {
		panic(err)
	}
	text, err := made.AsYaml()
	if err != nil {
		panic(err)
	}
	return text
}

func patched() []byte {
	from, err := yaml.YAMLToJSON([]byte(base))
	if err != nil {
		panic(err)
	}
	by, err := yaml.YAMLToJSON([]byte(patch))
	if err != nil {
		panic(err)
	}
	text, err := strategicpatch.StrategicMergePatch(from, by, appsv1.StatefulSet{})
	if err != nil {
		panic(err)
	}
	return text
}

func show(by string, manifest []byte) {
	var set appsv1.StatefulSet
	if err := yaml.Unmarshal(manifest, &set); err != nil {
		panic(err)
	}
	pod := &corev1.Pod{ObjectMeta: set.Spec.Template.ObjectMeta, Spec: set.Spec.Template.Spec}
	log := logrus.New()
	log.SetOutput(io.Discard)
	hooks, err := hook.GroupRestoreExecHooks("nightly", nil, pod, log, hook.NewMultiHookTracker())
	if err != nil {
		panic(err)
	}
	containers := []string{}
	for _, container := range pod.Spec.Containers {
		containers = append(containers, container.Name)
	}
	order, _ := json.Marshal(containers)
	for container := range hooks {
		fmt.Printf("%s: %s, /load-dump runs in %s\n", by, order, container)
	}
}

func main() {
	show("no patch", []byte(base))
	show("API server's patch", patched())
	show("kustomize", kustomized())
}
END
GOFLAGS=-mod=mod go mod tidy 2>/dev/null
GOFLAGS=-mod=mod go run . 2>/dev/null >seen
cat seen
diff seen - <<'END'
no patch: ["postgres","metrics"], /load-dump runs in postgres
API server's patch: ["postgres","metrics"], /load-dump runs in postgres
kustomize: ["metrics","postgres"], /load-dump runs in metrics
END
