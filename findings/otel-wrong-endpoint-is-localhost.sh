#!/bin/bash
# What: @opentelemetry/exporter-trace-otlp-http 0.301.0. An OTEL_EXPORTER_OTLP_ENDPOINT that is no URL makes no error: the
#   exporter sends the spans to http://localhost:4318, and says so only to its diagnostic logger, which is off by default.
# Why: with a typing error (here the scheme's colon is missing) the spans of a run, with the names of namespaces and pods, go
#   to whatever listens on that port of the node. So the variable is checked here before an exporter is made.
# Date: 2026-11-30
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
echo '{"type": "module"}' >package.json
npm install --silent --no-audit --no-fund node@24.21.0 @opentelemetry/api@1.10.0 @opentelemetry/sdk-trace@3.1.0 \
  @opentelemetry/exporter-trace-otlp-http@0.301.0
cat >endpoint.js <<'END_JS'
import http from 'node:http';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

const asked = [];
const other = http.createServer((request, response) => {
  asked.push(request.url);
  request.resume().on('end', () => response.end('{}'));
});
await new Promise((resolve) => other.listen(4318, 'localhost', resolve));
const exporter = new OTLPTraceExporter();
const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] });
provider.getTracer('finding').startSpan('run').end();
await provider.forceFlush();
console.log(`no error; localhost:4318 was asked for ${asked.join()}`);
process.exit();
END_JS
OTEL_EXPORTER_OTLP_ENDPOINT=http//collector.example.com:4318 node_modules/node/bin/node endpoint.js 2>&1 | tee seen
diff seen - <<'END_TEXT'
no error; localhost:4318 was asked for /v1/traces
END_TEXT
