import { RestoreHooksError } from '../errors.ts';
import type { PlannedHook } from '../hook.ts';
import type { Pod } from '../model/pod.ts';
import type { Restore, RestoreResourceHookSpec } from '../model/restore.ts';
import { planDocument, restoreReference } from '../report/make-plan-document.ts';
import type { PlanDocument } from '../report/plan-document.ts';
import type { Notice } from './notice.ts';
import type { Plan, PlannedInjection } from './plan-restore-hooks.ts';
import { planRestoreHooks } from './plan-restore-hooks.ts';
import { busyPhase, hasWorkedOn } from './velero.ts';

/** What `plan`, `apply` and a runner that plans for itself take alike: the same input gives the same plan. */
export interface PlanRequest {
  readonly restore: Restore;
  /** Of the Restore, where it doesn't say itself. */
  readonly namespace: string;
  readonly pods: readonly Pod[];
  readonly selector: PlanDocument['selector'];
  readonly hookFiles?: readonly RestoreResourceHookSpec[] | undefined;
  /** Plan what Velero has run, too. */
  readonly rerun: boolean;
  /** Hook IDs, `namespace/pod`s or pods; empty = all. */
  readonly only: readonly string[];
  /** Delete pods that lack their init containers and have no controller, and create them anew. */
  readonly recreatePods?: boolean | undefined;
  readonly skipped?: PlanDocument['skipped'];
  readonly notices?: readonly Notice[];
}

export interface PlannedRun {
  readonly hooks: readonly PlannedHook[];
  readonly document: PlanDocument;
  /** What is put into pods that the run creates. */
  readonly injections: readonly PlannedInjection[];
}

/** All hooks of a request, whatever `only` says. */
export const planHooks = ({ restore, pods, hookFiles, rerun, recreatePods }: PlanRequest): Plan =>
  planRestoreHooks({ restore, pods, hookFiles, withoutVelerosHooks: hasWorkedOn(restore) && !rerun, recreatePods });

export function planRun(request: PlanRequest): PlannedRun {
  const { restore } = request;
  const plan = planHooks(request);
  const leftToVelero = plan.notices.some(({ code }) => code === 'velero-has-run');
  // Where all is left out, that is what there is to say, and not that `only` names none of it.
  const hooks = leftToVelero && plan.hooks.length === 0 ? [] : narrow(plan.hooks, request.only, leftToVelero);
  const document = planDocument({
    restore: restoreReference(restore, request.namespace),
    selector: request.selector,
    hooks,
    skipped: request.skipped ?? [],
    notices: [...(request.notices ?? []), ...phaseNotices(restore), ...plan.notices],
  });
  const planned = new Set(hooks.map(({ id }) => id));
  return { hooks, document, injections: plan.injections.filter(({ hook }) => planned.has(hook)) };
}

function phaseNotices({ status }: Restore): Notice[] {
  if (status?.phase) return [];
  const message = 'the Restore has no phase: Velero has not seen it, or another tool made it';
  return [{ code: 'restore-without-phase', message }];
}

function narrow(hooks: readonly PlannedHook[], only: readonly string[], leftToVelero: boolean): readonly PlannedHook[] {
  if (only.length === 0) return hooks;
  const wanted = new Set(only);
  const kept = hooks.filter(
    ({ id, namespace, pod }) => wanted.has(id) || wanted.has(`${namespace}/${pod}`) || wanted.has(pod),
  );
  const matched = new Set(kept.flatMap(({ id, namespace, pod }) => [id as string, `${namespace}/${pod}`, pod]));
  const unmatched = only.find((name) => !matched.has(name));
  if (unmatched === undefined) return kept;
  throw new RestoreHooksError('INVALID_ARGUMENT', `--only ${unmatched} is no hook and no pod of the plan`, {
    hint: `list the hooks: kubectl restorehooks plan RESTORE -o name${leftToVelero ? '; --rerun adds those that Velero may have run' : ''}`,
  });
}

/** Refuse to work on a Restore while Velero may be running its hooks (contract §1). */
export function refuseWhileBusy(restore: Restore, force: boolean): void {
  const phase = busyPhase(restore);
  if (phase === undefined || force) return;
  throw new RestoreHooksError(
    'RUN_BY_ANOTHER',
    `Velero isn't done with Restore ${restore.metadata.name}: its phase is ${phase}`,
    {
      hint: 'wait until it is, or add --force if no Velero server is working on it',
    },
  );
}

/** Why there is nothing to run, as an error with its exit code; undefined where that is in order (contract §7). */
export function nothingToRun(
  { document, hooks }: PlannedRun,
  { restore, hookFiles }: Pick<PlanRequest, 'restore' | 'hookFiles'>,
  allowNoMatch: boolean,
): RestoreHooksError | undefined {
  if (hooks.length > 0) return undefined;
  const { name } = restore.metadata;
  const namespace = document.restore.namespace;
  const ran = document.notices.filter(({ code }) => code === 'velero-has-run');
  if (ran.length > 0) {
    return new RestoreHooksError(
      'RUN_BY_ANOTHER',
      `Velero has worked on Restore ${name} and may have run its ${ran.length === 1 ? 'hook' : `${ran.length} hooks`}`,
      {
        hint: `see them: kubectl restorehooks plan ${name} -n ${namespace} --rerun\nrun them again: kubectl restorehooks apply ${name} -n ${namespace} --rerun [--only HOOK|POD]`,
      },
    );
  }
  const entries = hookFiles ?? restore.spec.hooks.resources;
  const hasHooks = entries.some(({ postHooks }) => postHooks.some(({ exec, init }) => exec || init));
  if (!hasHooks || allowNoMatch) return undefined;
  const { labelSelector } = document.selector;
  return new RestoreHooksError(
    'NO_POD_MATCHED',
    `Restore ${name} has hooks, but none of them matches a pod (${labelSelector})`,
    {
      hint: `see why: kubectl restorehooks plan ${name} -n ${namespace} --explain POD; or add --allow-no-match`,
    },
  );
}
