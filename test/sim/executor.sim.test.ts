import assert from 'node:assert/strict';
import { test } from 'node:test';
import { size } from '../size.ts';
import { play } from './play.ts';

/** `SIM_SEEDS=200000` plays more worlds; `SIM_SEED=59` plays one again and prints what happened in it. */
const worlds = size(300, 10_000, 'SIM_SEEDS');
const seed = process.env['SIM_SEED'];

test(`no world breaks an invariant of the executor (${worlds.title})`, { skip: seed !== undefined }, (t) => {
  let virtualMs = 0;
  for (let each = 1; each <= worlds.count; each += 1) {
    const played = play(each);
    virtualMs += played.virtualMs;
    assert.equal(
      played.broken,
      undefined,
      `seed ${each}; to see it: SIM_SEED=${each} node --test test/sim/executor.sim.test.ts`,
    );
  }
  t.diagnostic(`${worlds.count} worlds, ${Math.round(virtualMs / 3_600_000)} virtual hours`);
});

test('the same seed gives the same world', { skip: seed !== undefined }, () => {
  for (let each = 1; each <= 50; each += 1) {
    const { log } = play(each, { logged: true });
    assert.ok(log.length > 0);
    assert.deepEqual(play(each, { logged: true }).log, log);
  }
});

test('one world, with its log', { skip: seed === undefined }, (t) => {
  const { broken, log } = play(Number(seed), { logged: true });
  for (const line of log) t.diagnostic(line);
  assert.equal(broken, undefined);
});
