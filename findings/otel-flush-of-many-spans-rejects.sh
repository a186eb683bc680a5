#!/bin/bash
# What: @opentelemetry/sdk-trace 3.1.0 with @opentelemetry/exporter-trace-otlp-http 0.301.0. `forceFlush` sends all batches at
#   the same time, and the exporter allows 30 open requests. With 15,000 waiting spans (30 batches of 512) a healthy
#   collector gets all; with 17,000 forceFlush rejects ("Concurrent export limit reached"), whatever the collector answers.
# Why: a canceled run of 17,000 hooks ends as many spans at once, and the runner's process ends after the flush, with 30
#   requests open. Larger batches (maxExportBatchSize) avoid it, and a rejected flush is no end of the wait for the others.
# Date: 2026-11-30
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"type": "module"}' >package.json
npm install --silent --no-audit --no-fund node@24.21.0 @opentelemetry/api@1.10.0 @opentelemetry/sdk-trace@3.1.0 \
  @opentelemetry/exporter-trace-otlp-http@0.301.0
cat >flush.js <<'END_JS'
import http from 'node:http';
import { json } from 'node:stream/consumers';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

const taken = [];
const collector = http.createServer(async (request, response) => {
  const { resourceSpans } = await json(request);
  for (const { scopeSpans } of resourceSpans) for (const { spans } of scopeSpans) taken.push(...spans.map(({ name }) => name));
  response.setHeader('content-type', 'application/json').end('{}');
});
await new Promise((resolve) => collector.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${collector.address().port}/v1/traces`;

async function flushed(count, more) {
  const name = `${count} ${JSON.stringify(more)}`;
  const processor = new BatchSpanProcessor({ exporter: new OTLPTraceExporter({ url }), maxQueueSize: 20_000, ...more });
  const provider = new TracerProvider({ spanProcessors: [processor] });
  const tracer = provider.getTracer('finding');
  for (let made = 0; made < count; made += 1) tracer.startSpan(name).end();
  const end = await provider.forceFlush().then(
    () => `forceFlush resolves, ${taken.filter((each) => each === name).length} spans taken`,
    () => 'forceFlush rejects',
  );
  return `${count} spans${more ? ` by ${more.maxExportBatchSize}` : ''}: ${end}`;
}

console.log(await flushed(15_000));
console.log(await flushed(17_000));
console.log(await flushed(17_000, { maxExportBatchSize: 2_000 }));
process.exit();
END_JS
node_modules/node/bin/node flush.js >seen
cat seen
diff seen - <<'END_TEXT'
15000 spans: forceFlush resolves, 15000 spans taken
17000 spans: forceFlush rejects
17000 spans by 2000: forceFlush resolves, 17000 spans taken
END_TEXT
