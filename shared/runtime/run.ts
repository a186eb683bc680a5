import { RestoreHooksError } from '../core/errors.ts';
import type { HistoryLine } from '../core/execute/history.ts';
import { historyHead, recordedEffects, recordedFacts } from '../core/execute/history.ts';
import type { HookState } from '../core/execute/hook-state.ts';
import type { RunFailure } from '../core/execute/protocol.ts';
import type { Resumed } from '../core/execute/resume.ts';
import type { RunPhase } from '../core/execute/run-phase.ts';
import { phaseOf } from '../core/execute/run-phase.ts';
import { createRun } from '../core/execute/state.ts';
import type { HookId, HookOutcome, PlannedHook, PodKey } from '../core/model/hook.ts';
import type { Instant } from '../core/model/instant.ts';
import { formatInstant, instant, parseInstant } from '../core/model/instant.ts';
import type { PodIndex } from '../core/model/position.ts';
import { ANNOTATION } from '../core/names.ts';
import type { RunHook } from '../core/report/run-document.ts';
import type { RunStatus } from '../core/report/run-status.ts';
import { progressLine, statusText } from '../core/report/run-status.ts';
import type { Hold, PodEvent, PodSource, RunStore, Wishes } from '../ports/ports.ts';
import type { EnginePorts } from './engine.ts';
import { startEngine } from './engine.ts';
import { OUTPUT_LIMIT_BYTES, Rows } from './rows.ts';
import type { Tried } from './writes.ts';
import { INSIST_MS, Writes } from './writes.ts';

/** What a run is asked to do. */
export interface RunRequest {
  readonly hooks: readonly PlannedHook[];
  /** Rows of earlier runs of the Restore whose results stand: those hooks are not run. */
  readonly kept: readonly RunHook[];
  /** As it was written when the run was claimed. */
  readonly status: RunStatus;
  readonly maxConcurrent: number;
  /** Leave the Restore's own phase alone. */
  readonly keepRestorePhase: boolean;
  /** What the runners before this one have done of this run; undefined: it is the first. */
  readonly resumed?: Resumed | undefined;
  /** Until when commands of earlier runs may be running in a pod. */
  readonly quiet?: ReadonlyMap<PodKey, Instant> | undefined;
  /** The Restore's own phase before an earlier run of ours made it `PartiallyFailed`. */
  readonly formerPhase: string | undefined;
}

export interface RunPorts extends EnginePorts {
  readonly pods: PodSource;
  readonly store: RunStore;
  readonly hold: Hold;
}

/** Told of the run as it goes; can't influence it. */
export interface RunObserver {
  /** Rows that changed, as they stand. */
  changed?(rows: readonly RunHook[]): void;
  /** Something went wrong beside the hooks, and is tried again. */
  warn?(what: string, error: RestoreHooksError): void;
  /** The run's history, line by line; absent: it isn't recorded. */
  readonly record?: ((line: HistoryLine) => void) | undefined;
}

export interface StartedRun {
  /**
   * Resolves when that is written: the run has ended, or, where its phase is none of the final ones, is suspended.
   * `rows` in plan order, without output. Rejects with `RUN_BY_ANOTHER` where somebody else has it: nothing is written.
   */
  readonly done: Promise<{ readonly status: RunStatus; readonly rows: readonly RunHook[] }>;
  /** Start nothing more: the run ends when running hooks have. */
  cancel(): void;
  /** Start nothing more, and leave what waits to the next runner. */
  suspend(): void;
  /** Don't wait for running hooks any longer either: canceled they are `Unknown`, suspended they are left as they are. */
  drop(): void;
}

/** How often a run's state is told: at most once a second, and less often the longer it takes. */
const TELL_EVERY_MS = 1_000;
const TELL_AT_LEAST_EVERY_MS = 5_000;
const CHECK_EVERY_MS = 3_000;
const REPORT_EVERY_MS = 5_000;
/** Over all runners of a run. */
const MOST_REPORTS = 200;
/** By how much more than there is, so that not every report needs a status of its own before it. */
const ANNOUNCE_BYTES = 256 * 1024;

/** Run a plan's hooks to their end, and tell of it beside the Restore as it goes (contract §5). */
export function startRun(request: RunRequest, ports: RunPorts, observer: RunObserver = {}): StartedRun {
  const { clock, store } = ports;
  const takenAt = clock.now();
  const startedAt =
    request.status.startedAt === undefined ? takenAt : (parseInstant(request.status.startedAt) ?? takenAt);
  const kept = new Map(request.kept.map((row) => [row.id as HookId, row]));
  const options = {
    startedAt,
    maxConcurrent: request.maxConcurrent,
    ended: new Map([...kept].map(([id, row]) => [id, endedState(row)])),
    resumed: request.resumed,
    quiet: request.quiet,
  };
  const run = createRun(request.hooks, options);
  const record = (lines: () => Iterable<HistoryLine>): void => {
    if (observer.record !== undefined) for (const line of lines()) observer.record(line);
  };
  record(() => historyHead(request.status, request.hooks, options));
  let steps = 0;
  const rows = new Rows(run, request.status.attempt, kept, request.status.outputBytes);
  /** How many bytes of output the status has announced: no more of it is put into the report. */
  let announced = request.status.outputBytes ?? 0;
  let reportParts = request.status.reportParts;
  /** Reports of all the run's runners, as far as this one knows. */
  let reports = reportParts;
  let stale = true;
  const writes = new Writes(clock, (what, error) => observer.warn?.(what, error));
  let wake: () => void = () => undefined;
  /** Somebody else has the run. */
  let lost: RestoreHooksError | undefined;
  const seen = new Set(request.resumed?.waitingSince.keys());
  let suspending = false;
  let dropped = false;
  let dropAt: number | undefined;

  const { tell, stop } = startEngine(run, ports, {
    printed: (hook, output) => rows.holdOutput(hook, output),
    stepping(facts, at) {
      steps += 1;
      record(() => recordedFacts(steps, at, facts));
    },
    stepped(touched, effects) {
      record(() => recordedEffects(effects));
      noteSeen(touched.keys());
      const changed = rows.stepped(touched);
      if (changed.length > 0) {
        stale = true;
        observer.changed?.(changed);
      }
      if (isOver()) wake();
    },
  });
  ports.hold.onLost((error) => {
    if (error.code !== 'RUN_BY_ANOTHER') {
      fail({ code: error.code === 'FORBIDDEN' ? 'forbidden' : 'error', message: error.message });
      return;
    }
    lost = error;
    stop();
    wake();
  });
  // A stop that an earlier runner came to is settled although nothing happens.
  if (run.stop !== undefined && run.pods[0] !== undefined) tell({ type: 'timerFired', key: run.pods[0].key });
  return {
    done: reportToTheEnd(),
    cancel: () => tell({ type: 'cancelRequested' }),
    suspend() {
      suspending = true;
      tell({ type: 'suspendRequested' });
    },
    drop() {
      dropped = true;
      if (suspending) wake();
      else tell({ type: 'dropRequested' });
    },
  };

  /** A wait timeout goes on under the next runner. */
  function noteSeen(touched: Iterable<PodIndex>): void {
    for (const index of touched) {
      const pod = run.pods[index];
      if (pod?.waitingSince === undefined || seen.has(index)) continue;
      seen.add(index);
      if (pod.hooks.some(({ waitTimeoutMs }) => waitTimeoutMs !== null)) ports.journal.seen(index, pod.waitingSince);
    }
  }

  /** Nothing more happens here: the run has ended, is suspended, or is somebody else's. */
  function isOver(): boolean {
    const isSuspended = suspending && (dropped || (run.suspended && run.active === 0));
    return run.finishedAt !== undefined || lost !== undefined || isSuspended;
  }

  /** Tells of the run, and decides nothing of what is run. */
  async function reportToTheEnd() {
    // A runner that dies must have said what it was about to do: nothing is started before that is written.
    const notBegun =
      (await insist('the first report could not be written', writeReport, 1)) ??
      (await insist('the first status could not be written', writeStatus));
    if (notBegun !== undefined)
      fail({ code: 'error', message: `its report could not be written: ${notBegun.message}` });
    const stopPods = isOver() ? () => undefined : ports.pods.start(observePods);
    let nextReport = clock.now() + reportAgainMs(clock.now() - startedAt, reports);
    let nextCheck = takenAt + CHECK_EVERY_MS;
    stale = false;
    for (;;) {
      await overOr(tellEveryMs());
      if (isOver()) break;
      const now = clock.now();
      if (dropAt !== undefined && now >= dropAt && !dropped) {
        dropped = true;
        tell({ type: 'dropRequested' });
        // That is the end: it is told by the last words.
        continue;
      }
      if (now >= nextReport && rows.hasUnwritten) {
        if (rows.outputBytes > announced) stale = true;
        else {
          await attempt('the report could not be written', writeReport);
          nextReport = now + reportAgainMs(now - startedAt, reports);
        }
      }
      if (stale) {
        stale = false;
        nextCheck = now + CHECK_EVERY_MS;
        if (!(await attempt('the status could not be written', writeStatus))) stale = true;
      } else if (now >= nextCheck) {
        nextCheck = now + CHECK_EVERY_MS;
        await attempt('the Restore could not be read', checkRestore);
      }
    }
    stopPods();
    stop();
    return finish();
  }

  function tellEveryMs(): number {
    const everyMs = Math.max(TELL_EVERY_MS, Math.min(TELL_AT_LEAST_EVERY_MS, (clock.now() - takenAt) / 4));
    return dropAt === undefined || dropped ? everyMs : Math.min(everyMs, Math.max(0, dropAt - clock.now()));
  }

  function observePods(event: PodEvent): void {
    if (event.type === 'podsLost') {
      const code = event.error.code === 'FORBIDDEN' ? 'forbidden' : 'error';
      fail({ code, message: event.error.message });
    } else tell(event);
  }

  function fail(failure: RunFailure): void {
    if (run.finishedAt === undefined) tell({ type: 'runFailed', failure });
  }

  function heed({ cancel }: Wishes): void {
    if (cancel === undefined) return;
    if (!run.canceled) tell({ type: 'cancelRequested' });
    if (cancel.graceMs !== undefined)
      dropAt = Math.min(dropAt ?? Number.POSITIVE_INFINITY, clock.now() + cancel.graceMs);
  }

  /** What is not durable may not be told as done: the last words come after it. */
  async function finish() {
    await new Promise<void>((resolve) => {
      const giveUp = clock.setTimer(INSIST_MS, resolve);
      ports.hold.whenDurable(() => {
        giveUp();
        resolve();
      });
    });
    if (run.finishedAt !== undefined) rows.checkSum(run.counts);
    // Where another runner goes on it must know first what is about to be in the report.
    else if (rows.outputBytes > announced) await insist('the status could not be written', annotate);
    const incomplete: string[] = [];
    const noReport = await insist('the last report could not be written', writeReport);
    if (noReport !== undefined) incomplete.push(`the report is not complete: ${noReport.message}`);
    const move = run.finishedAt === undefined ? undefined : restorePhaseMove(phaseOf(run), request);
    if (move !== undefined) {
      const former = { [ANNOTATION.formerPhase]: move.former };
      const what = "the Restore's phase could not be set";
      const notMoved = await insist(what, () => store.setRestorePhase(move.from, move.to, former));
      if (notMoved !== undefined) incomplete.push(`${what} to ${move.to}: ${notMoved.message}`);
    }
    // The next runner of a run that is suspended reports anew.
    const status = statusNow(run.finishedAt === undefined ? [] : incomplete);
    const last = annotations(status);
    const unwritten = await insist(
      'the last status could not be written',
      async () => void (await store.annotate(last)),
    );
    if (lost !== undefined) throw lost;
    // Where the Restore says that it goes on, nobody is told that all went well.
    if (run.finishedAt !== undefined && unwritten !== undefined) throw endUnwritten(status, unwritten);
    return { status, rows: rows.all() };
  }

  function writeReport(): Promise<void> {
    return rows.write(async (changed) => {
      reportParts = await store.addToReport(changed);
      reports += 1;
      // Readers find the new part by the status.
      stale = true;
    });
  }

  /** How it stands; that it is over is said last, when all else is written. */
  async function writeStatus(): Promise<void> {
    if (!isOver()) await annotate();
  }

  async function annotate(): Promise<void> {
    const status = statusNow();
    heed(await store.annotate(annotations(status)));
    announced = status.outputBytes ?? 0;
  }

  async function checkRestore(): Promise<void> {
    heed(await store.checkRestore());
  }

  /** One write; false: worth another try. */
  async function attempt(what: string, write: () => Promise<void>): Promise<boolean> {
    return lost !== undefined || heedTried(await writes.try(what, write)).is !== 'again';
  }

  /** Try until it is written, or can't be any more; answers why it isn't, where there still is a run to write down. */
  async function insist(
    what: string,
    write: () => Promise<void>,
    refusedAtMost?: number,
  ): Promise<RestoreHooksError | undefined> {
    if (lost !== undefined) return undefined;
    const tried = heedTried(await writes.insist(what, write, refusedAtMost));
    return tried.is === 'again' || tried.is === 'refused' ? tried.why : undefined;
  }

  /** That the Restore is gone, that it is no longer ours to write, and that the right to is missing ends the run. */
  function heedTried(tried: Tried): Tried {
    if (tried.is === 'over' && tried.why.code === 'RUN_BY_ANOTHER') {
      lost ??= tried.why;
      stop();
    } else if (tried.is === 'over') fail({ code: 'restore-deleted', message: 'the Restore was deleted' });
    else if (tried.is === 'refused' && tried.why.code === 'FORBIDDEN') {
      fail({ code: 'forbidden', message: tried.why.message });
    }
    return tried;
  }

  /** Resolves after `ms`, or as soon as the run is over. */
  function overOr(ms: number): Promise<void> {
    if (isOver()) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = clock.setTimer(ms, resolve);
      wake = () => {
        cancel();
        resolve();
      };
    });
  }

  /** A runner that dies may have reported what it had announced: the next one takes it as used. */
  function announcement(): number {
    if (isOver()) return rows.outputBytes;
    return rows.outputBytes <= announced ? announced : Math.min(rows.outputBytes + ANNOUNCE_BYTES, OUTPUT_LIMIT_BYTES);
  }

  function statusNow(incomplete: readonly string[] = []): RunStatus {
    // An earlier runner of this run may have said the same.
    const notices = new Set([...(request.status.notices ?? []), ...(run.unproven ? [UNPROVEN] : []), ...incomplete]);
    return {
      ...request.status,
      phase: phaseOf(run),
      startedAt: formatInstant(startedAt),
      ...(run.finishedAt === undefined ? {} : { finishedAt: formatInstant(run.finishedAt) }),
      ...(run.finishedAt === undefined && suspending ? { suspendedAt: formatInstant(clock.now()) } : {}),
      counts: { ...run.counts },
      failures: run.firstFailures.map(({ id, outcome: { state, reason, exitCode } }) => ({
        id,
        state,
        reason,
        ...(exitCode === undefined ? {} : { exitCode }),
      })),
      reportParts,
      ...(rows.outputBytes === 0 ? {} : { outputBytes: announcement() }),
      ...(notices.size === 0 ? {} : { notices: [...notices] }),
      ...(run.failure === undefined ? {} : { failure: run.failure }),
    };
  }
}

/**
 * How long after a report the next one is due, so that a run makes no more than 200 and they never stop: each takes the
 * fourth part of the time so far, divided by what is left of the 200.
 */
const reportAgainMs = (elapsedMs: number, reports: number): number =>
  Math.max(REPORT_EVERY_MS, (4 * elapsedMs) / Math.max(1, MOST_REPORTS - 1 - reports));

/** The run has ended, and nobody can read so beside the Restore: its exit code and its last word have to say it. */
function endUnwritten(status: RunStatus, why: RestoreHooksError): RestoreHooksError {
  const known = status.failure === undefined ? '' : `; ${status.failure.message}`;
  const isTold = why.code === 'FORBIDDEN' || why.code === 'CLUSTER_UNREACHABLE';
  return new RestoreHooksError(
    isTold ? why.code : 'RUN_FAILED',
    `the run has ended (${status.phase}: ${progressLine(status.counts)}${known}), which could not be written: ${why.message}`,
    { hint: 'see what each hook did: kubectl restorehooks status' },
  );
}

const UNPROVEN =
  'the API server speaks only v5.channel.k8s.io, which calls a killed kubelet a success: successes are not proven';

const annotations = (status: RunStatus): Record<string, string> => ({
  [ANNOTATION.phase]: status.phase,
  [ANNOTATION.progress]: progressLine(status.counts),
  [ANNOTATION.status]: statusText(status),
});

/** What the end of a run does to the Restore's own phase (contract §5), if anything. */
function restorePhaseMove(
  phase: RunPhase,
  { keepRestorePhase, formerPhase }: RunRequest,
): { from: string; to: string; former: string | null } | undefined {
  if (keepRestorePhase) return undefined;
  if (phase === 'PartiallyFailed') return { from: 'Completed', to: 'PartiallyFailed', former: 'Completed' };
  const succeeded = phase === 'Completed' || phase === 'CompletedWithFailures';
  // Nothing else has ever been written there; by hand it may be anything.
  if (!succeeded || formerPhase !== 'Completed') return undefined;
  return { from: 'PartiallyFailed', to: formerPhase, former: null };
}

/** The state of a hook whose row of an earlier run is kept. */
function endedState(row: RunHook): HookState & { phase: 'Ended' } {
  const { state, reason, exitCode, unproven, message } = row;
  const outcome: HookOutcome =
    state === 'Succeeded'
      ? { state, ...(exitCode === undefined ? {} : { exitCode: 0 }), ...(unproven && { unproven }) }
      : {
          state: state === 'Waiting' || state === 'Running' ? 'Unknown' : state,
          reason: reason ?? 'runner-died',
          ...(exitCode === undefined ? {} : { exitCode }),
          ...(message === undefined ? {} : { message }),
        };
  const at = (text: string | undefined) => (text === undefined ? undefined : parseInstant(text));
  const startedAt = at(row.startedAt);
  return {
    phase: 'Ended',
    outcome,
    ...(startedAt === undefined ? {} : { startedAt }),
    endedAt: at(row.finishedAt) ?? instant(0),
  };
}
