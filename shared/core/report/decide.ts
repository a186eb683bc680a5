import type { Counts } from '../executor/state.ts';
import { noCounts } from '../executor/state.ts';
import type { PlannedHook } from '../hook.ts';
import { hookDocument } from './make-plan-document.ts';
import type { RunHook } from './run-document.ts';
import type { RunStatus } from './run-status.ts';
import { hasEnded } from './run-status.ts';

/** What `apply` does about a Restore that may have had a run (contract §6). */
export type Decision =
  | { readonly action: 'start'; readonly kept: readonly RunHook[]; readonly difference: readonly string[] }
  | { readonly action: 'follow' }
  | { readonly action: 'show' }
  /** Nothing is left to run, but nobody has written down yet that its runner died. */
  | { readonly action: 'settle' }
  | { readonly action: 'refuse'; readonly why: string };

export interface Earlier {
  readonly status: RunStatus;
  readonly rows: readonly RunHook[];
  /** Its runner died: the rows say what is known of each hook. */
  readonly died: boolean;
  /** It is over and did nothing: the rows are those of the run before it. */
  readonly neverBegan?: boolean;
}

export function decide(
  earlier: Earlier | undefined,
  plan: { readonly digest: string; readonly hooks: readonly PlannedHook[] },
  again: boolean,
): Decision {
  if (earlier === undefined) return { action: 'start', kept: [], difference: [] };
  const { status, rows, died, neverBegan = false } = earlier;
  const same = status.planDigest === plan.digest;
  if (!hasEnded(status) && !died && !neverBegan) {
    if (same && !again) return { action: 'follow' };
    const { kind, name } = status.runner;
    return { action: 'refuse', why: `run ${status.runID} of this Restore is still going (${kind} ${name})` };
  }
  if (again || !hasExecuted(rows)) return { action: 'start', kept: [], difference: [] };
  if (same && !died && !neverBegan) return { action: 'show' };
  const kept = keptRows(rows, plan.hooks);
  const difference = differenceOf(rows, plan.hooks);
  if (kept.length === plan.hooks.length && difference.length === 0) return { action: died ? 'settle' : 'show' };
  return { action: 'start', kept, difference };
}

/** Whether any command of the run was started, or may have been. */
const hasExecuted = (rows: readonly RunHook[]): boolean =>
  rows.some(({ state }) => state !== 'NotExecuted' && state !== 'Waiting');

/** The rows of hooks that have ended for this very pod and command: none of them is run again. */
function keptRows(rows: readonly RunHook[], hooks: readonly PlannedHook[]): RunHook[] {
  const earlier = new Map(rows.map((row) => [row.id, row]));
  return hooks.flatMap((hook) => {
    const row = earlier.get(hook.id);
    if (row === undefined || !isSame(row, hook) || isPending(row)) return [];
    return [{ ...hookDocument(hook), ...resultOf(row) }];
  });
}

/** Provably never started, and not because of anything that was decided about the hook. */
const isPending = ({ state, reason }: RunHook): boolean =>
  state === 'Waiting' || state === 'Running' || (state === 'NotExecuted' && reason === 'runner-died');

/**
 * The rows of a run whose runner died, as they can be known from outside (contract §5): without a journal, what a
 * claimed run had not ended it may have started.
 */
export function rowsOfDeadRun(rows: readonly RunHook[], wasClaimed: boolean): RunHook[] {
  return rows.map((row) => {
    if (row.state !== 'Waiting' && row.state !== 'Running') return row;
    const { message: _, ...rest } = row;
    return wasClaimed
      ? {
          ...rest,
          state: 'Unknown',
          reason: 'runner-died',
          message: 'the runner died; the command may have been started',
        }
      : { ...rest, state: 'NotExecuted', reason: 'runner-died', message: 'the runner died before it began' };
  });
}

/** Counts of rows as a report joins them. */
export function countRows(rows: readonly RunHook[]): Counts {
  const counts = noCounts(rows.length);
  for (const { state } of rows) counts[COUNT_OF[state]] += 1;
  return counts;
}

const COUNT_OF = {
  Waiting: 'waiting',
  Running: 'running',
  Succeeded: 'succeeded',
  Failed: 'failed',
  TimedOut: 'timedOut',
  NotExecuted: 'notExecuted',
  Unknown: 'unknown',
} as const;

const isSame = (row: RunHook, hook: PlannedHook): boolean =>
  row.podUID === hook.podUID && row.kind === hook.kind && contentOf(row) === contentOf(hook);

const contentOf = (hook: RunHook | PlannedHook): string =>
  JSON.stringify(hook.kind === 'exec' ? [hook.command] : [hook.command, hook.image, hook.containerDigest]);

function resultOf({ state, reason, exitCode, unproven, message, startedAt, finishedAt, attempt }: RunHook) {
  const result = { state, reason, exitCode, unproven, message, startedAt, finishedAt, attempt };
  return Object.fromEntries(Object.entries(result).filter(([, value]) => value !== undefined)) as typeof result;
}

/** What a new plan adds, changes and drops, a line each. */
function differenceOf(rows: readonly RunHook[], hooks: readonly PlannedHook[]): string[] {
  const earlier = new Map(rows.map((row) => [row.id as string, row]));
  const planned = new Set<string>(hooks.map(({ id }) => id));
  const lines: string[] = [];
  for (const hook of hooks) {
    const row = earlier.get(hook.id);
    if (row === undefined) lines.push(`+ ${hook.id}`);
    else if (row.podUID !== hook.podUID) lines.push(`~ ${hook.id} (another pod)`);
    else if (!isSame(row, hook)) lines.push(`~ ${hook.id} (another command)`);
  }
  for (const { id } of rows) if (!planned.has(id)) lines.push(`- ${id}`);
  return lines;
}
