import { RestoreHooksError } from '../core/errors.ts';
import type { RunFailure } from '../core/executor/protocol.ts';
import { phaseOf } from '../core/executor/run-phase.ts';
import type { HookState } from '../core/executor/state.ts';
import { createRun } from '../core/executor/state.ts';
import type { HookId, HookOutcome, PlannedHook } from '../core/hook.ts';
import { ANNOTATION } from '../core/names.ts';
import { formatInstant } from '../core/report/instant.ts';
import type { RunHook } from '../core/report/run-document.ts';
import type { RunStatus } from '../core/report/run-status.ts';
import { progressLine, statusText } from '../core/report/run-status.ts';
import type { PodEvent, PodSource, RunStore } from '../ports/ports.ts';
import type { EnginePorts } from './engine.ts';
import { startEngine } from './engine.ts';
import { Rows } from './rows.ts';

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
  /** The Restore's own phase before an earlier run of ours made it `PartiallyFailed`. */
  readonly formerPhase: string | undefined;
}

export interface RunPorts extends EnginePorts {
  readonly pods: PodSource;
  readonly store: RunStore;
}

/** Told of the run as it goes; can't influence it. */
export interface RunObserver {
  /** Rows that changed, as they stand. */
  changed?(rows: readonly RunHook[]): void;
  /** Something went wrong beside the hooks, and is tried again. */
  warn?(what: string, error: RestoreHooksError): void;
}

export interface StartedRun {
  /** Resolves when the run has ended and that is written; `rows` in plan order, without output. */
  readonly done: Promise<{ readonly status: RunStatus; readonly rows: readonly RunHook[] }>;
  /** Start nothing more. */
  cancel(): void;
  /** Start nothing more, because the runner itself has to end. */
  fail(message: string): void;
  /** Don't wait for running hooks any longer either. */
  drop(): void;
}

/** How often a run's state is told: at most once a second, and less often the longer it takes. */
const TELL_EVERY_MS = 1_000;
const TELL_AT_LEAST_EVERY_MS = 5_000;
const CHECK_EVERY_MS = 10_000;
const REPORT_EVERY_MS = 5_000;
const MOST_REPORTS = 200;
/** Fresh after a restart the API server may deny what it allows a second later. */
const DENIED_AT_MOST = 5;
/** How long the first and the last word on a run are tried to be written. */
const INSIST_MS = 600_000;

/** Run a plan's hooks to their end, and tell of it beside the Restore as it goes (contract §5). */
export function startRun(request: RunRequest, ports: RunPorts, observer: RunObserver = {}): StartedRun {
  const { clock, store } = ports;
  const startedAt = clock.now();
  const kept = new Map(request.kept.map((row) => [row.id as HookId, row]));
  const run = createRun(request.hooks, {
    startedAt,
    maxConcurrent: request.maxConcurrent,
    ended: new Map([...kept].map(([id, row]) => [id, endedState(row)])),
  });
  const rows = new Rows(run, request.status.attempt, kept);
  let reportParts = request.status.reportParts;
  let stale = true;
  /** How often a write that was allowed before has been denied since. */
  const denied = new Map<() => Promise<void>, number>();
  let wake: () => void = () => undefined;

  const tell = startEngine(run, ports, {
    printed: (hook, output) => rows.holdOutput(hook, output),
    stepped(touched) {
      const changed = rows.update(touched);
      if (changed.length > 0) {
        stale = true;
        observer.changed?.(changed);
      }
      if (run.finishedAt !== undefined) wake();
    },
  });
  return {
    done: reportToTheEnd(),
    cancel: () => tell({ type: 'cancelRequested' }),
    fail: (message) => fail({ code: 'error', message }),
    drop: () => tell({ type: 'dropRequested' }),
  };

  /** Tells of the run, and decides nothing of what is run. */
  async function reportToTheEnd() {
    // A runner that dies must have said what it was about to do: nothing is started before that is written.
    const isWritten =
      (await insist('the first report could not be written', writeReport)) &&
      (await insist('the first status could not be written', writeStatus));
    if (!isWritten) fail({ code: 'error', message: 'its report could not be written' });
    const stopPods = run.finishedAt === undefined ? ports.pods.start(observePods) : () => undefined;
    let nextReport = clock.now() + REPORT_EVERY_MS;
    let nextCheck = startedAt + CHECK_EVERY_MS;
    let reports = 1;
    stale = false;
    for (;;) {
      await endOr(tellEveryMs());
      if (run.finishedAt !== undefined) break;
      const now = clock.now();
      if (rows.hasUnwritten && now >= nextReport && reports < MOST_REPORTS - 1) {
        reports += 1;
        nextReport = now + Math.max(REPORT_EVERY_MS, (now - startedAt) / 30);
        await attempt('the report could not be written', writeReport);
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
    return finish();
  }

  function tellEveryMs(): number {
    return Math.max(TELL_EVERY_MS, Math.min(TELL_AT_LEAST_EVERY_MS, (clock.now() - startedAt) / 4));
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

  async function finish() {
    const { planned, waiting, running, ...results } = run.counts;
    const sum = Object.values(results).reduce((total, count) => total + count, 0);
    if (waiting + running > 0 || sum !== planned) throw new Error(`${planned} planned hooks, but ${sum} results`);
    await insist('the last report could not be written', writeReport);
    const status = statusNow();
    const move = restorePhaseMove(status, request);
    if (move !== undefined) {
      const former = { [ANNOTATION.formerPhase]: move.former };
      await insist("the Restore's phase could not be set", () => store.setRestorePhase(move.from, move.to, former));
    }
    await insist('the last status could not be written', () => store.annotate(annotations(status)));
    return { status, rows: rows.all() };
  }

  function writeReport(): Promise<void> {
    return rows.write(async (changed) => {
      reportParts = await store.addToReport(changed);
      // Readers find the new part by the status.
      stale = true;
    });
  }

  function writeStatus(): Promise<void> {
    return store.annotate(annotations(statusNow()));
  }

  function checkRestore(): Promise<void> {
    return store.checkRestore();
  }

  /** One write; that the Restore is gone, or is no longer ours to write, ends the run. False: worth another try. */
  async function attempt(what: string, write: () => Promise<void>): Promise<boolean> {
    try {
      await write();
      denied.delete(write);
      return true;
    } catch (error) {
      if (!(error instanceof RestoreHooksError)) throw error;
      observer.warn?.(what, error);
      if (error.code !== 'NOT_FOUND' && error.code !== 'FORBIDDEN') return false;
      if (error.code === 'FORBIDDEN') {
        const times = (denied.get(write) ?? 0) + 1;
        denied.set(write, times);
        const wasAllowed = write !== writeReport || reportParts > request.status.reportParts;
        if (wasAllowed && times < DENIED_AT_MOST) return false;
      }
      const gone = { code: 'restore-deleted', message: 'the Restore was deleted' } as const;
      const failure = error.code === 'NOT_FOUND' ? gone : ({ code: 'forbidden', message: error.message } as const);
      fail(failure);
      return true;
    }
  }

  /** Try until it is written, or can't be any more; false: given up. */
  async function insist(what: string, write: () => Promise<void>): Promise<boolean> {
    const giveUpAt = clock.now() + INSIST_MS;
    for (
      let pauseMs = TELL_EVERY_MS;
      !(await attempt(what, write));
      pauseMs = Math.min(pauseMs * 2, TELL_AT_LEAST_EVERY_MS)
    ) {
      if (clock.now() >= giveUpAt) return false;
      await new Promise<void>((resolve) => clock.setTimer(pauseMs, resolve));
    }
    return true;
  }

  /** Resolves after `ms`, or as soon as the run has ended. */
  function endOr(ms: number): Promise<void> {
    if (run.finishedAt !== undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = clock.setTimer(ms, resolve);
      wake = () => {
        cancel();
        resolve();
      };
    });
  }

  function statusNow(): RunStatus {
    return {
      ...request.status,
      phase: phaseOf(run),
      startedAt: formatInstant(startedAt),
      ...(run.finishedAt === undefined ? {} : { finishedAt: formatInstant(run.finishedAt) }),
      counts: { ...run.counts },
      failures: run.firstFailures.map(({ id, outcome: { state, reason, exitCode } }) => ({
        id,
        state,
        reason,
        ...(exitCode === undefined ? {} : { exitCode }),
      })),
      reportParts,
      ...(run.unproven ? { notices: [...(request.status.notices ?? []), UNPROVEN] } : {}),
      ...(run.failure === undefined ? {} : { failure: run.failure }),
    };
  }
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
  { phase }: RunStatus,
  { keepRestorePhase, formerPhase }: RunRequest,
): { from: string; to: string; former: string | null } | undefined {
  if (keepRestorePhase) return undefined;
  if (phase === 'PartiallyFailed') return { from: 'Completed', to: 'PartiallyFailed', former: 'Completed' };
  const succeeded = phase === 'Completed' || phase === 'CompletedWithFailures';
  if (!succeeded || formerPhase === undefined) return undefined;
  return { from: 'PartiallyFailed', to: formerPhase, former: null };
}

/** The state of a hook whose row of an earlier run is kept. */
function endedState(row: RunHook): HookState & { phase: 'Ended' } {
  const { state, reason, exitCode, message } = row;
  const outcome: HookOutcome =
    state === 'Succeeded'
      ? { state, exitCode: 0 }
      : {
          state: state === 'Waiting' || state === 'Running' ? 'Unknown' : state,
          reason: reason ?? 'runner-died',
          ...(exitCode === undefined ? {} : { exitCode }),
          ...(message === undefined ? {} : { message }),
        };
  const endedAt = row.finishedAt === undefined ? 0 : Date.parse(row.finishedAt);
  const startedAt = row.startedAt === undefined ? {} : { startedAt: Date.parse(row.startedAt) };
  return { phase: 'Ended', outcome, ...startedAt, endedAt };
}
