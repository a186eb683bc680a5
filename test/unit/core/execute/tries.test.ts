import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Effect, Fact } from '../../../../shared/core/execute/protocol.ts';
import type { Resumed } from '../../../../shared/core/execute/run-start.ts';
import { createRun, stateOf, stoppedBy } from '../../../../shared/core/execute/state.ts';
import { step } from '../../../../shared/core/execute/step.ts';
import { waitingFor } from '../../../../shared/core/execute/waiting-for.ts';
import { Replay } from '../../../../shared/core/journal/replay.ts';
import { resume } from '../../../../shared/core/journal/resume.ts';
import type { ExecHook, ExecOutcome, HookId } from '../../../../shared/core/model/hook.ts';
import { podKey } from '../../../../shared/core/model/hook.ts';
import { instant } from '../../../../shared/core/model/instant.ts';
import type { HookPosition, PlanPosition } from '../../../../shared/core/model/position.ts';
import { hookRow } from '../../../../shared/core/report/run-hook.ts';
import { execHook } from '../../runtime/hooks.ts';

const key = podKey('ns', 'p');
const up = { main: { running: true, ready: true } };
const seen: Fact = { type: 'podObserved', pod: { key, uid: 'p-uid', phase: 'Running', containers: up } };
const exit = (exitCode: number): ExecOutcome => ({ kind: 'exited', exitCode });
const first = 0 as HookPosition;

const tried = (part: Partial<ExecHook> = {}): ExecHook =>
  execHook('p', { retry: { attempts: 3, delayMs: 2_000, maxDelayMs: 3_000 }, ...part });

/** A run of these hooks in one pod, which has been seen at 0. */
function runOf(hooks: readonly ExecHook[], resumed?: Resumed) {
  const run = createRun(hooks, { startedAt: instant(0), maxConcurrent: 1, resumed });
  let now = 0;
  const tell = (fact: Fact, ms = now): readonly Effect[] => {
    now = ms;
    return step(run, [fact], instant(ms)).effects;
  };
  const { id } = hooks[0] as ExecHook;
  const timer = (ms: number) => tell({ type: 'timerFired', key }, ms);
  /** One start of the first hook, and its end. */
  const start = (ms: number, outcome: ExecOutcome): readonly Effect[] => {
    tell({ type: 'intentRecorded', hook: id }, ms);
    tell({ type: 'execStarted', hook: id });
    return tell({ type: 'execEnded', hook: id, outcome }, ms + 10);
  };
  const row = () => hookRow(run, run.pods[0] as (typeof run.pods)[0], first, 1);
  tell(seen);
  return { run, id, tell, timer, start, row };
}

const types = (effects: readonly Effect[]): string[] => effects.map(({ type }) => type);
const began = (effects: readonly Effect[]): HookId[] =>
  effects.flatMap((effect) => (effect.type === 'recordIntent' ? [effect.hook] : []));

describe('a hook with retry', () => {
  it('is started again after a failure, as often as it has attempts, and ends with its last start (R3.51)', () => {
    const { id, timer, start, row } = runOf([tried()]);
    assert.deepEqual(types(start(0, exit(1))), ['recordTried', 'setTimer']);
    assert.deepEqual(began(timer(2_009)), [], 'not before its pause is over (R3.53)');
    assert.deepEqual(began(timer(2_010)), [id]);
    start(2_010, exit(2));
    assert.deepEqual(began(timer(2_020 + 2_999)), [], 'the pauses double, up to the longest (R3.53)');
    assert.deepEqual(began(timer(2_020 + 3_000)), [id]);
    assert.deepEqual(types(start(6_000, exit(3))), ['dropExec', 'recordResult', 'clearTimer']);
    const { state, reason, exitCode, attempt, startedAt } = row();
    assert.deepEqual(
      { state, reason, exitCode, attempt },
      { state: 'Failed', reason: 'exit', exitCode: 3, attempt: 3 },
    );
    assert.equal(startedAt, 6_000);
  });

  it('takes the intent of a further start back that was not made, so that the next runner tells the same (R3.56)', () => {
    const { id, tell, timer, start } = runOf([tried()]);
    start(0, exit(1));
    timer(2_010);
    tell({ type: 'intentRecorded', hook: id }, 2_011);
    const effects = types(tell({ type: 'execEnded', hook: id, outcome: { kind: 'podDeleted' } }, 2_500));
    assert.deepEqual(effects, ['recordNotStarted', 'dropExec', 'recordResult', 'clearTimer']);
  });

  it('ends as soon as a start succeeds', () => {
    const { timer, start, row } = runOf([tried()]);
    start(0, exit(1));
    timer(2_010);
    start(2_010, exit(0));
    assert.equal(row().state, 'Succeeded');
    assert.equal(row().attempt, 2);
  });

  for (const outcome of [{ kind: 'connectionLost', message: 'm' }, { kind: 'podChanged' }] as const) {
    it(`is not started again after ${outcome.kind}, as its command may still run (R3.52)`, () => {
      const { start, row } = runOf([tried()]);
      assert.ok(types(start(0, outcome)).includes('recordResult'));
      assert.equal(row().state, 'Unknown');
    });
  }

  it('is not started again after its exec timeout, as its command may still run (R3.52)', () => {
    const { id, tell, timer, row } = runOf([tried({ execTimeoutMs: 1_000 })]);
    tell({ type: 'intentRecorded', hook: id });
    tell({ type: 'execStarted', hook: id });
    assert.ok(types(timer(1_000)).includes('recordResult'));
    assert.equal(row().reason, 'executing');
  });

  it('keeps the next hook of its pod waiting in its pause, and takes no slot (R3.55)', () => {
    const next = { ...execHook('p'), id: 'ns/p/main/h/1' as HookId, index: 1 };
    const other = execHook('q');
    const { id, tell, timer, start, run } = runOf([tried(), next, other]);
    const containers = { main: { running: true, ready: true } };
    const q: Fact = {
      type: 'podObserved',
      pod: { key: podKey('ns', 'q'), uid: 'q-uid', phase: 'Running', containers },
    };
    assert.deepEqual(began(tell(q)), [], 'the one slot is taken');
    assert.deepEqual(began(start(0, exit(1))), [other.id]);
    tell({ type: 'intentRecorded', hook: other.id });
    tell({ type: 'execStarted', hook: other.id });
    tell({ type: 'execEnded', hook: other.id, outcome: exit(0) });
    assert.equal(run.active, 0);
    assert.deepEqual(began(timer(2_010)), [id]);
    start(2_010, exit(0));
    assert.equal(stateOf(run.pods[0] as (typeof run.pods)[0], 1 as HookPosition).phase, 'Recording');
  });

  it('waits for no container of its pod to take its turn in its pause (R3.55)', () => {
    const other = { ...execHook('p', { container: 'side' }), id: 'ns/p/side/h/0' as HookId };
    const { tell, start } = runOf([tried(), other]);
    start(0, exit(1));
    const containers = { ...up, side: { running: true, ready: true } };
    assert.deepEqual(began(tell({ ...seen, pod: { key, uid: 'p-uid', phase: 'Running', containers } })), []);
  });

  it('has its wait timeout again for each further start, from the end of the pause on (R3.55)', () => {
    const { id, timer, start, row } = runOf([tried({ waitTimeoutMs: 1_000 })]);
    start(500, exit(1));
    assert.deepEqual(began(timer(1_500)), []);
    assert.equal(row().state, 'Waiting');
    assert.deepEqual(began(timer(2_510)), [id]);
  });

  for (const [what, told] of [
    ['its container is not ready', { main: { running: true, ready: false } }],
    ['its container is down', { main: { running: false, ready: false } }],
  ] as const) {
    it(`ends with its last start's result when ${what} until the wait timeout is over (R3.55, R3.56, R6.15)`, () => {
      const next = { ...execHook('p'), id: 'ns/p/main/h/1' as HookId, index: 1 };
      const part = { waitForReady: true, waitTimeoutMs: 1_000, waitTimeoutFrom: 'spec', onError: 'Fail' } as const;
      const { run, tell, timer, start, row } = runOf([tried(part), next]);
      start(0, exit(7));
      tell({ ...seen, pod: { ...seen.pod, containers: told } }, 1_500);
      assert.deepEqual(timer(2_010).at(-1), { type: 'setTimer', key, at: instant(3_010) });
      const waits = /, for attempt 2 of 3: the last one exited with 7, until 1970-01-01T00:00:03.010Z$/;
      assert.match(row().message ?? '', waits);
      timer(3_009);
      assert.equal(row().state, 'Waiting');
      const effects = timer(3_010);
      assert.ok(types(effects).includes('recordResult'));
      const { state, exitCode, attempt, finishedAt, message = '' } = row();
      assert.deepEqual([state, exitCode, attempt, finishedAt], ['Failed', 7, 1, 10]);
      const why = 'its waitTimeout of 1s (spec) is over: it waited for container main to';
      assert.ok(message.startsWith(`attempt 1 of 3; no further one was made: ${why}`), message);
      assert.deepEqual(run.stop, stoppedBy({ id: tried().id }));
    });
  }

  it('ends so while a refused start is asked for again, and while its intent is recorded (R3.55)', () => {
    const refused = runOf([tried({ waitTimeoutMs: 1_000 })]);
    refused.start(0, exit(7));
    refused.timer(2_010);
    refused.tell({ type: 'intentRecorded', hook: refused.id }, 2_010);
    const outcome = { kind: 'notStarted', why: 'the kubelet is down', retryAfterMs: 60_000 } as const;
    refused.tell({ type: 'execEnded', hook: refused.id, outcome }, 2_020);
    refused.timer(3_010);
    assert.match(refused.row().message ?? '', /is over: it waited for another try: the kubelet is down$/);
    const recorded = runOf([tried({ waitTimeoutMs: 1_000 })]);
    recorded.start(0, exit(7));
    assert.deepEqual(recorded.timer(2_010).at(-1), { type: 'setTimer', key, at: instant(3_010) });
    recorded.timer(3_010);
    assert.equal(recorded.row().state, 'Failed');
    assert.equal(recorded.row().attempt, 1);
  });

  it('does not keep a hook with a shorter wait timeout in its pod from its end (R3.17)', () => {
    const next = { ...execHook('p', { waitTimeoutMs: 3_000 }), id: 'ns/p/main/h/1' as HookId, index: 1 };
    const { run, timer, start } = runOf([tried({ waitTimeoutMs: 1_000 }), next]);
    assert.deepEqual(start(0, exit(7)).at(-1), { type: 'setTimer', key, at: instant(2_010) });
    timer(2_010);
    assert.deepEqual(timer(2_011).at(-1), { type: 'setTimer', key, at: instant(3_000) });
    timer(3_000);
    assert.equal(run.counts.timedOut, 1);
  });

  it('says in its pause which start comes next, when, and how the last one ended (R3.57)', () => {
    const { run, start, row } = runOf([tried({ waitTimeoutMs: 60_000 })]);
    start(0, exit(1));
    const text = 'attempt 2 of 3, at 1970-01-01T00:00:02.010Z: the last one exited with 1';
    assert.equal(waitingFor(run, run.pods[0] as (typeof run.pods)[0], first), text);
    assert.equal(row().message, `waiting for ${text}`);
    assert.equal(row().attempt, 2);
  });

  it('waits for its container, and says so, once its pause is over, and not before (R3.57)', () => {
    const { tell, timer, start, row } = runOf([tried({ waitForReady: true })]);
    start(0, exit(1));
    const pause = 'waiting for attempt 2 of 3, at 1970-01-01T00:00:02.010Z: the last one exited with 1';
    tell({ ...seen, pod: { ...seen.pod, containers: { main: { running: true, ready: false } } } }, 1_000);
    assert.equal(row().message, pause);
    timer(2_009);
    assert.equal(row().message, pause);
    timer(2_010);
    const then = 'waiting for container main to be ready, for attempt 2 of 3: the last one exited with 1';
    assert.equal(row().message, `${then}, without a limit`);
  });

  it('says that it is in its pause under the next runner, which has not seen its pod yet (R3.57)', () => {
    const last = {
      phase: 'Ended',
      outcome: { state: 'Failed', reason: 'exit', exitCode: 1 },
      endedAt: instant(10),
    } as const;
    const none = { ended: new Map(), tries: new Map(), lost: new Map(), waitingSince: new Map(), wasTaken: true };
    const run = createRun([tried()], {
      startedAt: instant(500),
      maxConcurrent: 1,
      resumed: { ...none, starts: new Map([[tried().id, 1]]), last: new Map([[tried().id, last]]) },
    });
    assert.match(waitingFor(run, run.pods[0] as (typeof run.pods)[0], first), /^attempt 2 of 3, at /);
  });

  const ends: readonly (readonly [why: string, fact: Fact, said: string])[] = [
    ['the run is canceled', { type: 'cancelRequested' }, 'the run was canceled'],
    ['its pod is deleted', { type: 'podDeleted', key, uid: 'p-uid' }, 'its pod was deleted'],
    ['its pod is replaced', { ...seen, pod: { ...seen.pod, uid: 'other' } }, 'its pod was replaced'],
    ['its pod finishes', { ...seen, pod: { ...seen.pod, phase: 'Succeeded' } }, 'its pod has finished'],
    [
      'the run can not go on',
      { type: 'runFailed', failure: { code: 'error', message: 'no journal' } },
      'the run could not go on: no journal',
    ],
  ];
  for (const [why, fact, said] of ends) {
    it(`ends in its pause with the result of its last start when ${why} (R3.56)`, () => {
      const { run, tell, start, row } = runOf([tried()]);
      start(0, exit(7));
      const effects = tell(fact, 1_000);
      assert.deepEqual(types(effects), ['recordResult', 'clearTimer']);
      const { state, exitCode, message, attempt, startedAt, finishedAt } = row();
      assert.deepEqual([state, exitCode, attempt, startedAt, finishedAt], ['Failed', 7, 1, 0, 10]);
      assert.equal(message, `attempt 1 of 3; no further one was made: ${said}`);
      assert.equal(run.counts.failed, 1);
    });
  }

  it('keeps what was said of its last start where no further one is made (R3.56, R3.29)', () => {
    const { tell, start, row } = runOf([tried()]);
    start(0, { kind: 'error', message: 'no such command' });
    assert.match(row().message ?? '', /: the last one ended Failed \(error\): no such command$/);
    tell({ type: 'cancelRequested' }, 1_000);
    const text = 'no such command; attempt 1 of 3; no further one was made: the run was canceled';
    assert.equal(row().message, text);
  });

  it('opens the next wave when it ends in its pause, and has run until its last start ended (R3.56, R3.44)', () => {
    const q = { key: podKey('ns', 'q'), uid: 'q-uid', phase: 'Running', containers: {} } as const;
    const { run, tell, start, row } = runOf([tried(), execHook('q', { wave: 1, waitTimeoutMs: 500 })]);
    tell({ type: 'podObserved', pod: q });
    start(0, exit(1));
    tell({ type: 'podDeleted', key, uid: 'p-uid' }, 1_500);
    assert.equal(row().finishedAt, 10);
    assert.equal(run.waves.openedAt, 1_500);
    assert.equal(run.counts.waiting, 1);
  });

  it('stops the run under onError: Fail only with its last start (R3.51)', () => {
    const { run, timer, start } = runOf([
      tried({ onError: 'Fail', retry: { attempts: 2, delayMs: 0, maxDelayMs: 0 } }),
    ]);
    start(0, exit(1));
    assert.ok(run.stop === undefined);
    timer(10);
    start(20, exit(1));
    assert.deepEqual(run.stop, stoppedBy({ id: tried().id }));
  });

  it('is left in its pause to the next runner by a runner that is suspended (R3.54)', () => {
    const { run, tell, timer, start, row } = runOf([tried()]);
    start(0, exit(1));
    tell({ type: 'suspendRequested' });
    assert.deepEqual(began(timer(2_010)), []);
    assert.equal(row().state, 'Waiting');
    assert.equal(run.finishedAt, undefined);
  });
});

describe('the next runner', () => {
  const head = { runID: 'r', planDigest: 'd', hooks: 1 };
  const hook = 0 as PlanPosition;
  const outcome = { state: 'Failed', reason: 'exit', exitCode: 1 } as const;
  const intent = { kind: 'intent', hook, tries: 1, at: instant(0) } as const;
  const triedOnce = {
    kind: 'tried',
    hook,
    outcome,
    startedAt: instant(0),
    endedAt: instant(10),
    podUID: 'p-uid',
  } as const;
  const replayed = (...entries: Parameters<Replay['fold']>[0]) => {
    const replay = new Replay(head);
    replay.fold([{ kind: 'claim', at: instant(0) }, ...entries]);
    return resume(replay, [tried()], 'fail', instant(1_000)).resumed;
  };

  it('goes on with the pause, and with the starts that are left (R3.54)', () => {
    const { id, timer, start, row } = runOf([tried()], replayed(intent, triedOnce));
    assert.equal(row().attempt, 2);
    assert.deepEqual(began(timer(2_009)), []);
    assert.deepEqual(began(timer(2_010)), [id]);
    start(2_010, exit(1));
    timer(10_000);
    start(10_000, exit(1));
    assert.equal(row().state, 'Failed');
    assert.equal(row().attempt, 3);
  });

  it('goes on with the wait for the next start, from the end of the pause on (R3.55, R6.5)', () => {
    const part = { waitTimeoutMs: 1_000, waitForReady: true };
    const { tell, timer, row } = runOf([tried(part)], replayed(intent, triedOnce));
    tell({ ...seen, pod: { ...seen.pod, containers: { main: { running: true, ready: false } } } }, 1_000);
    timer(3_009);
    assert.equal(row().state, 'Waiting');
    timer(3_010);
    assert.deepEqual([row().state, row().finishedAt], ['Failed', 10]);
  });

  it('finds what was started for the second time when its runner died Unknown, and doesn’t start it again (R3.52)', () => {
    const { ended } = replayed(intent, triedOnce, { ...intent, at: instant(2_010) });
    const [result] = ended.values();
    assert.deepEqual(result?.outcome.reason, 'runner-died');
    assert.equal(result?.starts, 1);
  });

  it('keeps the result of what ended in its pause, which is of its last start (R3.56)', () => {
    const { kind: _, ...result } = triedOnce;
    const { ended } = replayed(intent, triedOnce, { kind: 'result', ...result });
    assert.deepEqual(
      [...ended.values()].map(({ starts = 0 }) => starts),
      [0],
    );
  });

  it('tells the end of the last start of what ended in its pause, and which timeout was over (R3.56)', () => {
    const { kind: _, ...last } = triedOnce;
    const ending = { ...last, outcome: { state: 'TimedOut', reason: 'executing' } } as const;
    const { ended } = replayed(intent, triedOnce, { kind: 'result', ...last, endedAt: instant(900) });
    const [{ endedAt, commandEndedAt } = assert.fail()] = ended.values();
    assert.deepEqual([endedAt, commandEndedAt], [900, 10]);
    const { tell, row } = runOf([tried({ detach: true })], replayed(intent, { kind: 'tried', ...ending }));
    tell({ type: 'cancelRequested' });
    assert.match(row().message ?? '', /^its execTimeout of 30s .* is over; attempt 1 of 3; no further one was made: /);
    assert.equal(row().finishedAt, 10);
  });

  it('runs nothing in another pod of the name that the hook was started in (R3.25)', () => {
    const { podUID: _, ...unbound } = tried();
    const { row } = runOf([unbound], replayed(intent, { ...triedOnce, podUID: 'former' }));
    assert.equal(row().state, 'Failed');
    assert.match(row().message ?? '', /its pod was replaced/);
  });
});
