import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decideApply } from '../../../shared/core/ledger/decide-apply.ts';
import { decideRetry, rowsToRetry } from '../../../shared/core/ledger/decide-retry.ts';
import type { Decision, Starting } from '../../../shared/core/ledger/decision.ts';
import type { Ledger } from '../../../shared/core/ledger/ledger.ts';
import { ledgerOf } from '../../../shared/core/ledger/ledger.ts';
import { parseRow, rowDocument } from '../../../shared/core/report/hook-row.ts';
import { readReport } from '../../../shared/kubernetes/run/run-store.ts';
import { readRuns } from '../../../shared/kubernetes/run/runs-of-restore.ts';
import { execHook } from '../runtime/hooks.ts';
import { podOfShard, reference, ShardedWorld } from './sharded-run.ts';

const [a, b, c] = [podOfShard(0, 2), podOfShard(1, 2), podOfShard(1, 2, 1)];

// R8.47
it('a wave whose hooks were canceled opens no other in a shard that has not heard of the cancel', async () => {
  // How long the shards have until each of them looks at the Restore depends on when they have begun.
  for (let at = 60_000; at < 66_000; at += 600) {
    const world = new ShardedWorld([execHook(a, { wave: 0 }), execHook(b, { wave: 1 })], { notUp: [a] });
    await world.write('one', 2);
    const first = world.run('one', 0, 2);
    await world.passed(2_500);
    const second = world.run('one', 1, 2);
    await world.passed(at);
    world.cancel('one');
    await world.passed(20_000);
    assert.deepEqual([world.started, first.how, second.how], [[], 'Canceled', 'Canceled'], `canceled at ${at}`);
  }
});

// R8.43
it('a board that was deleted is not made anew by the next runner of the first shard', async () => {
  const world = new ShardedWorld([execHook(a), execHook(b)], { takesMs: (pod) => (pod === a ? 25_000 : 1_000) });
  await world.write('one', 2);
  const first = world.run('one', 0, 2);
  const second = world.run('one', 1, 2);
  await world.passed(20_000);
  assert.equal(second.how, 'Completed');
  first.alive = false;
  world.deleteBoard('one');
  await world.passed(30_000);
  const next = world.run('one', 0, 2, 'next');
  await world.passed(60_000);
  assert.equal(next.how, 'RUN_BY_ANOTHER');
  assert.equal((await world.status()).phase, 'InProgress');
});

// R8.45
it('a shard that no runner has taken is not ended for a stop that the next runner may not find', async () => {
  let isHeld = false;
  const world = new ShardedWorld([execHook(a, { onError: 'Fail' }), execHook(b)], {
    takesMs: () => 5_000,
    onUnknown: 'rerun',
    exitCode: (_pod, runner) => (runner === 'one-0' ? 3 : 0),
    isHeld: (runner, path) => isHeld && runner === 'one-0' && path.includes('-journal-'),
  });
  await world.write('one', 2);
  const first = world.run('one', 0, 2);
  await world.passed(3_000);
  isHeld = true;
  await world.passed(5_000);
  first.alive = false;
  await world.passed(30_000);
  world.run('one', 0, 2, 'next');
  await world.passed(60_000);
  const { counts } = await world.status();
  assert.deepEqual([counts.succeeded, counts.notExecuted, counts.waiting], [1, 0, 1]);
});

// R3.88, R8.50
describe('a detached command that an earlier run has left in a shard that no runner takes', () => {
  const left = execHook(b, { detach: true });
  const hooks = [execHook(a), left];

  async function ledgerIn(world: ShardedWorld): Promise<Ledger> {
    const restore = await world.restore();
    const runs = await world.settled(readRuns(world.api.calm, world.clock, reference, restore));
    return ledgerOf(runs, world.clock.now(), { digest: world.input.plan.digest, hooks });
  }

  function started(decision: Decision): Starting {
    assert.equal(decision.action, 'start', JSON.stringify(decision));
    return decision as Starting;
  }

  const applied = (world: ShardedWorld, ledger: Ledger): Starting =>
    started(decideApply(ledger, { digest: world.input.plan.digest, hooks }));

  async function inSecondRun(): Promise<ShardedWorld> {
    const world = new ShardedWorld(hooks, { notUp: [a], takesMs: () => 3_000_000 });
    await world.write('one', 1);
    const one = world.run('one', 0, 1);
    await world.passed(5_000);
    assert.deepEqual(world.started, [`one-0 in ${b}`]);
    one.alive = false;
    await world.passed(100_000);
    const { begun, takesOver } = applied(world, await ledgerIn(world));
    assert.equal(begun.length, 1);
    await world.write('two', 2);
    world.run('two', 0, 2, 'two-0', { ...world.input, begun: [...begun], ...(takesOver && { takesOver }) });
    await world.passed(5_000);
    return world;
  }

  it('is attached to by the run after that, if the Job was deleted', async () => {
    const world = await inSecondRun();
    await world.passed(100_000);
    const { begun } = applied(world, await ledgerIn(world));
    assert.deepEqual(
      begun.map(({ id }) => id),
      [left.id],
    );
  });

  it('is told as Unknown and attached to by retry, if the run was canceled', async () => {
    const world = await inSecondRun();
    world.cancel('two');
    await world.passed(20_000);
    const { phase, counts } = await world.status();
    assert.deepEqual([phase, counts.unknown, counts.notExecuted], ['Canceled', 1, 1]);
    const ledger = await ledgerIn(world);
    const { rows } = rowsToRetry(ledger);
    const { begun } = started(decideRetry(ledger, rows, () => true, 'fail'));
    assert.deepEqual(
      begun.map(({ id }) => id),
      [left.id],
    );
  });
});

describe('a shard that has not begun', () => {
  const kept = execHook(c, { onError: 'Fail' });
  const failed = rowDocument({ hook: kept, run: 1, attempt: 1, state: 'Failed', reason: 'exit', exitCode: 3 });

  async function begun(): Promise<ShardedWorld> {
    const world = new ShardedWorld([execHook(a), execHook(b), kept]);
    await world.write('one', 2);
    const input = { ...world.input, kept: [parseRow(failed)], starts: { [execHook(b).id]: 2 } };
    world.run('one', 0, 2, 'one-0', input);
    await world.passed(10_000);
    return world;
  }

  it('has rows that tell which start it would be', async () => {
    const world = await begun();
    const rows = await world.settled(readReport(world.api.calm, reference, await world.status()));
    assert.equal(rows.find(({ pod }) => pod === b)?.attempt, 3);
  });

  it('counts what is kept of an earlier run in the result, as a run with one shard does', async () => {
    const world = await begun();
    world.cancel('one');
    await world.passed(10_000);
    const { phase, failures } = await world.status();
    assert.equal(phase, 'PartiallyFailed');
    assert.deepEqual(
      failures.map(({ id }) => id),
      [kept.id],
    );
  });
});
