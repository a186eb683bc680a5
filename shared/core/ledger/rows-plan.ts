import { API_VERSION } from '../names.ts';
import { planDigest } from '../plan/make-plan-document.ts';
import type { HookDocument, PlanDocument, RestoreReference } from '../plan/plan-document.ts';
import type { RunHook } from '../report/run-document.ts';

/** A row's hook, as it was planned. */
export function hookOf(row: RunHook): HookDocument {
  const { state, reason, exitCode, unproven, message, startedAt, finishedAt, attempt, ...rest } = row;
  const { stdout, stderr, outputDropped, ...hook } = rest;
  return hook;
}

/** The hooks of a pod that a run has created are in it by now. */
export const asCreated = (row: RunHook): RunHook =>
  row.kind === 'init' && row.reason !== 'not-injected' && row.injection !== undefined && row.podUID !== undefined
    ? { ...row, injection: 'found' }
    : row;

/** A plan of the hooks that these rows are of. */
export function planOfRows(
  restore: RestoreReference,
  rows: readonly RunHook[],
  selector: PlanDocument['selector'],
): PlanDocument {
  const hooks = rows.map(hookOf);
  const digest = planDigest(restore, hooks);
  const kind = { apiVersion: API_VERSION, kind: 'RestoreHookPlan' } as const;
  return { ...kind, restore, selector, digest, hooks, skipped: [], notices: [] };
}
