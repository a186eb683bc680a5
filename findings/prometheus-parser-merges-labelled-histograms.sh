#!/bin/bash
# What: parse-prometheus-text-format 1.1.1 reads a histogram with labels, as prom-client 15.1.3 writes it, as one histogram
#   without: it drops every label but `le`, the buckets of the last series replace those of the others, and sum and count are
#   missing. A counter keeps its labels.
# Why: `restorehooks_api_request_duration_seconds` has the label `verb`. Whoever reads it with this parser sees one verb, and
#   a test of ours that did so would not see that the others are served.
# Date: 2026-11-29
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"type": "module"}' >package.json
npm install --silent --no-audit --no-fund parse-prometheus-text-format@1.1.1 prom-client@15.1.3
cat >main.js <<'END_JS'
import parse from 'parse-prometheus-text-format';
import { Counter, Histogram, Registry } from 'prom-client';

const registry = new Registry();
const counter = new Counter({ name: 'asked_total', help: 'h', labelNames: ['verb'], registers: [registry] });
const histogram = new Histogram({ name: 'took_seconds', help: 'h', labelNames: ['verb'], buckets: [1], registers: [registry] });
for (const [verb, times] of [['get', 3], ['patch', 1]]) {
  counter.inc({ verb }, times);
  for (let time = 0; time < times; time += 1) histogram.observe({ verb }, 0.5);
}
for (const { name, metrics } of parse(await registry.metrics())) console.log(name, JSON.stringify(metrics));
END_JS
node main.js | tee seen
diff seen - <<'END_SEEN'
asked_total [{"value":"3","labels":{"verb":"get"}},{"value":"1","labels":{"verb":"patch"}}]
took_seconds [{"buckets":{"1":"1","+Inf":"1"}}]
END_SEEN
