import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import type WebSocket from 'ws';
import { keepAlive } from '../../../../shared/kubernetes/exec/keep-alive.ts';

/** A stream that answers the first `answers` pings. */
function stream(t: TestContext, answers: number, reachesRuntime = true) {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const seen = { pings: 0, sent: [] as Buffer[], silent: 0 };
  const events = new EventEmitter();
  const ws = Object.assign(events, {
    ping: () => {
      seen.pings += 1;
      if (seen.pings <= answers) events.emit('pong');
    },
    send: (frame: Buffer) => seen.sent.push(frame),
  }) as unknown as WebSocket;
  const stop = keepAlive(ws, { pingMs: 100, dataMs: 30 }, reachesRuntime, () => {
    seen.silent += 1;
  });
  return { seen, stop, pass: (ms: number) => t.mock.timers.tick(ms) };
}

describe('an open stream', () => {
  it('is called silent after two pings without an answer', (t) => {
    const { seen, pass } = stream(t, 3);
    pass(500);
    assert.deepEqual([seen.pings, seen.silent], [5, 0]);
    pass(100);
    assert.deepEqual([seen.pings, seen.silent], [5, 1]);
  });

  it('gets an empty frame again and again, if the runtime sees it', (t) => {
    const { seen, pass } = stream(t, 9);
    pass(90);
    assert.deepEqual(seen.sent, [Buffer.of(9), Buffer.of(9), Buffer.of(9)]);
  });

  it('gets none where the API server ends the stream', (t) => {
    const { seen, pass } = stream(t, 9, false);
    pass(90);
    assert.deepEqual(seen.sent, []);
  });

  it('is left alone once it is over', (t) => {
    const { seen, pass, stop } = stream(t, 0);
    stop();
    pass(1_000);
    assert.deepEqual([seen.pings, seen.sent.length, seen.silent], [0, 0, 0]);
  });
});
