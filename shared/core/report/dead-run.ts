import type { Counts } from '../execute/state.ts';
import { COUNT_OF, noCounts } from '../execute/state.ts';
import { cutText } from '../sanitize.ts';
import type { RunHook } from './run-document.ts';
import type { RunStatus } from './run-status.ts';

/** Counts of rows as a report joins them. */
export function countRows(rows: Iterable<Pick<RunHook, 'state'>>): Counts {
  const counts = noCounts(0);
  for (const { state } of rows) {
    counts.planned += 1;
    counts[COUNT_OF[state]] += 1;
  }
  return counts;
}

/** The status of a run that can't go on, where its rows aren't known: what hasn't ended may have been started, if it was claimed. */
export function failedStatus(status: RunStatus, failure: NonNullable<RunStatus['failure']>): RunStatus {
  const { waiting, running, unknown, notExecuted } = status.counts;
  const open = waiting + running;
  const isUntouched = status.runner.claimedBy === undefined;
  const counts = {
    ...status.counts,
    waiting: 0,
    running: 0,
    ...(isUntouched ? { notExecuted: notExecuted + open } : { unknown: unknown + open }),
  };
  const { openWave: _, ...run } = status; // R3.46
  return { ...run, phase: 'Failed', failure: { ...failure, message: cutText(failure.message, 500) }, counts };
}
