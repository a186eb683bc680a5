import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { EndedHook } from '../../../../shared/core/execute/hook-state.ts';
import type { Fact } from '../../../../shared/core/execute/protocol.ts';
import type { RunStart } from '../../../../shared/core/execute/run-start.ts';
import type { RunState } from '../../../../shared/core/execute/state.ts';
import { createRun } from '../../../../shared/core/execute/state.ts';
import { step } from '../../../../shared/core/execute/step.ts';
import type { ExecHook, Hook, HookId } from '../../../../shared/core/model/hook.ts';
import { podKey } from '../../../../shared/core/model/hook.ts';
import { instant } from '../../../../shared/core/model/instant.ts';
import { rowDocument } from '../../../../shared/core/report/hook-row.ts';
import { openWaveOf, openWaveText, wavesOf, withOpenWave } from '../../../../shared/core/report/open-wave.ts';
import { hookRow } from '../../../../shared/core/report/run-hook.ts';
import { execHook, initHook } from '../../runtime/hooks.ts';

/** A hook of a pod of its own name, in a wave. */
const inWave = (wave: number, name: string, more: Partial<ExecHook> = {}): ExecHook => ({
  ...execHook(name, { wave, ...more }),
  id: `${name}/${wave}` as HookId,
});
const up = (hook: Hook): Fact => ({
  type: 'podObserved',
  pod: {
    key: podKey(hook.namespace, hook.pod),
    uid: `${hook.pod}-uid`,
    phase: 'Running',
    containers: { main: { running: true, ready: true }, other: { running: true, ready: true } },
  },
});
const runOf = (hooks: readonly Hook[], more: Partial<RunStart> = {}) =>
  createRun(hooks, { startedAt: instant(0), maxConcurrent: 8, ...more });
/** What is about to be started by these facts. */
const begun = (run: RunState, facts: readonly Fact[], at = 1): string[] =>
  step(run, facts, instant(at)).effects.flatMap((effect) => (effect.type === 'recordIntent' ? [effect.hook] : []));
const ends = (run: RunState, { id }: Hook, at = 1): string[] => {
  step(run, [{ type: 'intentRecorded', hook: id }], instant(at));
  return begun(run, [{ type: 'execEnded', hook: id, outcome: { kind: 'exited', exitCode: 1 } }], at);
};
const succeeded: EndedHook = { phase: 'Ended', outcome: { state: 'Succeeded', exitCode: 0 }, endedAt: instant(7) };

describe('a wave', () => {
  // R3.41
  test('opens with the end of the last hook below it, in whatever pod, and however that ended', () => {
    const [first, second, third] = [inWave(-1, 'a'), inWave(-1, 'b'), inWave(3, 'c')] as const;
    const run = runOf([first, second, third]);
    assert.deepEqual(begun(run, [up(third), up(first), up(second)]), [first.id, second.id]);
    assert.deepEqual(ends(run, second), []);
    assert.deepEqual(ends(run, first), [third.id]);
  });

  // R3.41
  test('counts what an earlier run, or runner, has ended as ended, and only what the plan holds', () => {
    const [first, second] = [inWave(0, 'a'), inWave(1, 'b')] as const;
    const ended = new Map([[first.id, succeeded]]);
    assert.deepEqual(begun(runOf([first, second], { ended }), [up(second)]), [second.id]);
    const resumed = { ended, tries: new Map(), lost: new Map(), waitingSince: new Map(), wasTaken: true };
    assert.deepEqual(begun(runOf([first, second], { resumed }), [up(second)]), [second.id]);
    assert.deepEqual(begun(runOf([second]), [up(second)]), [second.id]);
  });

  // R3.42
  test('of one container holds up no lower wave of another container of its pod', () => {
    const [low, high, beside] = [inWave(0, 'a'), inWave(1, 'a'), inWave(0, 'a', { container: 'other' })] as const;
    const other = { ...beside, id: 'other' as HookId };
    const run = runOf([low, high, other]);
    assert.deepEqual(begun(run, [up(low)]), [low.id]);
    assert.deepEqual(ends(run, low), [other.id]);
    assert.deepEqual(ends(run, other), [high.id]);
  });

  // R3.43
  test('has no init hooks: they hold none', () => {
    const hook = inWave(1, 'b');
    assert.deepEqual(begun(runOf([initHook('a'), hook]), [up(hook)]), [hook.id]);
  });

  // R3.45
  test('that is not open yet loses the hooks that can never run, and those of pods that go', () => {
    const [first, never, gone] = [inWave(0, 'a'), inWave(1, 'b', { never: 'empty-command' }), inWave(2, 'c')] as const;
    const run = runOf([first, never, gone]);
    step(run, [up(never), up(gone), { type: 'podDeleted', key: podKey('ns', 'c'), uid: 'c-uid' }], instant(1));
    assert.deepEqual([run.counts.notExecuted, run.counts.waiting], [2, 1]);
    assert.deepEqual(begun(run, [up(first)]), [first.id]);
  });
});

// R3.44
describe('the wait of a hook', () => {
  const [first, second] = [inWave(0, 'a'), inWave(1, 'b', { waitTimeoutMs: 100 })] as const;
  const timerOf = (run: RunState, facts: readonly Fact[], at: number) =>
    step(run, facts, instant(at)).effects.findLast(({ type }) => type === 'setTimer');

  test('begins when its wave opens, where its pod was seen before', () => {
    const down: Fact = {
      type: 'podObserved',
      pod: { key: podKey('ns', 'b'), uid: 'b-uid', phase: 'Pending', containers: {} },
    };
    const run = runOf([first, second]);
    step(run, [up(first), down], instant(10));
    step(run, [{ type: 'intentRecorded', hook: first.id }], instant(20));
    assert.equal(timerOf(run, [{ type: 'timerFired', key: podKey('ns', 'b') }], 500), undefined);
    const ended: Fact = { type: 'execEnded', hook: first.id, outcome: { kind: 'exited', exitCode: 0 } };
    assert.deepEqual(timerOf(run, [ended], 1_000), { type: 'setTimer', key: podKey('ns', 'b'), at: 1_100 });
    const late = step(run, [{ type: 'timerFired', key: podKey('ns', 'b') }], instant(1_100)).effects;
    assert.deepEqual(
      late.flatMap((effect) => (effect.type === 'recordResult' ? [effect.result.outcome.reason] : [])),
      ['waiting'],
    );
  });

  test('goes on under the next runner from when the last hook below it had ended', () => {
    const ended = new Map([[first.id, { ...succeeded, endedAt: instant(7_000) }]]);
    const waitingSince = new Map([[1, instant(10)]]) as never;
    const resumed = { ended, tries: new Map(), lost: new Map(), waitingSince, wasTaken: true };
    const run = runOf([first, second], { resumed });
    assert.deepEqual(timerOf(run, [{ type: 'timerFired', key: podKey('ns', 'b') }], 7_050), {
      ...{ type: 'setTimer', key: podKey('ns', 'b'), at: 7_100 },
    });
  });
});

// R3.46, R3.47
describe('what holds a wave', () => {
  const unseen = { podUID: undefined };
  const hooks = [
    inWave(0, 'a', unseen),
    inWave(0, 'b', { waitTimeoutMs: 100, ...unseen }),
    inWave(2, 'c', unseen),
  ] as const;
  const rowOf = (run: RunState, index: number) => {
    const pod = run.pods[index];
    assert.ok(pod);
    return rowDocument(hookRow(run, pod, 0 as never, 1));
  };

  test('is told once for the run, and with each hook that waits for it', () => {
    const run = runOf(hooks);
    step(run, [{ type: 'podsListed' }], instant(5));
    const wave = openWaveOf(run);
    assert.ok(wave);
    assert.equal(
      openWaveText(wave),
      '0 (1 of 2): 2 hooks left; the first, a/0, is waiting for the pod, without a limit',
    );
    assert.equal(rowOf(run, 0).message, 'waiting for the pod, without a limit');
    assert.equal(rowOf(run, 2).message, 'waiting for wave 2 to open');
    assert.deepEqual(
      [1, 2].map((index) => withOpenWave(rowOf(run, index), wave).message),
      [
        'waiting for the pod, until 1970-01-01T00:00:00.100Z',
        'waiting for wave 2 to open; wave 0 is open, with 2 hooks left (first: a/0)',
      ],
    );
  });

  test('is its first hook that has not ended: one that runs is said to', () => {
    const run = runOf(hooks);
    step(run, [up(hooks[0]), up(hooks[1])], instant(5));
    step(run, [{ type: 'intentRecorded', hook: hooks[0].id }], instant(5));
    step(run, [{ type: 'execStarted', hook: hooks[0].id }], instant(5));
    assert.match(openWaveText(openWaveOf(run) ?? assert.fail()), /the first, a\/0, is running$/);
    step(run, [{ type: 'execEnded', hook: hooks[0].id, outcome: { kind: 'exited', exitCode: 0 } }], instant(6));
    const { number, place, of, left, first } = openWaveOf(run) ?? assert.fail();
    assert.deepEqual([number, place, of, left, first], [0, 1, 2, 1, 'b/0']);
  });

  test('is nothing in a run with one wave, and in one that has ended', () => {
    assert.equal(openWaveOf(runOf([inWave(3, 'a'), inWave(3, 'b'), initHook('c')])), undefined);
    const ended = new Map(hooks.map(({ id }) => [id, succeeded]));
    assert.equal(openWaveOf(runOf(hooks, { ended })), undefined);
    assert.deepEqual(wavesOf([...hooks, initHook('d')]), [0, 2]);
    assert.deepEqual(wavesOf([inWave(3, 'a')]), []);
  });
});
