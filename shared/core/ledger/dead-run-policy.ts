import { isFail, stoppedBy } from '../execute/state.ts';
import type { OnUnknown } from '../journal/resume.ts';
import type { HookRow } from '../report/hook-row.ts';
import type { LedgerRun } from './run-record.ts';

/* What is special about going on with a run whose runner died: these rules hold for its own results alone. */

/** What was running when the runner died, and is not attached to: `--on-unknown` says what becomes of it. */
export const diedWithIt = ({ record, begun }: LedgerRun, row: HookRow): boolean =>
  row.hook.kind === 'exec' && row.run === record.attempt && isUnseen(row) && !begun.has(row.hook.id); // R3.88

export const isUnseen = ({ state, reason }: HookRow): boolean => state === 'Unknown' && reason === 'runner-died';

/** The hook whose failure has stopped the run for good, also for whoever goes on with it (R6.6). */
export function stopOf(run: LedgerRun, onUnknown: OnUnknown): { reason: 'aborted'; message: string } | undefined {
  const stop = run.rows.find(
    (row) =>
      isFail(row.hook) &&
      row.run === run.record.attempt &&
      hasFailed(row) &&
      !(isUnseen(row) && run.begun.has(row.hook.id)) &&
      !(onUnknown === 'rerun' && diedWithIt(run, row)),
  );
  return stop && stoppedBy(stop.hook);
}

/** By itself: what others kept from running hasn't. */
const hasFailed = ({ state, reason }: HookRow): boolean =>
  state !== 'Succeeded' &&
  state !== 'Waiting' &&
  state !== 'Running' &&
  !(state === 'NotExecuted' && reason === 'runner-died') &&
  reason !== 'aborted' &&
  reason !== 'canceled';
