import { RestoreHooksError } from '../errors.ts';
import type { Hook } from '../model/hook.ts';
import type { Pod } from '../model/pod.ts';
import type { HookEntrySpec, Restore } from '../model/restore.ts';
import { gaveUpNotices } from './gave-up.ts';
import { planDocument, restoreReference } from './make-plan-document.ts';
import type { Notice, NoticeCode } from './notice.ts';
import type { PlanDocument } from './plan-document.ts';
import type { Plan, PlanInput, PlannedInjection } from './plan-restore-hooks.ts';
import { hooksByPod, planRestoreHooks } from './plan-restore-hooks.ts';
import { isOlder, notRestored, restoreSelector, withoutLabel, withoutLabelNotices } from './pods-of-restore.ts';
import { busyPhase, hasWorkedOn, phaseNotices } from './velero.ts';

/** What `plan`, `apply` and a runner that plans for itself take alike: the same input gives the same plan. */
export interface PlanRequest {
  readonly restore: Restore;
  /** Of the Restore, where it doesn't say itself. */
  readonly namespace: string;
  readonly pods: readonly Pod[];
  readonly selector: PlanDocument['selector'];
  readonly hookFiles?: readonly HookEntrySpec[] | undefined;
  /** Plan what Velero has run, too. */
  readonly rerun: boolean;
  /** Hook IDs, `namespace/pod`s or pods; empty = all. */
  readonly only: readonly string[];
  /** Delete pods that lack their init containers and have no controller, and create them anew. */
  readonly recreatePods?: boolean | undefined;
  /** Take in pods that were there before the Restore. */
  readonly includeExisting?: boolean | undefined;
  /** Pods of the same namespaces that don't have the Restore's label. */
  readonly others?: readonly Pod[] | undefined;
  /** Go on although Velero may be running hooks. */
  readonly force?: boolean | undefined;
  /** False: this namespace's Velero is one that knows no `hookStatus`. */
  readonly writesHookStatus?: boolean | undefined;
  readonly skipped?: PlanDocument['skipped'];
  readonly notices?: readonly Notice[];
  /** Told what is decided about each pod that takes part. */
  readonly explain?: PlanInput['explain'];
}

export interface PlannedRun {
  readonly hooks: readonly Hook[];
  readonly document: PlanDocument;
  /** What is put into pods that the run creates. */
  readonly injections: readonly PlannedInjection[];
}

/** All hooks of a request, whatever `only` says. */
export const planHooks = ({ restore, pods, hookFiles, rerun, recreatePods, explain }: PlanRequest): Plan => {
  const withoutVelerosHooks = leavesVeleros({ restore, rerun });
  return planRestoreHooks({ restore, pods, hookFiles, withoutVelerosHooks, recreatePods, explain });
};

/** Velero has worked on the Restore, so that its hooks are left out. */
export const leavesVeleros = ({ restore, rerun }: Pick<PlanRequest, 'restore' | 'rerun'>): boolean =>
  hasWorkedOn(restore) && !rerun; // R1.22

const NO_PLAN: Plan = { hooks: [], injections: [], notices: [] };

export function planRun(request: PlanRequest): PlannedRun {
  const { restore, namespace, writesHookStatus = true, force = false } = request;
  const { pods, notices: ofPods } = podsOf(request);
  const gaveUp = gaveUpNotices(restore, pods, writesHookStatus);
  const plan = !force && has(gaveUp, 'velero-gave-up') ? NO_PLAN : planHooks({ ...request, pods }); // R1.24
  const notices = [...phaseNotices(restore), ...ofPods, ...gaveUp, ...plan.notices];
  const hooks = plan.hooks.length === 0 && isLeftOut(request, notices) ? [] : narrow(request, plan);
  const document = planDocument({
    restore: restoreReference(restore, namespace),
    selector: request.selector,
    hooks,
    skipped: request.skipped ?? [],
    notices: [...(request.notices ?? []), ...notices],
  });
  const planned = new Set(hooks.map(({ id }) => id));
  return { hooks, document, injections: plan.injections.filter(({ hook }) => planned.has(hook)) };
}

export const has = (notices: readonly { readonly code: string }[], code: NoticeCode): boolean =>
  notices.some((notice) => notice.code === code);

/** Something else is to be said of an empty plan than that `--only` names none of it. */
const isLeftOut = ({ pods }: PlanRequest, notices: readonly Notice[]): boolean =>
  pods.length === 0 || LEFT_OUT.some((code) => has(notices, code));
const LEFT_OUT = ['velero-has-run', 'velero-gave-up', 'pod-not-restored'] as const;

/** The pods that the Restore has restored, and what is to be said of others. */
function podsOf(request: PlanRequest): { readonly pods: readonly Pod[]; readonly notices: readonly Notice[] } {
  const { restore, namespace, hookFiles, pods: found, others = [], includeExisting = false } = request;
  if (!isByLabel(request)) return { pods: found, notices: [] };
  const older = new Set(includeExisting ? [] : found.filter((pod) => isOlder(pod, restore))); // R1.16
  const left = hooksByPod({ restore, hookFiles, pods: [...older] });
  const without = hooksByPod({ restore, hookFiles, pods: withoutLabel(restore, found, others) });
  return {
    pods: older.size === 0 ? found : found.filter((pod) => !older.has(pod)),
    notices: [
      ...[...left].map(([pod, hooks]) => notRestored(pod, restore, hooks.length)),
      ...withoutLabelNotices(restore, namespace, [...without.keys()]),
    ],
  };
}

/** Nobody has selected the pods by hand. */
export const isByLabel = ({ restore, selector }: PlanRequest): boolean =>
  selector.labelSelector === restoreSelector(restore.metadata.name);

function narrow({ only }: PlanRequest, { hooks, notices }: Plan): readonly Hook[] {
  if (only.length === 0) return hooks;
  const wanted = new Set(only);
  const kept = hooks.filter(
    ({ id, namespace, pod }) => wanted.has(id) || wanted.has(`${namespace}/${pod}`) || wanted.has(pod),
  );
  const matched = new Set(kept.flatMap(({ id, namespace, pod }) => [id as string, `${namespace}/${pod}`, pod]));
  const unmatched = only.find((name) => !matched.has(name)); // R1.23
  if (unmatched === undefined) return kept;
  const more = has(notices, 'velero-has-run') ? '; --rerun adds those that Velero may have run' : '';
  throw new RestoreHooksError('INVALID_ARGUMENT', `--only ${unmatched} is no hook and no pod of the plan`, {
    hint: `list the hooks: kubectl restorehooks plan RESTORE -o name${more}`,
  });
}

/** Refuse to work on a Restore while Velero may be running its hooks (R1.26). */
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
