#!/bin/bash
# What: kube-state-metrics 2.15.0 serves a `StateSet` of its configuration for custom resources with the line
#   `# TYPE … stateset` also to whoever asks for Prometheus' text format 0.0.4, which has no such type. Prometheus' own parser
#   of that format (prometheus/common 0.62.0, which promtool and many agents use) then refuses the whole answer. It reads a
#   Restore without the annotation as an error in its log, and it can't serve anything before it may list
#   customresourcedefinitions.
# Why: `deploy/monitoring/kube-state-metrics.yaml` has a StateSet. Prometheus itself reads it, because it asks for OpenMetrics
#   first; a scraper that doesn't would lose all metrics of that kube-state-metrics.
# Date: 2026-11-29. It builds kube-state-metrics, which takes some minutes.
set -euo pipefail
dir=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
cat >go.mod <<'END_MOD'
module finding
go 1.24
require k8s.io/kube-state-metrics/v2 v2.15.0
require github.com/prometheus/common v0.62.0
END_MOD
mkdir read
cat >read/main.go <<'END_GO'
package main

import (
	"fmt"
	"os"

	"github.com/prometheus/common/expfmt"
)

func main() {
	var parser expfmt.TextParser
	_, err := parser.TextToMetricFamilies(os.Stdin)
	fmt.Println(err)
}
END_GO
GOFLAGS=-mod=mod go build -o ksm k8s.io/kube-state-metrics/v2 2>build.log
GOFLAGS=-mod=mod go build -o parse ./read 2>>build.log
# A server with one definition and two Restores, of which one has the annotation.
cat >api.mjs <<'END_JS'
import { createServer } from 'node:http';
const names = { plural: 'restores', singular: 'restore', kind: 'Restore', listKind: 'RestoreList' };
const schema = { openAPIV3Schema: { type: 'object' } };
const definition = {
  metadata: { name: 'restores.velero.io', uid: 'd', resourceVersion: '1' },
  spec: { group: 'velero.io', names, scope: 'Namespaced', versions: [{ name: 'v1', served: true, storage: true, schema }] },
};
const restore = (name, annotations) => ({
  apiVersion: 'velero.io/v1',
  kind: 'Restore',
  metadata: { name, namespace: 'velero', uid: name, resourceVersion: '1', annotations },
});
const lists = {
  '/apis/apiextensions.k8s.io/v1/customresourcedefinitions': ['apiextensions.k8s.io/v1', 'CustomResourceDefinitionList', [definition]],
  '/apis/velero.io/v1/restores': ['velero.io/v1', 'RestoreList', [restore('run', { phase: 'Done' }), restore('none', {})]],
};
createServer(({ url }, response) => {
  const { pathname, searchParams } = new URL(url, 'http://x');
  response.setHeader('content-type', 'application/json');
  if (pathname === '/version') return response.end('{"major": "1", "minor": "35", "gitVersion": "v1.35.4"}');
  const [apiVersion, kind, items] = lists[pathname] ?? [];
  if (kind === undefined) return response.writeHead(404).end('{}');
  if (searchParams.get('watch') !== null) return response.flushHeaders();
  return response.end(JSON.stringify({ apiVersion, kind, metadata: { resourceVersion: '1' }, items }));
}).listen(18980, '127.0.0.1');
END_JS
cat >config.yaml <<'END_CONFIG'
kind: CustomResourceStateMetrics
spec:
  resources:
    - groupVersionKind: {group: velero.io, version: v1, kind: Restore}
      metricNamePrefix: restore
      labelsFromPath: {name: [metadata, name]}
      metrics:
        - name: phase
          help: h
          each: {type: StateSet, stateSet: {labelName: phase, path: [metadata, annotations, phase], list: [Done, Failed]}}
END_CONFIG
cat >kubeconfig <<'END_KUBECONFIG'
{"apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "c"}}],
 "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:18980"}}]}
END_KUBECONFIG
node api.mjs &
until curl -so /dev/null http://127.0.0.1:18980/version; do sleep 0.2; done
./ksm --custom-resource-state-only --custom-resource-state-config-file config.yaml --kubeconfig kubeconfig \
  --host 127.0.0.1 --port 18981 --telemetry-host 127.0.0.1 --telemetry-port 18982 2>log &
for ((tries = 0; tries < 60; tries++)); do
  curl -s -D headers -H 'accept: text/plain;version=0.0.4' http://127.0.0.1:18981/metrics >seen || true
  ! grep -q '^restore_phase' seen || break
  sleep 1
done
{
  grep -i '^content-type' headers | tr -d '\r'
  sed 's/customresource_[a-z]*="[^"]*",//g' seen
  ./parse <seen
  grep -o '"restore_phase" err=.*' log | head -n 1
} | tee all
diff all - <<'END_SEEN'
Content-Type: text/plain; version=0.0.4; charset=utf-8
# HELP restore_phase h
# TYPE restore_phase stateset
restore_phase{name="run",phase="Done"} 1
restore_phase{name="run",phase="Failed"} 0
text format parsing error in line 2: unknown metric type "stateset"
"restore_phase" err="[metadata,annotations,phase]: expected value for path to be string, got <nil>"
END_SEEN
