import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { startTraces } from '../../../shared/telemetry/traces.ts';
import { status } from '../plugin/output/live/runs.ts';

const ABOUT = { namespace: 'velero', restore: 'nightly', runID: '0123456789abcdef', runner: 1 };

interface SentSpan {
  readonly attributes: readonly { readonly key: string; readonly value: Readonly<Record<string, unknown>> }[];
}

/** A collector that answers with this status. */
async function collector(t: TestContext, status = 200) {
  const spans: SentSpan[] = [];
  const server = http.createServer(async (request, response) => {
    const { resourceSpans } = (await json(request)) as { resourceSpans: { scopeSpans: { spans: SentSpan[] }[] }[] };
    spans.push(...resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)));
    response.writeHead(status).end('{}');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { endpoint, spans };
}

/** What is sent of so many runs that end at once, and what is warned of. */
async function ended(t: TestContext, endpoint: string, runs: number, shard?: { index: number; of: number }) {
  // The exporter reads it there.
  process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] = endpoint;
  t.after(() => delete process.env['OTEL_EXPORTER_OTLP_ENDPOINT']);
  const warnings: string[] = [];
  const traces = startTraces(process.env, (message) => warnings.push(message));
  for (let count = 0; count < runs; count += 1) {
    for (const observer of traces.of({ ...ABOUT, shard })) observer.ended(status([]));
  }
  await traces.end();
  return warnings;
}

describe('spans', () => {
  // R8.74
  it('that end at once all reach a collector, in more requests than may be open', async (t) => {
    const { endpoint, spans } = await collector(t);
    assert.deepEqual([await ended(t, endpoint, 17_000), spans.length], [[], 17_000]);
  });

  it('that find no room, or that a collector refuses, are warned of once', async (t) => {
    const warning = ['the collector of OTEL_EXPORTER_OTLP_ENDPOINT has not taken all spans of this run'];
    const { endpoint } = await collector(t);
    assert.deepEqual(await ended(t, endpoint, 30_000), warning);
    const refusing = await collector(t, 400);
    assert.deepEqual(await ended(t, refusing.endpoint, 1), warning);
  });

  it('are not sent to somebody else where the endpoint is no URL', async (t) => {
    for (const endpoint of ['no url', 'collector:4318', 'ftp://127.0.0.1/']) {
      const warning = 'OTEL_EXPORTER_OTLP_ENDPOINT: expected an http or https URL; no spans are sent';
      assert.deepEqual(await ended(t, endpoint, 1), [warning], endpoint);
    }
  });

  it('of a shard say which one it is, and only the first tells how the run went', async (t) => {
    for (const index of [0, 1]) {
      const { endpoint, spans } = await collector(t);
      await ended(t, endpoint, 1, { index, of: 2 });
      const keys = spans.flatMap(({ attributes }) => attributes.map(({ key }) => key));
      assert.ok(keys.includes('restorehooks.shard.index'));
      assert.equal(keys.includes('restorehooks.run.phase'), index === 0);
    }
  });
});
