import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import type { TestContext } from 'node:test';
import { describe, it } from 'node:test';
import type { Refusal } from '../../../../shared/kubernetes/exec/exec-outcome.ts';
import { readRefusal } from '../../../../shared/kubernetes/exec/read-refusal.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function answer(t: TestContext, headers: Record<string, string> = {}) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const body = new PassThrough();
  const response = Object.assign(body, { statusCode: 503, headers, complete: false }) as unknown as IncomingMessage;
  const told: Refusal[] = [];
  const stop = readRefusal(response, 60_000, (refusal) => told.push(refusal));
  return { body, response, told, stop };
}

describe('an answer in place of a stream', () => {
  it('is read to its end', async (t) => {
    const { body, response, told } = answer(t, { 'retry-after': '2' });
    body.write('no');
    response.complete = true;
    body.end('thing');
    await turn();
    assert.deepEqual(told, [{ status: 503, body: 'nothing', isCut: false, retryAfterMs: 2_000 }]);
  });

  it('is used as far as it came, where it breaks off, is too slow or too long', async (t) => {
    const broken = answer(t);
    broken.body.write('half');
    await turn();
    broken.body.destroy(new Error('reset'));
    await turn();
    assert.deepEqual(broken.told, [{ status: 503, body: 'half', isCut: true }]);
    t.mock.timers.reset();
    const slow = answer(t);
    slow.body.write('half');
    await turn();
    t.mock.timers.tick(60_000);
    assert.deepEqual(slow.told, [{ status: 503, body: 'half', isCut: true }]);
    t.mock.timers.reset();
    const long = answer(t);
    long.body.write(Buffer.alloc(64 * 1024, 'x'));
    await turn();
    assert.deepEqual([long.told.length, long.told[0]?.isCut], [1, true]);
  });

  it('is not told once its reading was stopped', async (t) => {
    const { body, told, stop } = answer(t);
    stop();
    body.end('late');
    await turn();
    t.mock.timers.tick(60_000);
    assert.deepEqual(told, []);
  });
});
