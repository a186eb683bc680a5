import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Elsewhere, Fact } from '../../../../shared/core/execute/protocol.ts';
import type { RunState } from '../../../../shared/core/execute/state.ts';
import { createRun } from '../../../../shared/core/execute/state.ts';
import { step } from '../../../../shared/core/execute/step.ts';
import type { ExecHook, HookId } from '../../../../shared/core/model/hook.ts';
import { podKey } from '../../../../shared/core/model/hook.ts';
import { instant } from '../../../../shared/core/model/instant.ts';
import type { ShardStatus } from '../../../../shared/core/report/shard-status.ts';
import { elsewhere, joinedStatus, toldBy, unbegunShards } from '../../../../shared/core/report/shard-status.ts';
import { pendingStatus } from '../../../sim/run-world.ts';
import { execHook } from '../../runtime/hooks.ts';

const inWave = (wave: number, name: string, more: Partial<ExecHook> = {}): ExecHook => ({
  ...execHook(name, { wave, ...more }),
  id: `${name}/${wave}` as HookId,
});
const up = (hook: ExecHook): Fact => ({
  type: 'podObserved',
  pod: {
    key: podKey(hook.namespace, hook.pod),
    uid: `${hook.pod}-uid`,
    phase: 'Running',
    containers: { main: { running: true, ready: true } },
  },
});
const runOf = (hooks: readonly ExecHook[], others: Elsewhere) =>
  createRun(hooks, { startedAt: instant(0), maxConcurrent: 8, elsewhere: others });
const begun = (run: RunState, facts: readonly Fact[], at = 1): string[] =>
  step(run, facts, instant(at)).effects.flatMap((effect) => (effect.type === 'recordIntent' ? [effect.hook] : []));
const told = (others: Elsewhere): Fact => ({ type: 'shardsTold', elsewhere: others });
const ends = (run: RunState, { id }: ExecHook, exitCode: number, at = 1): string[] => {
  step(run, [{ type: 'intentRecorded', hook: id }], instant(at));
  return begun(run, [{ type: 'execEnded', hook: id, outcome: { kind: 'exited', exitCode } }], at);
};

// R8.47
describe('a wave of one shard', () => {
  it('opens when the lower waves of the others are over, too', () => {
    const [low, high] = [inWave(0, 'a'), inWave(2, 'b')] as const;
    const run = runOf([low, high], { openWave: 0, waveEnds: [] });
    assert.deepEqual(begun(run, [up(low), up(high)]), [low.id]);
    assert.deepEqual(ends(run, low, 0), []);
    assert.deepEqual(begun(run, [told({ openWave: 1, waveEnds: [[0, instant(5)]] })]), [], 'wave 1 is open elsewhere');
    assert.deepEqual(begun(run, [told({ waveEnds: [[1, instant(9)]] })]), [high.id]);
  });

  it('is waited for from when it opened everywhere', () => {
    const high = inWave(1, 'b', { waitTimeoutMs: 1_000, waitForReady: true });
    const run = runOf([high], { openWave: 0, waveEnds: [] });
    const notReady: Fact = {
      type: 'podObserved',
      pod: { key: podKey(high.namespace, high.pod), uid: `${high.pod}-uid`, phase: 'Running', containers: {} },
    };
    step(run, [notReady], instant(10));
    step(run, [{ type: 'timerFired', key: podKey(high.namespace, high.pod) }], instant(5_000));
    assert.equal(run.counts.timedOut, 0);
    step(run, [told({ waveEnds: [[0, instant(6_000)]] })], instant(6_500));
    step(run, [{ type: 'timerFired', key: podKey(high.namespace, high.pod) }], instant(6_999));
    assert.equal(run.counts.timedOut, 0);
    step(run, [{ type: 'timerFired', key: podKey(high.namespace, high.pod) }], instant(7_000));
    assert.equal(run.counts.timedOut, 1);
  });

  it('is told to the others with when the waves below it ended', () => {
    const [low, high] = [inWave(0, 'a'), inWave(1, 'b')] as const;
    const run = runOf([low, high], { waveEnds: [] });
    assert.deepEqual(toldBy(run), { openWave: 0, waveEnds: [] });
    begun(run, [up(low), up(high)]);
    ends(run, low, 0, 4);
    assert.deepEqual(toldBy(run), { openWave: 1, waveEnds: [[0, 4]] });
  });
});

// R8.46
describe('a Fail hook that did not succeed', () => {
  it('stops the other shards, which do not tell it on as their own', () => {
    const hook = inWave(0, 'a');
    const run = runOf([hook], { waveEnds: [] });
    step(run, [told({ waveEnds: [], stop: 'hook x did not succeed' })], instant(3));
    assert.deepEqual(begun(run, [up(hook)]), []);
    assert.deepEqual([run.counts.notExecuted, toldBy(run).stop], [1, undefined]);
  });

  it('keeps a shard that begins later from starting anything', () => {
    const hook = inWave(0, 'a');
    const run = runOf([hook], { waveEnds: [], failure: { code: 'error', message: 'the journal is gone' } });
    assert.deepEqual(begun(run, [up(hook)]), []);
    assert.equal(run.failure?.message, 'the journal is gone');
  });

  it('is told by its own shard', () => {
    const hook = inWave(0, 'a', { onError: 'Fail' });
    const run = runOf([hook], { waveEnds: [] });
    begun(run, [up(hook)]);
    ends(run, hook, 1);
    assert.match(toldBy(run).stop ?? '', /a\/0 did not succeed/);
  });
});

// R8.45
describe('the status of a run in shards', () => {
  const hooks = Array.from({ length: 20 }, (_, index) => inWave(index % 2, `p${index}`));
  const begin = unbegunShards({ hooks, kept: [] }, 3);
  const ended = (shard: ShardStatus, more: Partial<ShardStatus> = {}): ShardStatus => ({
    ...shard,
    ended: true,
    finishedAt: '2026-01-01T00:00:00.000Z',
    counts: { ...shard.counts, waiting: 0, succeeded: shard.counts.planned },
    reportParts: 2,
    ...more,
  });
  const [one, two, three] = begin as [ShardStatus, ShardStatus, ShardStatus];
  const run = pendingStatus(20);

  it('counts all hooks before their shards have begun', () => {
    const { counts, phase, shards } = joinedStatus(run, begin, []);
    assert.deepEqual([counts.planned, counts.waiting, phase, shards], [20, 20, 'InProgress', [0, 0, 0]]);
  });

  it('has no end before every shard has one', () => {
    assert.equal(joinedStatus(run, [ended(one), ended(two), three], []).phase, 'InProgress');
    const { phase, counts, reportParts, finishedAt } = joinedStatus(
      run,
      [one, two, three].map((each) => ended(each)),
      [],
    );
    assert.deepEqual([phase, counts.succeeded, reportParts], ['Completed', 20, 6]);
    assert.equal(finishedAt, '2026-01-01T00:00:00.000Z');
  });

  it('is as bad as that of its worst shard', () => {
    const phases = (...more: Partial<ShardStatus>[]) =>
      joinedStatus(
        run,
        [one, two, three].map((each, index) => ended(each, more[index])),
        [],
      ).phase;
    assert.equal(phases({}, { canceled: true }), 'Canceled');
    assert.equal(phases({ canceled: true }, { failHookFailed: true }), 'PartiallyFailed');
    assert.equal(phases({}, { failHookUnexecuted: true }), 'PartiallyFailed');
    assert.equal(phases({ failHookFailed: true }, {}, { failure: { code: 'error', message: 'x' } }), 'Failed');
  });

  it('has the lowest wave that is open in any shard', () => {
    const wave = (number: number, left: number) => ({ number, left, first: `w${number}`, message: 'running' });
    const openWave = (...shards: ShardStatus[]) => joinedStatus(run, shards, [0, 1]).openWave;
    const both = [
      { ...one, wave: wave(1, 2) },
      { ...two, wave: wave(0, 3) },
    ] as const;
    const joined = { version: 1, number: 0, place: 1, of: 2, left: 3, first: 'w0', message: 'running' };
    assert.deepEqual(openWave(...both, { ...three, told: { waveEnds: [] } }), joined);
    // It has not begun, and nobody has said yet how its own hooks of that wave stand.
    assert.deepEqual(openWave(...both, { ...three, told: { openWave: 0, waveEnds: [] } }), undefined);
  });

  it('lets a deadline pass in each shard by itself', () => {
    assert.equal(elsewhere([ended(one, { failure: { code: 'deadline', message: 'x' } })]).failure, undefined);
    assert.equal(elsewhere([ended(one, { failure: { code: 'forbidden', message: 'x' } })]).failure?.code, 'forbidden');
  });
});
