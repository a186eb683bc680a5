import { RUNNER_DIED } from '../executor/resume.ts';
import type { Counts } from '../executor/state.ts';
import { COUNT_OF, noCounts } from '../executor/state.ts';
import type { Replay } from '../journal/replay.ts';
import { withMessage } from '../journal/resume.ts';
import { cutText } from '../sanitize.ts';
import { formatInstant } from './instant.ts';
import type { RunHook } from './run-document.ts';
import type { RunStatus } from './run-status.ts';

const MAYBE_ITS_POD = 'the runner died; its pod may have run it';
const NEVER = 'the runner died before it was started';

/**
 * The rows of a run whose runner died, as they can be known from outside (contract §5): by its journal, else what a
 * claimed run had not ended it may have started. `now`: when that was found.
 */
export function rowsOfDeadRun(
  rows: readonly RunHook[],
  journal: Pick<Replay, 'hooks' | 'lost'> | undefined,
  wasClaimed: boolean,
  now: number,
): RunHook[] {
  const known = rows.map((row, position) => {
    if (row.state !== 'Waiting' && row.state !== 'Running') return row;
    const { message: _, ...rest } = row;
    const record = journal?.hooks.get(position);
    if (record?.phase === 'ended') {
      const { startedAt, endedAt, podUID } = record;
      const outcome = withMessage(record.outcome);
      const started = startedAt === undefined ? {} : { startedAt: formatInstant(startedAt) };
      const inPod = podUID === undefined ? {} : { podUID };
      return { ...rest, ...inPod, ...outcome, ...started, finishedAt: formatInstant(endedAt) };
    }
    const isBegun = journal === undefined ? wasClaimed : record?.phase === 'begun' || journal.lost.has(position);
    // No runner starts it.
    const isItsPods = row.kind === 'init' && row.never === undefined && wasClaimed;
    if (!isBegun && !isItsPods)
      return { ...rest, state: 'NotExecuted' as const, reason: 'runner-died' as const, message: NEVER };
    const { startedAt, podUID } = record?.phase === 'begun' ? record : {};
    const started = {
      ...(startedAt === undefined ? {} : { startedAt: formatInstant(startedAt) }),
      ...(podUID === undefined ? {} : { podUID }),
    };
    const end = { finishedAt: formatInstant(now) };
    return { ...rest, ...started, ...end, ...RUNNER_DIED, ...(isItsPods && { message: MAYBE_ITS_POD }) };
  });
  return known;
}

/** Counts of rows as a report joins them. */
export function countRows(rows: readonly RunHook[]): Counts {
  const counts = noCounts(rows.length);
  for (const { state } of rows) counts[COUNT_OF[state]] += 1;
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
  return { ...status, phase: 'Failed', failure: { ...failure, message: cutText(failure.message, 500) }, counts };
}
