import type { RunState } from './state.ts';

export type RunPhase =
  | 'Pending'
  | 'InProgress'
  | 'Failed'
  | 'PartiallyFailed'
  | 'Canceled'
  | 'CompletedWithFailures'
  | 'Completed';

/** The phase of a run (R5.3): the first that applies, once every hook has ended. */
export function phaseOf(
  run: Pick<RunState, 'finishedAt' | 'failHookFailed' | 'canceled' | 'failHookUnexecuted' | 'counts'> & {
    readonly failure: object | undefined;
  },
): RunPhase {
  if (run.finishedAt === undefined) return 'InProgress';
  if (run.failure !== undefined) return 'Failed';
  if (run.failHookFailed) return 'PartiallyFailed';
  if (run.canceled) return 'Canceled';
  // While a `Fail` hook is unexecuted, in this run or since an earlier one, the run is `PartiallyFailed` (R6.1.5).
  if (run.failHookUnexecuted) return 'PartiallyFailed';
  return run.counts.succeeded === run.counts.planned ? 'Completed' : 'CompletedWithFailures';
}

const FINAL: ReadonlySet<string> = new Set<RunPhase>([
  'Failed',
  'PartiallyFailed',
  'Canceled',
  'CompletedWithFailures',
  'Completed',
]);

export const isFinalPhase = (phase: string): boolean => FINAL.has(phase);
