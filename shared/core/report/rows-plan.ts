import { RestoreHooksError } from '../errors.ts';
import { API_VERSION } from '../names.ts';
import { planDigest } from './make-plan-document.ts';
import type { HookDocument, PlanDocument, RestoreReference } from './plan-document.ts';
import type { RunHook } from './run-document.ts';

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

/** The plan that a run had, from its report. Throws where that is not the plan whose digest is given. */
export function planOfRows(
  restore: RestoreReference,
  rows: readonly RunHook[],
  selector: PlanDocument['selector'],
  digest: string,
): PlanDocument {
  const hooks = rows.map(hookOf);
  const found = planDigest(restore, hooks);
  // Pods that a run has created have UIDs that its plan didn't know.
  if (found !== digest && !hooks.some((hook) => hook.kind === 'init' && hook.injection !== undefined)) {
    throw new RestoreHooksError(
      'RUN_FAILED',
      `the report of Restore ${restore.name} is not whole: its plan is another`,
      {
        hint: 'plan anew: kubectl restorehooks apply',
      },
    );
  }
  return {
    apiVersion: API_VERSION,
    kind: 'RestoreHookPlan',
    restore,
    selector,
    digest: found,
    hooks,
    skipped: [],
    notices: [],
  };
}
