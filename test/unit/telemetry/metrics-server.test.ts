import assert from 'node:assert/strict';
import { it } from 'node:test';
import { serveMetrics } from '../../../shared/telemetry/metrics-server.ts';
import { freePort } from '../../free-port.ts';

it('serves what is known, and numbers as the format wants them', async (t) => {
  const port = await freePort();
  const server = await serveMetrics(port, '127.0.0.1');
  t.after(() => server.close());
  const scrape = async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  assert.doesNotMatch(await scrape(), /^restorehooks_(run_deadline|run_started|hooks_planned)/m);
  server.meter.set('restorehooks_hooks_planned', 3);
  // Right after another scrape prom-client has measured no lag of the event loop.
  const text = (await Promise.all(Array.from({ length: 20 }, scrape))).join('');
  assert.match(text, /^restorehooks_hooks_planned 3$/m);
  for (const line of text.split('\n').filter((each) => each !== '' && !each.startsWith('#'))) {
    assert.match(line, /^\S+(?:\{.*\})? (?:-?[\d.]+(?:e[+-]?\d+)?|NaN|[+-]Inf)$/);
  }
});
