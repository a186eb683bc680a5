#!/bin/bash
# What: prom-client 15.1.3. Its gauges nodejs_eventloop_lag_mean_seconds, _max_, _p99_ and so on are reset by each read of the
#   registry, so each tells of the time since anybody's last scrape. Right after one they lose a block of 300 ms that was just
#   seen, and the mean is "Nan", a spelling that the text format (NaN) doesn't have.
# Why: two Prometheus servers, or one and a person with curl, take the figures from each other, so a maximum can be seen by
#   neither alert. docs/observing.md says so, and "Nan" is served as NaN.
# Date: 2026-11-30
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"type": "module"}' >package.json
npm install --silent --no-audit --no-fund node@24.21.0 prom-client@15.1.3
cat >lag.js <<'END_JS'
import { setTimeout as sleep } from 'node:timers/promises';
import { collectDefaultMetrics, Registry } from 'prom-client';

const registry = new Registry();
collectDefaultMetrics({ register: registry });
await sleep(100);
const block = Date.now() + 300;
while (Date.now() < block);
await sleep(50);
const read = async () => {
  const text = await registry.metrics();
  return (name) => new RegExp(`^nodejs_eventloop_lag_${name}_seconds (.*)$`, 'm').exec(text)[1];
};
const first = await read();
const second = await read();
console.log(`first scrape: a block of 300 ms is seen: ${Number(first('max')) > 0.25}`);
console.log(`second scrape: it is seen: ${Number(second('max')) > 0.25}, mean: ${second('mean')}`);
END_JS
node_modules/node/bin/node lag.js >seen
cat seen
diff seen - <<'END_TEXT'
first scrape: a block of 300 ms is seen: true
second scrape: it is seen: false, mean: Nan
END_TEXT
