import { RestoreHooksError } from '../core/errors.ts';
import type { RunFailure } from '../core/execute/protocol.ts';
import type { RunPhase } from '../core/execute/run-phase.ts';
import type { RunState } from '../core/execute/state.ts';
import { ANNOTATION } from '../core/names.ts';
import type { RunHook } from '../core/report/run-document.ts';
import type { RunMetrics } from '../core/report/run-metrics.ts';
import { metricsText } from '../core/report/run-metrics.ts';
import type { RunStatus } from '../core/report/run-status.ts';
import { progressLine } from '../core/report/run-status.ts';
import type { Clock, Hold, RunStore } from '../ports/ports.ts';
import type { Course } from './course.ts';
import { endedAtDeadline } from './deadline.ts';
import type { Reporter } from './reporter.ts';
import { annotations } from './reporter.ts';
import type { Rows } from './rows.ts';
import type { RunEvents } from './run-events.ts';
import type { RunWrites } from './run-writes.ts';
import type { ShardLink } from './shards.ts';
import type { RunWishes } from './wishes.ts';
import { INSIST_MS } from './writes.ts';

/** What the end of a run does with the Restore's own phase. */
export interface RestorePhase {
  /** Leave the Restore's own phase alone. */
  readonly keepRestorePhase: boolean;
  /** The Restore's own phase before an earlier run of ours made it `PartiallyFailed`. */
  readonly formerPhase: string | undefined;
}

export interface Ending extends RestorePhase {
  readonly metrics?: (() => RunMetrics) | undefined;
}

export interface EndingParts {
  readonly clock: Clock;
  readonly store: RunStore;
  readonly hold: Hold;
  readonly events: Pick<RunEvents, 'ended'>;
  readonly run: RunState;
  readonly rows: Rows;
  readonly writes: RunWrites;
  readonly course: Course;
  readonly reporter: Reporter;
  readonly wishes: Pick<RunWishes, 'isOverdue'>;
  /** Absent: the run has one shard. */
  readonly link?: ShardLink | undefined;
}

/** How a run stands when this runner leaves it, and its rows in plan order, without output: they are made when asked for. */
export interface Ended {
  readonly status: RunStatus;
  readonly rows: readonly RunHook[];
  /** What was written beside the Restore last. */
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * Write down that the run is over here, the status last: who reads that the run has ended finds all the rest. Rejects
 * where another runner has the run, and where the run has ended and that could not be written.
 */
export async function writeEnding(parts: EndingParts, request: Ending): Promise<Ended> {
  const { clock, store, run, rows, writes, course, events, reporter, wishes, link } = parts;
  const overAt = clock.now();
  // What is not durable may not be told as done.
  if (!(await durable(parts)) && course.lost === undefined) {
    course.failAtEnd({ code: 'error', message: 'what its last hooks came to could not be journaled' });
  }
  const isOverdue = run.finishedAt === undefined && wishes.isOverdue;
  const hasEnded = (run.finishedAt !== undefined || isOverdue) && (link === undefined || link.mayEnd);
  if (run.finishedAt !== undefined) rows.checkSum(run.counts);
  // Where another runner goes on it must know first what is about to be in the report.
  else if (!isOverdue && !reporter.isAnnounced)
    await writes.insist('the status could not be written', () => reporter.annotate());
  const incomplete: string[] = [];
  const noReport = await writes.insist('the last report could not be written', () => reporter.writeReport());
  if (noReport !== undefined) incomplete.push(`the report is not complete: ${noReport.message}`);
  const late = isOverdue
    ? endedAtDeadline({ status: reporter.statusNow(incomplete), rows: rows.all() }, run, overAt)
    : undefined;
  // The next runner of a run that is suspended reports anew.
  const here = (): RunStatus => late?.status ?? reporter.statusNow(hasEnded ? incomplete : []);
  const allRows = (): readonly RunHook[] => late?.rows ?? rows.all();
  const untold = await link?.leave(here(), hasEnded, request.metrics?.());
  if (course.lost !== undefined) throw course.lost; // R6.7
  if (link?.isFollower) {
    if (hasEnded && untold !== undefined) throw endUnwritten(here(), untold);
    return endedHere(here(), {}, allRows);
  }
  const joined = (): RunStatus => link?.joined(here()) ?? here();
  const notMoved = await moveRestorePhase(parts, joined().phase, request);
  if (notMoved !== undefined) incomplete.push(notMoved);
  const status = joined();
  const metrics = link?.joinedMetrics ?? request.metrics?.();
  const written = {
    ...annotations(status),
    ...(metrics && { [ANNOTATION.metrics]: metricsText(status.runID, metrics) }), // R8.72
  };
  const unwritten = await writes.insist(
    'the last status could not be written',
    async () => void (await store.annotate(written)),
  );
  if (course.lost !== undefined) throw course.lost; // R6.7
  if (!hasEnded && course.failedLate !== undefined) throw leftBecause(course.failedLate);
  // The Restore may have been found gone just now.
  const last = course.failedLate === undefined ? status : joined();
  if (hasEnded) await events.ended(last);
  // The Restore still says that the run goes on: nobody may be told that all went well.
  if (hasEnded && unwritten !== undefined) throw endUnwritten(status, unwritten);
  return endedHere(last, written, allRows);
}

const endedHere = (status: RunStatus, written: Ended['annotations'], allRows: () => Ended['rows']): Ended => ({
  status,
  get rows() {
    return allRows();
  },
  annotations: written,
});

/** Whether all that was journaled is durable, within its time. */
function durable({ clock, hold }: EndingParts): Promise<boolean> {
  return new Promise((resolve) => {
    const giveUp = clock.setTimer(INSIST_MS, () => resolve(false));
    hold.whenDurable((isDurable) => {
      giveUp();
      resolve(isDurable);
    });
  });
}

/** Answers what has to be known of the result, where the phase should have been moved and was not. */
async function moveRestorePhase(
  { store, writes }: EndingParts,
  phase: RunPhase,
  restorePhase: RestorePhase,
): Promise<string | undefined> {
  const move = restorePhaseMove(phase, restorePhase);
  if (move === undefined) return undefined;
  const former = { [ANNOTATION.formerPhase]: move.former };
  const what = "the Restore's phase could not be set";
  const notMoved = await writes.insist(what, () => store.setRestorePhase(move.from, move.to, former));
  return notMoved && `${what} to ${move.to}: ${notMoved.message}`;
}

/** This shard's hooks have ended, and it can't tell the run's end. */
const leftBecause = ({ code, message }: RunFailure): RestoreHooksError =>
  new RestoreHooksError(code === 'forbidden' ? 'FORBIDDEN' : 'RUN_FAILED', message);

/** The run has ended, and nobody can read so beside the Restore: its exit code and its last word have to say it (R5.20). */
function endUnwritten(status: RunStatus, why: RestoreHooksError): RestoreHooksError {
  const known = status.failure === undefined ? '' : `; ${status.failure.message}`;
  const isTold = why.code === 'FORBIDDEN' || why.code === 'CLUSTER_UNREACHABLE';
  return new RestoreHooksError(
    isTold ? why.code : 'RUN_FAILED',
    `the run has ended (${status.phase}: ${progressLine(status.counts)}${known}), which could not be written: ${why.message}`,
    { hint: 'see what each hook did: kubectl restorehooks status RESTORE' },
  );
}

/** What the end of a run does to the Restore's own phase (R5.5, R5.6), if anything. */
export function restorePhaseMove(
  phase: RunPhase,
  { keepRestorePhase, formerPhase }: RestorePhase,
): { from: string; to: string; former: string | null } | undefined {
  if (keepRestorePhase) return undefined;
  if (phase === 'PartiallyFailed') return { from: 'Completed', to: 'PartiallyFailed', former: 'Completed' };
  const succeeded = phase === 'Completed' || phase === 'CompletedWithFailures';
  // Nothing else has ever been written there; by hand it may be anything.
  if (!succeeded || formerPhase !== 'Completed') return undefined;
  return { from: 'PartiallyFailed', to: formerPhase, former: null };
}
