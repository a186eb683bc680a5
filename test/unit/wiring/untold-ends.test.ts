import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RestoreHooksError } from '../../../shared/core/errors.ts';
import { paths } from '../../../shared/kubernetes/api/paths.ts';
import { refusal } from '../../sim/fake-api.ts';
import { execHook } from '../runtime/hooks.ts';
import { podOfShard, ShardedWorld } from './sharded-run.ts';

const [a, b, c] = [podOfShard(0, 3), podOfShard(1, 3), podOfShard(2, 3)];
const refused = (path: string): RestoreHooksError => refusal(403, 'Forbidden', 'no', path);

/** From 6 s on no write to these journals is taken. */
const refusesJournals = (which: string) => (verb: string, path: string, now: number) =>
  verb === 'patch' && path.includes(`${which}-journal-`) && now > 6_000 ? refused(path) : undefined;

async function played(world: ShardedWorld, of: number, ms: number): Promise<string[]> {
  await world.write('one', of);
  const runners = Array.from({ length: of }, (_, index) => world.run('one', index, of));
  await world.passed(ms);
  return runners.map(({ how }) => how);
}

// R6.1, R6.15: what is not durable is not told as done.
describe('a run whose last result can not be journaled', () => {
  it('is Failed, not Completed', async () => {
    const world = new ShardedWorld([execHook('a')], { takesMs: () => 9_000, refuses: refusesJournals('') });
    assert.deepEqual(await played(world, 1, 300_000), ['Failed']);
    assert.equal((await world.status()).phase, 'Failed');
  });

  // R8.47
  it('does not hang because its other shards wait for that one', async () => {
    const hooks = [execHook(a, { wave: 0 }), execHook(b, { wave: 1 }), execHook(c, { wave: 0 })];
    const takesMs = (pod: string): number => (pod === c ? 9_000 : 3_000);
    const world = new ShardedWorld(hooks, { takesMs, refuses: refusesJournals('-s2') });
    const how = await played(world, 3, 1_200_000);
    assert.ok(!how.includes('at work'), how.join());
    assert.equal((await world.status()).phase, 'Failed');
  });

  // R8.46
  it('is stopped in all shards if that result is one of a Fail hook', async () => {
    const hooks = [execHook(a), execHook(c, { onError: 'Fail' }), execHook(b), execHook(podOfShard(1, 3, 1))];
    const world = new ShardedWorld(hooks, {
      takesMs: (pod) => (pod === c ? 9_000 : 15_000),
      exitCode: (pod) => (pod === c ? 3 : 0),
      maxConcurrent: 1,
      refuses: refusesJournals('-s2'),
    });
    await played(world, 3, 300_000);
    assert.equal(world.started.length, 3, world.started.join());
  });

  it('is Failed, also if somebody has deleted that journal', async () => {
    const hooks = [execHook(a, { wave: 0 }), execHook(b, { wave: 1 }), execHook(c, { wave: 0 })];
    const world = new ShardedWorld(hooks, { takesMs: (pod) => (pod === c ? 12_000 : 3_000) });
    world.clock.setTimer(9_000, () =>
      world.api.remove(paths.configMaps('velero', 'restorehooks-nightly-one-s2-journal-0')),
    );
    const how = await played(world, 3, 1_200_000);
    assert.ok(!how.includes('at work'), how.join());
    assert.equal((await world.status()).phase, 'Failed');
  });
});

// R5.2, R5.20
it('a run is not Completed whose Restore was deleted before its end was written', async () => {
  const world = new ShardedWorld([execHook('a')], {
    takesMs: () => 9_000,
    refuses: (_, path, now) =>
      path.includes('/restores/') && now > 9_000 ? refusal(404, 'NotFound', 'no', path) : undefined,
  });
  const [how] = await played(world, 1, 300_000);
  assert.notEqual(how, 'Completed');
});

// R8.46
it('a first shard that may not read how the others stand does not wait for them for ever', async () => {
  const world = new ShardedWorld([execHook(a), execHook(b), execHook(c)], {
    takesMs: (pod) => (pod === a ? 3_000 : 30_000),
    refuses: (verb, path, now) =>
      verb === 'get' && path.endsWith('-shards') && now > 6_000 ? refused(path) : undefined,
  });
  const [first] = await played(world, 3, 1_200_000);
  assert.notEqual(first, 'at work');
});
