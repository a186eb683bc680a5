import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isIdle } from '../../../../shared/core/execute/detached.ts';
import type { Effect, Fact } from '../../../../shared/core/execute/protocol.ts';
import type { Resumed } from '../../../../shared/core/execute/run-start.ts';
import { createRun } from '../../../../shared/core/execute/state.ts';
import { step } from '../../../../shared/core/execute/step.ts';
import { Replay } from '../../../../shared/core/journal/replay.ts';
import { resume } from '../../../../shared/core/journal/resume.ts';
import type { ExecHook, ExecOutcome, HookId } from '../../../../shared/core/model/hook.ts';
import { podKey } from '../../../../shared/core/model/hook.ts';
import { instant } from '../../../../shared/core/model/instant.ts';
import type { HookPosition, PlanPosition } from '../../../../shared/core/model/position.ts';
import { hookRow } from '../../../../shared/core/report/run-hook.ts';
import { execHook } from '../../runtime/hooks.ts';

const key = podKey('ns', 'p');
const containers = { main: { id: 'containerd://1', running: true, ready: true } };
const seen: Fact = { type: 'podObserved', pod: { key, uid: 'p-uid', phase: 'Running', containers } };
const exit = (exitCode: number): ExecOutcome => ({ kind: 'exited', exitCode });
/** After a runner has asked for its end. */
const stopped = (exitCode: number): ExecOutcome => ({ kind: 'exited', exitCode, wasEnded: true });
const detached = (part: Partial<ExecHook> = {}): ExecHook => execHook('p', { detach: true, ...part });
const next = { ...execHook('p'), id: 'ns/p/main/h/1' as HookId, index: 1 };
const types = (effects: readonly Effect[]): string[] => effects.map(({ type }) => type);

function runOf(hooks: readonly ExecHook[], resumed?: Resumed) {
  const run = createRun(hooks, { startedAt: instant(0), maxConcurrent: 1, resumed });
  const { id } = hooks[0] as ExecHook;
  const tell = (fact: Fact, ms: number): readonly Effect[] => step(run, [fact], instant(ms)).effects;
  const timer = (ms: number) => types(tell({ type: 'timerFired', key }, ms));
  const ended = (ms: number, outcome: ExecOutcome) => types(tell({ type: 'execEnded', hook: id, outcome }, ms));
  const row = () => {
    const { state, reason, exitCode, message } = hookRow(
      run,
      run.pods[0] as (typeof run.pods)[0],
      0 as HookPosition,
      1,
    );
    return { told: `${state} ${reason} ${exitCode ?? ''}`.trim(), message };
  };
  /** Its command runs since 10. */
  const begin = () => {
    const intents = tell(seen, 0);
    tell({ type: 'intentRecorded', hook: id }, 5);
    tell({ type: 'execStarted', hook: id }, 10);
    return intents;
  };
  return { run, id, tell, timer, ended, row, begin };
}

describe('a detached command', () => {
  it('is bound to this start of its container, which its intent names (R3.80)', () => {
    const { begin, id } = runOf([detached()]);
    const intent = { type: 'recordIntent', hook: id, attempt: 1, containerID: 'containerd://1' };
    assert.deepEqual(begin()[0], intent);
  });

  it('has its own exit code as its result, and is forgotten only behind that (R3.86)', () => {
    const { begin, ended, row } = runOf([detached()]);
    begin();
    assert.deepEqual(ended(20, exit(3)), ['dropExec', 'recordResult', 'forgetExec', 'clearTimer']);
    assert.equal(row().told, 'Failed exit 3');
  });

  it('is not started in a container that was restarted while its intent was being recorded (R3.80)', () => {
    const { run, tell, id } = runOf([detached()]);
    tell(seen, 0);
    const restarted = { main: { id: 'containerd://2', running: true, ready: true } };
    tell({ type: 'podObserved', pod: { key, uid: 'p-uid', phase: 'Running', containers: restarted } }, 2_000);
    assert.deepEqual(types(tell({ type: 'intentRecorded', hook: id }, 3_000)), ['recordNotStarted', 'setTimer']);
    const again = tell({ type: 'timerFired', key }, 30_000);
    assert.deepEqual(again[0], { type: 'recordIntent', hook: id, attempt: 1, containerID: 'containerd://2' });
    assert.equal(run.counts.waiting, 1);
  });

  it('that runs is Unknown, and its folder stays, if nobody may attach to it any more (R4.6)', () => {
    const { begin, ended, row, run } = runOf([detached()]);
    begin();
    const effects = ended(20, { kind: 'forbidden', message: 'the token is not accepted' });
    assert.equal(row().told, 'Unknown connection-lost');
    assert.ok(!effects.includes('forgetExec'), effects.join());
    assert.equal(run.failure?.code, 'forbidden');
  });

  it('is ended at its exec timeout, and its hook goes on until that is done (R3.83)', () => {
    const { begin, timer, ended, row, run } = runOf([detached(), next]);
    begin();
    assert.deepEqual(timer(30_009), ['setTimer']);
    assert.deepEqual(timer(30_010), ['endExec', 'setTimer']);
    assert.equal(row().message, 'its command is being ended');
    assert.deepEqual(timer(31_000), ['setTimer'], 'it is asked once');
    assert.ok(ended(33_000, stopped(143)).includes('recordIntent'), 'the next hook begins at once');
    assert.equal(row().told, 'TimedOut executing');
    assert.match(row().message ?? '', /is over; the command was ended, and nothing of it runs on$/);
    assert.equal(run.pods[0]?.quietUntil, undefined);
  });

  it('that had ended before it was to be ended has its own result (R3.83)', () => {
    const { id, begin, tell, timer, ended, row } = runOf([detached()]);
    begin();
    tell({ type: 'commandEnded', hook: id }, 30_000);
    assert.deepEqual(timer(30_500), ['clearTimer']);
    ended(31_000, exit(0));
    assert.match(row().told, /^Succeeded/);
  });

  it('that has ended by itself although it was to be ended has its own result, too (R3.83)', () => {
    const { begin, timer, ended, row } = runOf([detached({ retry: { attempts: 2, delayMs: 0, maxDelayMs: 0 } })]);
    begin();
    timer(30_010);
    ended(30_020, exit(0));
    assert.match(row().told, /^Succeeded/);
  });

  it('whose exit code is lost, and that is over, holds nothing up (R4.5)', () => {
    const { begin, ended, row, run } = runOf([detached({ execTimeoutMs: null }), next]);
    begin();
    const lost = { kind: 'connectionLost', message: 'its exit code is lost', isOver: true } as const;
    assert.ok(ended(100, lost).includes('recordIntent'), 'the next hook begins at once');
    assert.deepEqual([row().told, run.pods[0]?.quietUntil], ['Unknown connection-lost', undefined]);
  });

  it('that can not be ended within a minute is Unknown, and says so (R3.84)', () => {
    const { begin, timer, row } = runOf([detached()]);
    begin();
    timer(30_010);
    assert.deepEqual(timer(90_009), ['setTimer']);
    assert.deepEqual(timer(90_010), ['dropExec', 'recordResult', 'clearTimer'], 'and what is kept of it stays');
    assert.equal(row().told, 'Unknown connection-lost');
    assert.match(row().message ?? '', /could not be ended within 1m0s, and may still be running/);
  });

  it('is ended by cancel --grace, whose hook has failed for that (R3.85)', () => {
    const { begin, tell, ended, row, run } = runOf([detached({ onError: 'Fail' })]);
    begin();
    tell({ type: 'cancelRequested' }, 100);
    assert.deepEqual(types(tell({ type: 'dropRequested' }, 200)), ['endExec', 'setTimer']);
    ended(300, stopped(143));
    assert.equal(row().told, 'Failed canceled');
    assert.match(row().message ?? '', /^canceled: the command was ended/);
    assert.equal(run.failHookFailed, false);
  });

  it('that is canceled while it is asked for, and was not started, is NotExecuted (R3.85)', () => {
    const { id, tell, ended, row } = runOf([detached()]);
    tell(seen, 0);
    tell({ type: 'intentRecorded', hook: id }, 5);
    tell({ type: 'cancelRequested' }, 10);
    assert.deepEqual(types(tell({ type: 'dropRequested' }, 10)), ['endExec', 'setTimer']);
    ended(20, { kind: 'notStarted', why: 'it was ended before its start' });
    assert.equal(row().told, 'NotExecuted canceled');
  });

  it('whose exec timeout is over is started again by a hook with retry, once it was ended (R3.52)', () => {
    const retry = { attempts: 2, delayMs: 0, maxDelayMs: 0 };
    const { begin, timer, ended } = runOf([detached({ retry })]);
    begin();
    timer(30_010);
    assert.deepEqual(ended(31_000, stopped(137)), ['recordTried', 'recordIntent', 'forgetExec', 'clearTimer']);
  });

  const ends: readonly (readonly [ExecOutcome['kind'], string])[] = [
    ['containerRestarted', 'Failed container-restarted'],
    ['podGone', 'Unknown pod-deleted'],
  ];
  for (const [kind, told] of ends) {
    it(`that ends by ${kind} is ${told} (R3.82)`, () => {
      const { begin, ended, row } = runOf([detached()]);
      begin();
      ended(20, { kind } as ExecOutcome);
      assert.equal(row().told, told);
    });
  }

  it('is not waited for by a runner that is asked to end (R3.87)', () => {
    const { run, begin } = runOf([detached()]);
    begin();
    assert.equal(isIdle(run), true);
    const tied = runOf([execHook('p')]);
    tied.begin();
    assert.equal(isIdle(tied.run), false);
  });
});

describe('the next runner', () => {
  const head = { runID: 'r', planDigest: 'd', hooks: 2 };
  const hook = 0 as PlanPosition;
  const intent = { kind: 'intent', hook, tries: 1, at: instant(0), containerID: 'containerd://1' } as const;
  const resumed = (...entries: Parameters<Replay['fold']>[0]) => {
    const replay = new Replay(head);
    replay.fold([{ kind: 'claim', at: instant(0) }, ...entries]);
    return resume(replay, [detached(), next], 'fail', instant(1_000)).resumed;
  };
  const started = { kind: 'started', hook, at: instant(10) } as const;

  it('attaches to what an earlier one has begun before anything else starts in the pod (R3.81)', () => {
    const { tell, ended, row, id } = runOf([detached(), next], resumed(intent, started));
    assert.deepEqual(types(tell(seen, 2_000)), ['startExec', 'setTimer']);
    assert.deepEqual(types(tell({ type: 'execStarted', hook: id }, 2_100)), ['setTimer'], 'its start is journaled');
    assert.ok(ended(3_000, exit(0)).includes('recordIntent'));
    assert.match(row().told, /^Succeeded/);
  });

  it('goes on with its exec timeout, and lets what has ended meanwhile say so first (R3.83)', () => {
    const { tell, timer, id } = runOf([detached()], resumed(intent, started));
    tell(seen, 50_000);
    tell({ type: 'execStarted', hook: id }, 50_000);
    assert.deepEqual(timer(54_999), ['setTimer']);
    assert.deepEqual(timer(55_000), ['endExec', 'setTimer']);
  });

  for (const [canceled, told] of [
    [false, 'TimedOut executing'],
    [true, 'Failed canceled'],
  ] as const) {
    it(`tells what a runner before it has ended as ${told} (R3.83, R3.85)`, () => {
      const { tell, ended, row, id } = runOf([detached()], resumed(intent, started));
      tell(seen, 50_000);
      tell({ type: 'execStarted', hook: id }, 50_000);
      if (canceled) tell({ type: 'cancelRequested' }, 50_010);
      ended(50_100, stopped(137));
      assert.equal(row().told, told);
      assert.match(row().message ?? '', /the command was ended, and nothing of it runs on$/);
    });
  }

  it('ends it as Unknown where its pod is gone (R3.82)', () => {
    const { tell, row } = runOf([detached()], resumed(intent, started));
    tell({ type: 'podsListed' }, 2_000);
    assert.equal(row().told, 'Unknown pod-deleted');
  });

  it('attaches although its run is canceled, and ends it (R3.85)', () => {
    const { tell } = runOf([detached()], resumed(intent, started));
    tell({ type: 'cancelRequested' }, 1_000);
    tell({ type: 'dropRequested' }, 1_000);
    assert.deepEqual(types(tell(seen, 2_000)), ['startExec', 'endExec', 'setTimer']);
  });
});
