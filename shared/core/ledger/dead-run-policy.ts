import { stoppedBy } from '../execute/state.ts';
import type { OnUnknown } from '../journal/resume.ts';
import type { RunHook } from '../report/run-document.ts';
import type { LedgerRun } from './run-record.ts';

/* What is special about going on with a run whose runner died: these rules hold for its own results alone. */

/** What was running when the runner died: `--on-unknown` says what becomes of it. */
export const diedWithIt = ({ record }: LedgerRun, row: RunHook): boolean =>
  row.kind === 'exec' && row.attempt === record.attempt && isUnseen(row);

export const isUnseen = ({ state, reason }: RunHook): boolean => state === 'Unknown' && reason === 'runner-died';

/** The hook whose failure has stopped the run for good, also for whoever goes on with it (R6.6). */
export function stopOf(run: LedgerRun, onUnknown: OnUnknown): { reason: 'aborted'; message: string } | undefined {
  const stop = run.rows.find(
    (row) =>
      row.kind === 'exec' &&
      row.onError === 'Fail' &&
      row.attempt === run.record.attempt &&
      hasFailed(row) &&
      !(onUnknown === 'rerun' && diedWithIt(run, row)),
  );
  return stop && stoppedBy(stop);
}

/** By itself: what others kept from running hasn't. */
const hasFailed = ({ state, reason }: RunHook): boolean =>
  state !== 'Succeeded' &&
  state !== 'Waiting' &&
  state !== 'Running' &&
  !(state === 'NotExecuted' && reason === 'runner-died') &&
  reason !== 'aborted' &&
  reason !== 'canceled';
