import type { PlannedHook } from '../hook.ts';
import { hookDocument } from './plan-document.ts';
import type { RunHook } from './run-document.ts';
import type { RunStatus } from './run-status.ts';
import { hasEnded } from './run-status.ts';

/** What `apply` does about a Restore that may have had a run (contract §6). */
export type Decision =
  | { readonly action: 'start'; readonly kept: readonly RunHook[]; readonly difference: readonly string[] }
  | { readonly action: 'follow' }
  | { readonly action: 'show' }
  | { readonly action: 'refuse'; readonly why: string };

export interface Earlier {
  readonly status: RunStatus;
  readonly rows: readonly RunHook[];
  /** Its runner died: the rows say what is known of each hook. */
  readonly died: boolean;
}

export function decide(
  earlier: Earlier | undefined,
  plan: { readonly digest: string; readonly hooks: readonly PlannedHook[] },
  again: boolean,
): Decision {
  if (earlier === undefined) return { action: 'start', kept: [], difference: [] };
  const { status, rows, died } = earlier;
  const same = status.planDigest === plan.digest;
  if (!hasEnded(status) && !died) {
    if (same && !again) return { action: 'follow' };
    const { kind, name } = status.runner;
    return { action: 'refuse', why: `run ${status.runID} of this Restore is still going (${kind} ${name})` };
  }
  if (again || !hasExecuted(rows)) return { action: 'start', kept: [], difference: [] };
  const kept = keptRows(rows, plan.hooks);
  if (same && !died) return { action: 'show' };
  if (kept.length === plan.hooks.length && rows.length === kept.length) return { action: 'show' };
  return { action: 'start', kept, difference: differenceOf(rows, plan.hooks) };
}

/** Whether any command of the run was started, or may have been. */
const hasExecuted = (rows: readonly RunHook[]): boolean =>
  rows.some(({ state }) => state !== 'NotExecuted' && state !== 'Waiting');

/** The rows of hooks that have ended for this very pod and command: none of them is run again. */
function keptRows(rows: readonly RunHook[], hooks: readonly PlannedHook[]): RunHook[] {
  const earlier = new Map(rows.map((row) => [row.id, row]));
  return hooks.flatMap((hook) => {
    const row = earlier.get(hook.id);
    return row !== undefined && row.finishedAt !== undefined && isSame(row, hook)
      ? [{ ...hookDocument(hook), ...resultOf(row) }]
      : [];
  });
}

const isSame = (row: RunHook, hook: PlannedHook): boolean =>
  row.podUID === hook.podUID && JSON.stringify(row.command) === JSON.stringify(hook.command);

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
