import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ErrorCode } from '../../../shared/core/errors.ts';
import { RestoreHooksError } from '../../../shared/core/errors.ts';
import type { Resumed } from '../../../shared/core/execute/run-start.ts';
import type { ExecOutcome, Hook, HookId } from '../../../shared/core/model/hook.ts';
import { podKey } from '../../../shared/core/model/hook.ts';
import { instant } from '../../../shared/core/model/instant.ts';
import { ANNOTATION } from '../../../shared/core/names.ts';
import type { RunHook } from '../../../shared/core/report/run-document.ts';
import type { RunEvent } from '../../../shared/core/report/run-event.ts';
import type { RunStatus } from '../../../shared/core/report/run-status.ts';
import { parseRunStatus } from '../../../shared/core/report/run-status.ts';
import type { EventWriter, Output, PodEvent, PodSource, RunStore, Wishes } from '../../../shared/ports/ports.ts';
import type { RunRequest } from '../../../shared/runtime/run.ts';
import { startRun } from '../../../shared/runtime/run.ts';
import { execOnly } from '../../sim/exec-only.ts';
import { firmHold, forgetfulJournal } from '../../sim/forgetful-journal.ts';
import { pendingStatus } from '../../sim/run-world.ts';
import { VirtualClock } from '../../sim/virtual-clock.ts';
import type { Plain } from '../core/plain.ts';
import { branded } from '../core/plain.ts';
import { execHook, initHook } from './hooks.ts';

const HOUR = 3_600_000;
const textOf = (ms: number) => new Date(ms).toISOString();
const refused = (code: ErrorCode) => new RestoreHooksError(code, `patch restores.velero.io velero/r: ${code}`);

type Answer = ErrorCode | 'ok';
/** The store's answers to writes: a list in order, whose last answer counts for all later writes, or a function of time. */
type Answers = { readonly [_ in 'annotate' | 'report' | 'phase']?: readonly Answer[] | ((at: number) => Answer) };

/** A run with a virtual clock. Its pods are up unless the test says otherwise, and the test controls its store. */
class Bench {
  readonly clock = new VirtualClock();
  readonly statuses: { readonly at: number; readonly status: RunStatus }[] = [];
  readonly reports: { readonly at: number; readonly rows: readonly RunHook[] }[] = [];
  readonly warned: { readonly at: number; readonly what: string; readonly message: string }[] = [];
  readonly moves: [from: string, to: string][] = [];
  wishes: Wishes = {};
  readonly told: RunEvent[] = [];
  events: EventWriter = {
    write: (event, written) => {
      this.told.push(event);
      written();
    },
  };
  /** All tries, also refused ones. */
  readonly tries = { annotate: 0, report: 0, phase: 0 };
  readonly #answers: Answers;

  constructor(answers: Answers = {}) {
    this.#answers = answers;
  }

  #answer(what: keyof Answers): void {
    const answers = this.#answers[what] ?? ['ok'];
    const tries = this.tries[what];
    this.tries[what] += 1;
    const answer =
      typeof answers === 'function'
        ? answers(this.clock.now())
        : (answers[Math.min(tries, answers.length - 1)] ?? 'ok');
    if (answer !== 'ok') throw refused(answer);
  }

  readonly store: RunStore = {
    annotate: async (annotations) => {
      this.#answer('annotate');
      const parsed = parseRunStatus(annotations[ANNOTATION.status] ?? '');
      assert.ok(parsed.ok);
      this.statuses.push({ at: this.clock.now(), status: parsed.value });
      return this.wishes;
    },
    addToReport: async (rows) => {
      this.#answer('report');
      return this.reports.push({ at: this.clock.now(), rows });
    },
    setRestorePhase: async (from, to) => {
      this.#answer('phase');
      this.moves.push([from, to]);
    },
    checkRestore: async () => this.wishes,
  };

  /** Let time go on before anything begins. */
  passed(ms: number): void {
    this.clock.setTimer(ms, () => undefined);
    this.clock.runUntil(ms);
  }

  /** `run`: how the command of a pod's hook ends, and after what time. */
  start(
    hooks: readonly Hook[],
    run: (pod: string) => { after?: number; outcome?: ExecOutcome; output?: Output },
    { pods = upAtOnce(hooks), ...more }: Partial<RunRequest> & { pods?: PodSource } = {},
  ) {
    const request: RunRequest = {
      hooks,
      kept: [],
      status: pendingStatus(hooks.length),
      maxConcurrent: 64,
      keepRestorePhase: false,
      formerPhase: undefined,
      ...more,
    };
    const { clock, store, events } = this;
    const exec = {
      start: ({ pod }: { pod: string }, answer: Parameters<Parameters<typeof startRun>[1]['exec']['start']>[1]) => {
        const { after = 10, outcome = { kind: 'exited', exitCode: 0 }, output = {} } = run(pod);
        answer.started();
        return clock.setTimer(after, () => answer.ended(outcome, output));
      },
    };
    const ports = { clock, exec, journal: forgetfulJournal, pods, store, hold: firmHold, ...execOnly, events };
    return startRun(request, ports, {
      warn: (what, { message }) => this.warned.push({ at: clock.now(), what, message }),
    });
  }

  async ended<T>(done: Promise<T>, limitMs = 100 * 24 * HOUR): Promise<T> {
    let isOver = false;
    const noted = done.finally(() => {
      isOver = true;
    });
    noted.catch(() => undefined);
    // If no timer is left, the next call sees what the promises have done.
    for (let calls = 0; !isOver && calls < 10; calls += 1) await this.clock.runUntilWithPromises(limitMs);
    assert.ok(isOver, 'the run has no end');
    return noted;
  }
}

const upAtOnce = (hooks: readonly Hook[]): PodSource => ({
  start(tell) {
    for (const hook of hooks) tell(up(hook));
    tell({ type: 'podsListed' });
    return () => undefined;
  },
});

const up = ({ namespace, pod, podUID = '', container }: Hook): PodEvent => ({
  type: 'podObserved',
  pod: {
    key: podKey(namespace, pod),
    uid: podUID,
    phase: 'Running',
    containers: { [container]: { running: true, ready: true } },
  },
});

const resumedWith = (ended: Plain<Resumed['ended']>): Resumed => ({
  ended: branded<Resumed['ended']>(ended),
  tries: new Map(),
  lost: new Map(),
  waitingSince: new Map(),
  wasTaken: true,
});

// R5.20
describe('the last word on a run', () => {
  const endings: [title: string, code: ErrorCode, exit: number][] = [
    ['refused for good', 'RUN_FAILED', 10],
    ['refused as invalid', 'INVALID_INPUT', 10],
    ['in conflict with somebody who never stops', 'WRITE_CONFLICT', 10],
    ['forbidden', 'FORBIDDEN', 5],
    ['out of reach for ten minutes', 'CLUSTER_UNREACHABLE', 6],
  ];
  for (const [title, code, exit] of endings) {
    it(`${title}: the run ends, says so, and exits ${exit}`, async () => {
      const bench = new Bench({ annotate: ['ok', code] });
      const { done } = bench.start([execHook('p')], () => ({ outcome: { kind: 'exited', exitCode: 7 } }));
      await assert.rejects(bench.ended(done), (error) => {
        assert.ok(error instanceof RestoreHooksError);
        assert.equal(error.exitCode, exit);
        assert.match(error.message, /CompletedWithFailures: 1\/1 done, 1 failed.*patch restores.velero.io velero\/r/);
        return true;
      });
      assert.ok(bench.tries.annotate >= 5, `${bench.tries.annotate} tries`);
      assert.deepEqual([...new Set(bench.warned.map(({ message }) => message))], [refused(code).message]);
      const gaps = bench.warned.slice(1).map(({ at }, index) => at - (bench.warned[index]?.at ?? 0));
      assert.ok(
        gaps.every((ms) => ms >= 30_000),
        'the same is not told all the time',
      );
    });
  }

  it('that is refused a few times is written', async () => {
    const bench = new Bench({
      annotate: ['ok', 'INVALID_INPUT', 'FORBIDDEN', 'WRITE_CONFLICT', 'INVALID_INPUT', 'ok'],
    });
    const { status } = await bench.ended(bench.start([execHook('p')], () => ({})).done);
    assert.equal(status.phase, 'Completed');
    assert.deepEqual(bench.statuses.at(-1)?.status, status);
  });

  it('says what of the report and of the phase could not be written', async () => {
    const bench = new Bench({ report: ['ok', 'RUN_FAILED'], phase: ['RUN_FAILED'] });
    const hook = execHook('p', { onError: 'Fail' });
    const { done } = bench.start([hook], () => ({ outcome: { kind: 'exited', exitCode: 7 } }));
    const { status } = await bench.ended(done);
    assert.equal(status.phase, 'PartiallyFailed');
    assert.deepEqual(
      status.notices?.map((notice) => notice.split(':')[0]),
      ['the report is not complete', "the Restore's phase could not be set to PartiallyFailed"],
    );
    assert.deepEqual(bench.statuses.at(-1)?.status, status);
  });

  it('is not told where a row has no result, and neither is the last report', async () => {
    const bench = new Bench();
    const hook = execHook('p');
    const kept = [{ hook, run: 0, attempt: 0, state: 'Running' } as const];
    await assert.rejects(
      bench.ended(bench.start([hook], () => ({}), { kept }).done),
      /the rows of a run that has ended/,
    );
    assert.ok(bench.statuses.every(({ status }) => status.finishedAt === undefined));
    assert.equal(bench.reports.length, 1, 'the first');
  });
});

describe('what is refused while a run goes on', () => {
  const twoHooks = [execHook('p'), execHook('q', { execTimeoutMs: null })];

  // R5.15
  it('a first report that is refused starts nothing', async () => {
    const bench = new Bench({ report: ['RUN_FAILED'] });
    const { done } = bench.start([execHook('p')], () => assert.fail('nothing may be started'));
    const { status, rows } = await bench.ended(done);
    assert.deepEqual([status.phase, status.failure?.code], ['Failed', 'error']);
    assert.match(status.failure?.message ?? '', /its report could not be written: patch restores/);
    assert.deepEqual([rows[0]?.state, rows[0]?.reason], ['NotExecuted', 'aborted']);
  });

  it('a status ends no hook, and is told once it is taken', async () => {
    const bench = new Bench({ annotate: (at) => (at > 500 && at < 200_000 ? 'INVALID_INPUT' : 'ok') });
    const after = (pod: string) => ({ after: pod === 'p' ? 1_000 : 300_000 });
    const { status } = await bench.ended(bench.start(twoHooks, after).done);
    assert.deepEqual([status.phase, status.counts.succeeded], ['Completed', 2]);
  });

  it('a report ends no hook either', async () => {
    const bench = new Bench({ report: (at) => (at > 500 && at < 200_000 ? 'RUN_FAILED' : 'ok') });
    const after = (pod: string) => ({ after: pod === 'p' ? 1_000 : 300_000 });
    const { status } = await bench.ended(bench.start(twoHooks, after).done);
    assert.deepEqual([status.phase, status.notices], ['Completed', undefined]);
    assert.ok(bench.reports.length > 1);
  });

  it('a Restore that is gone ends the run, and so does another runner', async () => {
    const bench = new Bench({ annotate: ['ok', 'NOT_FOUND'] });
    const slow = (pod: string) => ({ after: pod === 'p' ? 1_000 : 20_000 });
    const waiting: PodSource = {
      start(tell) {
        for (const hook of twoHooks) tell(up(hook));
        return () => undefined;
      },
    };
    const { status, rows } = await bench.ended(bench.start([...twoHooks, execHook('r')], slow, { pods: waiting }).done);
    assert.deepEqual([status.phase, status.failure?.code], ['Failed', 'restore-deleted']);
    assert.deepEqual(
      rows.map(({ state, reason }) => [state, reason]),
      [
        ['Succeeded', undefined],
        ['Succeeded', undefined],
        ['NotExecuted', 'aborted'],
      ],
    );
    const other = new Bench({ annotate: ['ok', 'RUN_BY_ANOTHER'] });
    await assert.rejects(other.ended(other.start([...twoHooks], slow).done), { code: 'RUN_BY_ANOTHER' });
    assert.deepEqual([other.statuses.length, other.reports.length], [1, 1], 'nothing more is written');
  });
});

describe('a cancel', () => {
  it('gives what runs its grace from when it is first seen, however often it is seen again', async () => {
    const bench = new Bench();
    const { done } = bench.start([execHook('p', { execTimeoutMs: null })], () => ({ after: HOUR }));
    bench.clock.setTimer(10_000, () => {
      bench.wishes = { cancel: { graceMs: 20_000 } };
    });
    const { status, rows } = await bench.ended(done);
    const droppedAt = Date.parse(rows[0]?.finishedAt ?? '');
    assert.deepEqual([status.phase, rows[0]?.state, rows[0]?.reason], ['Canceled', 'Unknown', 'canceled']);
    assert.ok(droppedAt >= 30_000 && droppedAt <= 40_000, `dropped after ${droppedAt} ms`);
  });

  it('without a grace waits for what runs', async () => {
    const bench = new Bench();
    bench.wishes = { cancel: {} };
    const { status } = await bench.ended(bench.start([execHook('p')], () => ({ after: 20_000 })).done);
    assert.equal(status.phase, 'Canceled');
  });
});

// R7.82
describe('a deadline', () => {
  const until = (ms: number, planned: number) => ({ status: { ...pendingStatus(planned), deadline: textOf(ms) } });
  const twoOfOnePod = [
    execHook('p', { execTimeoutMs: null }),
    execHook('p', { index: 1, id: 'ns/p/main/h/1' as HookId }),
  ];

  it('starts nothing more, waits for what runs, and ends the run Failed with what is left to the next one', async () => {
    const bench = new Bench();
    const { done } = bench.start(twoOfOnePod, () => ({ after: 40_000 }), until(30_000, 2));
    const { status, rows } = await bench.ended(done);
    assert.deepEqual([status.phase, status.failure?.code, status.suspendedAt], ['Failed', 'deadline', undefined]);
    assert.equal(status.failure?.message, `its deadline ${textOf(30_000)} (30s after it was begun) has passed`);
    assert.deepEqual(
      rows.map(({ state, reason }) => [state, reason]),
      [
        ['Succeeded', undefined],
        ['NotExecuted', 'runner-died'],
      ],
    );
    assert.deepEqual([status.counts.succeeded, status.counts.notExecuted, status.counts.waiting], [1, 1, 0]);
    assert.deepEqual(bench.statuses.at(-1)?.status, status);
    assert.deepEqual([bench.told.at(-1)?.reason, bench.told.length], ['RestoreHooksFailed', 2]);
    assert.match(bench.told.at(-1)?.message ?? '', /its deadline .* has passed/);
  });

  it('gives what runs 50 seconds; then nobody waits for its end', async () => {
    const bench = new Bench();
    const { done } = bench.start(twoOfOnePod, () => ({ after: HOUR }), until(30_000, 2));
    const { status, rows } = await bench.ended(done);
    const endedAt = Date.parse(status.finishedAt ?? '');
    assert.ok(endedAt >= 80_000 && endedAt <= 90_000, `ended after ${endedAt} ms`);
    assert.deepEqual([rows[0]?.state, rows[0]?.reason, status.counts.unknown], ['Unknown', 'runner-died', 1]);
  });

  // R3.58, R4.6, R3.46
  it('in the pause before a further start leaves the result of the last one, and no wave is open any more', async () => {
    const bench = new Bench();
    const retry = { attempts: 5, delayMs: HOUR, maxDelayMs: HOUR };
    const hooks = [execHook('p', { retry }), execHook('q', { wave: 1 })];
    const exits = () => ({ outcome: { kind: 'exited', exitCode: 1 } }) as const;
    const { status, rows } = await bench.ended(bench.start(hooks, exits, until(30_000, 2)).done);
    assert.deepEqual(
      rows.map(({ state, reason, attempt, exitCode }) => [state, reason, attempt, exitCode]),
      [
        ['Failed', 'exit', 1, 1],
        ['NotExecuted', 'runner-died', 1, undefined],
      ],
    );
    assert.deepEqual([status.counts.failed, status.counts.notExecuted], [1, 1]);
    assert.ok(bench.statuses.some((each) => each.status.openWave !== undefined));
    assert.equal(status.openWave, undefined);
  });

  it('that has passed when a runner takes the run lets it start nothing', async () => {
    const bench = new Bench();
    bench.passed(60_000);
    const never = () => assert.fail('nothing may be started');
    const { status } = await bench.ended(bench.start(twoOfOnePod, never, until(30_000, 2)).done);
    assert.deepEqual([status.phase, status.failure?.code, status.counts.notExecuted], ['Failed', 'deadline', 2]);
    assert.deepEqual(
      bench.told.map(({ reason }) => reason),
      ['RestoreHooksFailed'],
    );
  });

  it('changes nothing of a run that has ended before, or whose running hooks are its last', async () => {
    for (const after of [10_000, 40_000]) {
      const bench = new Bench();
      const { status } = await bench.ended(
        bench.start([execHook('p', { execTimeoutMs: null })], () => ({ after }), until(30_000, 1)).done,
      );
      assert.deepEqual([status.phase, status.failure], ['Completed', undefined]);
    }
  });

  it('ends a run that is canceled meanwhile as canceled', async () => {
    const bench = new Bench();
    const { done } = bench.start(twoOfOnePod, () => ({ after: HOUR }), until(30_000, 2));
    bench.clock.setTimer(35_000, () => {
      bench.wishes = { cancel: { graceMs: 5_000 } };
    });
    const { status, rows } = await bench.ended(done);
    assert.deepEqual([status.phase, rows.map(({ reason }) => reason)], ['Canceled', ['canceled', 'canceled']]);
  });
});

describe('when a run has ended', () => {
  it('is when its last hook has', async () => {
    const bench = new Bench({ annotate: (at) => (at > 6_500 && at < 20_000 ? 'CLUSTER_UNREACHABLE' : 'ok') });
    const { status, rows } = await bench.ended(bench.start([execHook('p')], () => ({ after: 7_000 })).done);
    assert.deepEqual([status.finishedAt, rows[0]?.finishedAt], [textOf(7_000), textOf(7_000)]);
    assert.ok((bench.statuses.at(-1)?.at ?? 0) >= 20_000, 'it is written later');
  });

  it('is when an earlier runner has ended the last hook, where nothing is left to do', async () => {
    const bench = new Bench();
    bench.passed(HOUR);
    const [one, two] = [execHook('p'), execHook('q')];
    const outcome = { state: 'Succeeded', exitCode: 0 } as const;
    const resumed = resumedWith(
      new Map([
        [one.id, { phase: 'Ended', outcome, startedAt: 1_000, endedAt: 1_800_000 }],
        [two.id, { phase: 'Ended', outcome, startedAt: 1_000, endedAt: 2_000 }],
      ]),
    );
    const started = { ...pendingStatus(2), startedAt: textOf(500) };
    const { status } = await bench.ended(bench.start([one, two], () => ({}), { resumed, status: started }).done);
    assert.deepEqual([status.startedAt, status.finishedAt], [textOf(500), textOf(1_800_000)]);
  });

  it('is when the last was ended that never ran, also where the run was taken over', async () => {
    const bench = new Bench();
    bench.passed(HOUR);
    const [one, two] = [execHook('p', { onError: 'Fail' }), execHook('q')];
    const outcome = { state: 'Failed', reason: 'exit', exitCode: 1 } as const;
    const resumed = resumedWith(new Map([[one.id, { phase: 'Ended', outcome, endedAt: 2_000 }]]));
    const started = { ...pendingStatus(2), startedAt: textOf(500) };
    const { status, rows } = await bench.ended(bench.start([one, two], () => ({}), { resumed, status: started }).done);
    assert.deepEqual([status.phase, status.finishedAt], ['PartiallyFailed', textOf(HOUR)]);
    assert.deepEqual([rows[1]?.reason, rows[1]?.finishedAt], ['aborted', textOf(HOUR)]);
  });

  it('is at once where nothing was to be done', async () => {
    const bench = new Bench();
    bench.passed(5_000);
    const { status } = await bench.ended(bench.start([], () => ({})).done);
    assert.deepEqual([status.startedAt, status.finishedAt], [textOf(5_000), textOf(5_000)]);
  });
});

describe('reports', () => {
  /** A pod that never starts, but whose status changes all the time. */
  const restless = (clock: VirtualClock, hook: Hook): PodSource => ({
    start(tell) {
      let stopped = false;
      const see = (serial: number): void => {
        if (stopped) return;
        const main = { running: false, ready: false, reason: `Reason${serial}` };
        const key = podKey(hook.namespace, hook.pod);
        tell({ type: 'podObserved', pod: { key, uid: hook.podUID ?? '', phase: 'Pending', containers: { main } } });
        clock.setTimer(Math.max(5_000, clock.now() / 500), () => see(serial + 1));
      };
      see(0);
      return () => {
        stopped = true;
      };
    },
  });

  for (const days of [1, 3]) {
    // R5.14
    it(`of a run of ${days} days are at most 200, and never stop`, async () => {
      const bench = new Bench();
      const hook = execHook('p', { waitTimeoutMs: days * 24 * HOUR });
      const pods = restless(bench.clock, hook);
      await bench.ended(bench.start([hook], () => assert.fail('it is not up'), { pods }).done);
      const times = bench.reports.map(({ at }) => at);
      assert.ok(times.length > 100 && times.length <= 200, `${times.length} reports`);
      assert.ok(times[1] !== undefined && times[1] <= 6_000, `the second after ${times[1]} ms`);
      for (const [index, at] of times.entries()) {
        const before = times[index - 1] ?? 0;
        assert.ok(at - before <= Math.max(20_000, at / 3), `none between ${before} and ${at}`);
      }
    });
  }

  it('are counted over all runners of a run', async () => {
    const bench = new Bench();
    bench.passed(24 * HOUR);
    const hook = execHook('p', { waitTimeoutMs: 2 * 24 * HOUR });
    const status = { ...pendingStatus(1), startedAt: textOf(0), reportParts: 180 };
    const pods = restless(bench.clock, hook);
    await bench.ended(bench.start([hook], () => assert.fail('it is not up'), { pods, status }).done);
    assert.ok(bench.reports.length > 3 && bench.reports.length <= 20, `${bench.reports.length} reports`);
  });

  it('hold 16 MiB of output over all runners of a run, and the status knows it first', async () => {
    const bench = new Bench();
    const hooks = Array.from({ length: 400 }, (_, pod) => execHook(`p${pod}`));
    const status = { ...pendingStatus(400), startedAt: textOf(0), reportParts: 3, outputBytes: 15 * 1024 * 1024 };
    const run = (pod: string) => ({
      after: Number(pod.slice(1)) * 100,
      outcome: { kind: 'exited', exitCode: 1 } as const,
      output: { stdout: 'x'.repeat(4096) },
    });
    const { status: last } = await bench.ended(bench.start(hooks, run, { status, maxConcurrent: 1_000 }).done);
    let used = 15 * 1024 * 1024;
    for (const { at, rows } of bench.reports) {
      used += rows.reduce((sum, { stdout = '' }) => sum + stdout.length, 0);
      const announced = bench.statuses.findLast((each) => each.at <= at)?.status.outputBytes ?? 0;
      const isLast = at === bench.reports.at(-1)?.at;
      assert.ok(used <= announced || isLast, `${used} bytes at ${at}, and ${announced} were announced`);
    }
    assert.equal(used, 16 * 1024 * 1024);
    assert.equal(last.outputBytes, used);
    assert.ok(bench.reports.length > 3);
  });

  it('of a run that is suspended hold no more than the next runner knows of', async () => {
    const bench = new Bench();
    const hooks = [execHook('p', { container: 'main' }), execHook('q')];
    const run = bench.start(hooks, (pod) => ({
      after: pod === 'p' ? 100 : HOUR,
      output: { stdout: 'x'.repeat(4096) },
    }));
    bench.clock.setTimer(200, () => {
      run.suspend();
      run.drop();
    });
    const { status } = await bench.ended(run.done);
    assert.ok(status.suspendedAt !== undefined && status.finishedAt === undefined);
    const { at } = bench.reports.find(({ rows }) => rows.some(({ stdout }) => stdout !== undefined)) ?? assert.fail();
    const first = bench.statuses.find((each) => (each.status.outputBytes ?? 0) >= 4096);
    assert.ok(first !== undefined && first.at <= at && bench.statuses.indexOf(first) < bench.statuses.length - 1);
  });

  it('tell when an init container was started again', async () => {
    const bench = new Bench();
    const hook = initHook('p');
    const see = (tell: (event: PodEvent) => void, restarts: number, startedAt: number) =>
      tell({
        type: 'podObserved',
        pod: {
          key: podKey('ns', 'p'),
          uid: 'p-uid',
          phase: 'Pending',
          containers: {},
          initContainers: {
            load: { phase: 'running', isOver: false, isSidecar: false, restarts, startedAt: instant(startedAt) },
          },
        },
      });
    const pods: PodSource = {
      start(tell) {
        see(tell, 0, 1_000);
        tell({ type: 'podsListed' });
        bench.clock.setTimer(20_000, () => see(tell, 1, 20_000));
        return () => undefined;
      },
    };
    const run = bench.start([hook], () => ({}), { pods });
    bench.clock.setTimer(60_000, () => run.cancel());
    bench.clock.setTimer(60_001, () => run.drop());
    await bench.clock.runUntilWithPromises(50_000);
    assert.equal(bench.reports.at(-1)?.rows[0]?.startedAt, textOf(20_000));
  });
});

describe('what a run says of its successes', () => {
  const UNPROVEN = /successes are not proven/;
  const unproven: ExecOutcome = { kind: 'exited', exitCode: 0, unproven: true };

  it('is that they are not proven, where the API server speaks only v5', async () => {
    const bench = new Bench();
    const { status, rows } = await bench.ended(bench.start([execHook('p')], () => ({ outcome: unproven })).done);
    assert.equal(status.phase, 'Completed');
    assert.match(status.notices?.join() ?? '', UNPROVEN);
    assert.ok(rows[0]?.unproven);
  });

  it('stays so under the next runner, and where an earlier result stands', async () => {
    const hook = execHook('p');
    const outcome = { state: 'Succeeded', exitCode: 0, unproven: true } as const;
    const bench = new Bench();
    const resumed = resumedWith(new Map([[hook.id, { phase: 'Ended', outcome, endedAt: 0 }]]));
    const { status } = await bench.ended(bench.start([hook], () => ({}), { resumed }).done);
    assert.match(status.notices?.join() ?? '', UNPROVEN);
    const next = new Bench();
    const kept = [{ hook, run: 0, attempt: 0, state: 'Succeeded', exitCode: 0, unproven: true } as const];
    const { status: last } = await next.ended(next.start([hook], () => ({}), { kept }).done);
    assert.match(last.notices?.join() ?? '', UNPROVEN);
  });

  it('is said once, and nothing of the kind where they are proven', async () => {
    const bench = new Bench();
    const hooks = [execHook('p'), execHook('q')];
    const started = bench.start(hooks, (pod) => ({
      outcome: pod === 'p' ? unproven : { kind: 'exited', exitCode: 0 },
    }));
    assert.equal((await bench.ended(started.done)).status.notices?.length, 1);
    const proven = new Bench();
    assert.equal((await proven.ended(proven.start(hooks, () => ({})).done)).status.notices, undefined);
  });
});

// R5.23
describe("a run's Kubernetes Events", () => {
  const fails = { outcome: { kind: 'exited', exitCode: 3 } } as const;
  const toldBy = ({ told }: Bench) => told.map(({ type, reason, message }) => `${type} ${reason}: ${message}`);

  it('tell its start and its end', async () => {
    const bench = new Bench();
    await bench.ended(bench.start([execHook('p'), execHook('q')], () => ({})).done);
    assert.deepEqual(toldBy(bench), [
      'Normal RestoreHooksStarted: run abcdef (attempt 1) has started: 2 hooks in 2 pods',
      'Normal RestoreHooksCompleted: run abcdef has ended: 2/2 done',
    ]);
  });

  it('count what is run, apart from what keeps the result of an earlier run', async () => {
    const bench = new Bench();
    const hook = execHook('p');
    const kept = [{ hook, run: 0, attempt: 1, state: 'Succeeded', exitCode: 0 } as const];
    await bench.ended(bench.start([hook, execHook('q')], () => ({}), { kept }).done);
    assert.equal(
      toldBy(bench)[0],
      "Normal RestoreHooksStarted: run abcdef (attempt 1) has started: 1 hook in 1 pod; 1 of the plan's 2 hooks keep the results of earlier runs",
    );
  });

  it('tell the first hook of Fail that failed, and are three for 10,000 failures, without commands', async () => {
    const bench = new Bench();
    const hooks = Array.from({ length: 10_000 }, (_, pod) =>
      execHook(`p${pod}`, { onError: 'Fail', command: ['hunter2'] }),
    );
    await bench.ended(bench.start(hooks, () => ({ ...fails, output: { stderr: 'hunter2' } })).done);
    const [started, failed, ended, ...more] = toldBy(bench);
    assert.deepEqual(more, []);
    assert.match(started ?? '', /^Normal RestoreHooksStarted/);
    assert.match(
      failed ?? '',
      /^Warning RestoreHooksHookFailed: run abcdef: hook ns\/p0\/main\/h\/0 did not succeed and has onError: Fail; no further hook is started$/,
    );
    assert.match(
      ended ?? '',
      /^Warning RestoreHooksPartiallyFailed: .*; the first failure is hook ns\/p0\/main\/h\/0: Failed \(exit 3\)$/,
    );
    assert.ok(!JSON.stringify(bench.told).includes('hunter2'));
  });

  it('tell failures of Continue only in the end, and at most 1,024 bytes', async () => {
    const bench = new Bench();
    const hook = execHook('p'.repeat(400), { name: '界'.repeat(700) });
    await bench.ended(bench.start([{ ...hook, id: `ns/${hook.name}` as never }], () => fails).done);
    assert.deepEqual(
      bench.told.map(({ reason }) => reason),
      ['RestoreHooksStarted', 'RestoreHooksCompletedWithFailures'],
    );
    assert.ok(bench.told.every(({ message }) => Buffer.byteLength(message) <= 1024));
  });

  it('of a run that the next runner goes on with tell no second start, and no second failure', async () => {
    const [failed, next] = [execHook('p', { onError: 'Fail' }), execHook('q')];
    const outcome = { state: 'Failed', reason: 'exit', exitCode: 3 } as const;
    const resumed = resumedWith(new Map([[failed.id, { phase: 'Ended', outcome, endedAt: 0 }]]));
    const bench = new Bench();
    await bench.ended(bench.start([failed, next], () => ({}), { resumed }).done);
    assert.deepEqual(
      bench.told.map(({ reason }) => reason),
      ['RestoreHooksPartiallyFailed'],
    );
  });

  it('do not tell the end of a run that is left to the next runner', async () => {
    const bench = new Bench();
    const { done, suspend } = bench.start([execHook('p')], () => ({}), { pods: { start: () => () => undefined } });
    suspend();
    await bench.ended(done);
    assert.deepEqual(
      bench.told.map(({ id }) => id),
      ['started'],
    );
  });

  // R5.24
  it('that are refused are told once, and change nothing', async () => {
    const bench = new Bench();
    bench.events = { write: (_event, written) => written(refused('FORBIDDEN')) };
    const hook = execHook('p', { onError: 'Fail' });
    const { status } = await bench.ended(bench.start([hook], () => fails).done);
    assert.deepEqual([status.phase, status.notices], ['PartiallyFailed', undefined]);
    assert.deepEqual(
      bench.warned.map(({ what }) => what),
      [
        'no event could be written on the Restore (see how to grant the right: kubectl restorehooks check); the run goes on without',
      ],
    );
  });

  // R5.24
  it('that get no answer keep the end of a run for five seconds, after its last status', async () => {
    const bench = new Bench();
    bench.events = { write: () => undefined };
    const { status } = await bench.ended(bench.start([execHook('p')], () => ({})).done);
    const last = bench.statuses.at(-1);
    assert.deepEqual(last?.status, status);
    assert.equal(bench.clock.now() - (last?.at ?? 0), 5_000);
    assert.deepEqual(bench.warned, []);
  });
});
