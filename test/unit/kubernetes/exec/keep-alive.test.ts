import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type WebSocket from 'ws';
import { keepAlive } from '../../../../shared/kubernetes/exec/keep-alive.ts';

/** A stream that answers the first `answers` pings, and how to let time pass, in steps of 1 ms. */
function stream(t: TestContext, answers: number, reachesRuntime = true) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let now = 0;
  t.mock.method(performance, 'now', () => now);
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
  const pass = async (ms: number): Promise<void> => {
    for (const end = now + ms; now < end; ) {
      now += 1;
      t.mock.timers.tick(1);
      await setImmediate();
    }
  };
  const busy = (ms: number): void => {
    now += ms;
    t.mock.timers.tick(ms);
  };
  return { seen, stop, pass, busy, prints: () => events.emit('message', Buffer.of(1)) };
}

describe('an open stream', () => {
  it('is called silent after two pings without an answer', async (t) => {
    const { seen, pass } = stream(t, 3);
    await pass(500);
    assert.deepEqual([seen.pings, seen.silent], [5, 0]);
    await pass(100);
    assert.deepEqual([seen.pings, seen.silent], [5, 1]);
  });

  it('gets an empty frame again and again, if the runtime sees it', async (t) => {
    const { seen, pass } = stream(t, 9);
    await pass(90);
    assert.deepEqual(seen.sent, [Buffer.of(9), Buffer.of(9), Buffer.of(9)]);
  });

  it('gets nothing while output comes, because an answer to what has closed its end would cut the rest of it', async (t) => {
    const { seen, pass, prints } = stream(t, 9);
    for (let passed = 0; passed < 500; passed += 20) {
      prints();
      await pass(20);
    }
    assert.deepEqual([seen.pings, seen.sent.length], [0, 0]);
    await pass(15);
    assert.equal(seen.sent.length, 1, 'an empty frame, 30 ms after the last output');
    await pass(70);
    assert.equal(seen.pings, 1, 'a ping, 100 ms after the last output');
  });

  it('gets nothing for a time in which this process was too busy to read', async (t) => {
    const { seen, pass, busy, prints } = stream(t, 9);
    await pass(29);
    busy(500);
    prints();
    await pass(20);
    assert.deepEqual(seen.sent, []);
  });

  it('gets none where the API server ends the stream', async (t) => {
    const { seen, pass } = stream(t, 9, false);
    await pass(90);
    assert.deepEqual(seen.sent, []);
  });

  it('is left alone once it is over', async (t) => {
    const { seen, pass, stop } = stream(t, 0);
    stop();
    await pass(1_000);
    assert.deepEqual([seen.pings, seen.sent.length, seen.silent], [0, 0, 0]);
  });
});
