import { isFail } from '../execute/state.ts';
import { formatInstant, latest } from '../model/instant.ts';
import { countRows } from '../report/dead-run.ts';
import type { HookRow } from '../report/hook-row.ts';
import type { RunStatus } from '../report/run-status.ts';
import type { LedgerRun, RunRecord } from './run-record.ts';
import { isExecuted } from './run-record.ts';

/** The run of a Restore that was made last. */
export interface LastRun {
  readonly standing: RunStanding;
  readonly status: RunStatus;
  /** What is known of its hooks; of one that began nothing: none. */
  readonly run: LedgerRun | undefined;
}

/** How it stands: as its status says, or as its Job and the Restore's Lease do. */
export interface RunStanding {
  readonly runID: string;
  /** Absent: the annotation is gone. */
  readonly status?: RunStatus;
  /** `died`: it goes on no more, and nobody has written that down. */
  readonly state: 'going' | 'ended' | 'died';
}

export function lastRunOf(
  records: readonly RunRecord[],
  runs: readonly LedgerRun[],
  standing: RunStanding | undefined,
): LastRun | undefined {
  if (standing === undefined) return undefined;
  const run = runs.find(({ record }) => record.runID === standing.runID);
  const record = records.find(({ runID }) => runID === standing.runID);
  const status = standing.status ?? (record && statusOfRecord(record, run?.rows ?? [], standing.state));
  return status && { standing, status, run };
}

/** Whether the run has executed anything, or found it executed by an earlier one: by its rows, else as its status counts. */
export function hasExecuted({ run, status }: LastRun): boolean {
  if (run?.rows.some(isExecuted)) return true;
  const { planned, notExecuted, waiting } = status.counts;
  return run?.isWhole === false && planned > notExecuted + waiting;
}

/** The status of a run that no annotation tells of (any more), as its report tells it. */
export function statusOfRecord(
  { runID, attempt, planDigest, about, report }: RunRecord,
  rows: readonly HookRow[],
  state: RunStanding['state'],
): RunStatus {
  const ends = rows.flatMap(({ finishedAt }) => finishedAt ?? []);
  const finishedAt = ends.length === 0 ? undefined : formatInstant(ends.reduce(latest));
  return {
    version: 1,
    runID,
    attempt,
    planDigest: planDigest ?? '',
    phase: state === 'ended' ? phaseOfRows(rows, attempt) : 'InProgress',
    runner: about?.runner ?? { kind: 'job', name: '' },
    createdAt: about?.createdAt ?? '',
    ...(about && { startedAt: about.createdAt }),
    ...(state === 'ended' && finishedAt !== undefined && { finishedAt }),
    failOn: about?.failOn ?? 'fail',
    counts: countRows(state === 'going' ? report : rows),
    failures: [],
    reportParts: 0,
  };
}

/** The phase of a run that has ended, by its rows (R5.3). */
export function phaseOfRows(rows: readonly HookRow[], run: number): RunStatus['phase'] {
  const ofFail = ({ hook }: HookRow): boolean => isFail(hook);
  const isStopped = ({ reason }: HookRow): boolean => reason === 'aborted' || reason === 'canceled';
  const failed = rows.filter(({ state }) => state !== 'Succeeded');
  if (failed.some((row) => ofFail(row) && !isStopped(row))) return 'PartiallyFailed';
  // What was canceled in an earlier run didn't cancel this one.
  if (failed.some((row) => row.reason === 'canceled' && row.run === run)) return 'Canceled';
  if (failed.some(ofFail)) return 'PartiallyFailed';
  return failed.length === 0 ? 'Completed' : 'CompletedWithFailures';
}
