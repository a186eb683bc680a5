import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { size } from '../size.ts';
import { playDurable } from './durable-world.ts';

const worlds = size(150, 10_000, 'SIM_DURABLE_SEEDS');

/** Worlds that an earlier version broke, each by a fault of its own. */
const PERMANENT: readonly (readonly [seed: number, what: string])[] = [
  [37, 'the end was told while the last report was being written'],
  [55, 'a run that never began hid what the one before it had done'],
  [343, 'a run that was stopped before it was taken over told its end before its report'],
  [1210, 'what was run again in a pod began behind a hook that had succeeded before, and not at the first'],
  [1_128_444, 'a hook that a suspended runner gave up, since its run was canceled, was taken for one that goes on'],
];

test(`no world with several runners breaks an invariant (${worlds.title})`, async (t) => {
  const args = [join(import.meta.dirname, 'main.ts'), '--world', 'durable', '--seeds', `${worlds.count}`];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  t.diagnostic(stdout.trim());
});

for (const [seed, what] of PERMANENT) {
  test(`seed ${seed}: ${what}`, async () => {
    assert.equal((await playDurable(seed)).broken, undefined);
  });
}

test('the same seed gives the same world', async () => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const { log } = await playDurable(seed, { logged: true });
    assert.ok(log.length > 0);
    assert.deepEqual((await playDurable(seed, { logged: true })).log, log);
  }
});
