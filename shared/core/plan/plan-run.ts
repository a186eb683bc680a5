import { RestoreHooksError } from '../errors.ts';
import type { Hook } from '../model/hook.ts';
import { SOURCES } from '../model/hook.ts';
import type { Pod } from '../model/pod.ts';
import type { HookEntrySpec, Restore } from '../model/restore.ts';
import { gaveUpNotices } from './gave-up.ts';
import { planDocument, restoreReference } from './make-plan-document.ts';
import { isNarrowed, narrowedBy } from './named-hooks.ts';
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
  /** Of its runs' objects; absent: beside the Restore. */
  readonly runNamespace?: string | undefined;
  readonly pods: readonly Pod[];
  readonly selector: PlanDocument['selector'];
  readonly hookFiles?: readonly HookEntrySpec[] | undefined;
  /** Plan what Velero has run, too. */
  readonly rerun: boolean;
  /** Hook IDs, `namespace/pod`s or pods; empty = all. */
  readonly only: readonly string[];
  /** What is left out of them, by the same names. */
  readonly skip?: readonly string[] | undefined;
  /** The only sources that are read: `annotations`, `spec`, `file`. */
  readonly sources?: readonly string[] | undefined;
  /** No command may run longer. */
  readonly maxExecTimeoutMs?: number | undefined;
  /** Detach all commands. */
  readonly detach?: boolean | undefined;
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
export const planHooks = (request: PlanRequest): Plan =>
  planRestoreHooks({ ...request, withoutVelerosHooks: leavesVeleros(request) });

/** Velero has worked on the Restore, so that its hooks are left out. */
export const leavesVeleros = ({ restore, rerun }: Pick<PlanRequest, 'restore' | 'rerun'>): boolean =>
  hasWorkedOn(restore) && !rerun; // R1.22

const NO_PLAN: Plan = { hooks: [], injections: [], notices: [], unused: [] };

export function planRun(request: PlanRequest): PlannedRun {
  refuseSources(request);
  const { restore, namespace, runNamespace, writesHookStatus = true, force = false } = request;
  const { pods, notices: ofPods } = podsOf(request);
  const gaveUp = gaveUpNotices(restore, pods, writesHookStatus);
  const plan = !force && has(gaveUp, 'velero-gave-up') ? NO_PLAN : planHooks({ ...request, pods }); // R1.24
  const found = [...phaseNotices(restore), ...ofPods, ...gaveUp, ...plan.notices];
  const hooks = plan.hooks.length === 0 && isLeftOut(request, found) ? [] : narrow(request, plan);
  const notices = [...found, ...(pods.length > 0 ? unusedNotices(request, plan) : []), ...flagNotices(request)];
  const document = planDocument({
    restore: restoreReference(restore, { namespace, runNamespace }),
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
  const { restore, namespace, hookFiles, sources, pods: found, others = [] } = request;
  if (!isByLabel(request)) return { pods: found, notices: [] };
  const pods = takingPart(request);
  const own = new Set(pods);
  const older = found.filter((pod) => !own.has(pod));
  const written = { restore, hookFiles, sources, beside: pods };
  const left = hooksByPod({ ...written, pods: older });
  const without = hooksByPod({ ...written, pods: withoutLabel(restore, found, others) });
  return {
    pods,
    notices: [
      ...[...left].map(([pod, hooks]) => notRestored(pod, restore, hooks.length)),
      ...withoutLabelNotices(restore, namespace, [...without.keys()]),
    ],
  };
}

/** Without those that were there before the Restore (R1.16). */
export function takingPart(request: PlanRequest): readonly Pod[] {
  const { restore, pods, includeExisting = false } = request;
  return includeExisting || !isByLabel(request) ? pods : pods.filter((pod) => !isOlder(pod, restore));
}

/** Nobody has selected the pods by hand. */
export const isByLabel = ({ restore, selector }: PlanRequest): boolean =>
  selector.labelSelector === restoreSelector(restore.metadata.name);

function narrow(request: PlanRequest, { hooks, notices }: Plan): readonly Hook[] {
  if (!isNarrowed(request)) return hooks;
  const more = has(notices, 'velero-has-run') ? '; --rerun adds those that Velero may have run' : '';
  const { metadata } = request.restore;
  const flags = flagsOf(request).join('');
  const list = `kubectl restorehooks plan ${metadata.name} -n ${request.namespace} -o name${flags}${more}`;
  const kept = hooks.filter(narrowedBy(request, hooks, { of: 'plan', list }));
  if (kept.length > 0 || hooks.length === 0) return kept;
  const what = request.only.length === 0 ? '--skip leaves' : '--only and --skip leave';
  throw new RestoreHooksError('INVALID_ARGUMENT', `${what} no hook of the plan`, { hint: `list the hooks: ${list}` });
}

/** The flags without which `plan` has other hooks: each with a space before it. */
const flagsOf = ({ hookFiles, sources, rerun, includeExisting }: PlanRequest): readonly string[] => [
  ...(hookFiles === undefined ? [] : [' --hooks FILE']),
  ...(sources === undefined ? [] : [` --sources=${sources.join(',')}`]),
  ...(rerun ? [' --rerun'] : []),
  ...(includeExisting ? [' --include-existing'] : []),
];

/** Refuse flags that contradict each other about the sources (R1.40). */
function refuseSources({ sources, hookFiles }: PlanRequest): void {
  const isFile = sources?.includes('file');
  if (sources === undefined || (hookFiles === undefined ? !isFile || sources.length > 1 : isFile)) return;
  const [what, hint] =
    hookFiles === undefined
      ? ['--sources=file needs --hooks FILE', 'give the file, or read annotations and spec']
      : [
          '--hooks gives a file, and --sources leaves files out',
          `add file: --sources=${[...sources, 'file'].join(',')}`,
        ];
  throw new RestoreHooksError('INVALID_ARGUMENT', what, { hint });
}

/** Somebody has written these entries for this Restore; those of a Restore may be for any (R1.45). */
function unusedNotices({ hookFiles }: PlanRequest, { unused }: Plan): Notice[] {
  if (hookFiles === undefined) return [];
  return unused.map(({ name, place }) => ({
    code: 'entry-matches-nothing',
    message: `entry ${name} of --hooks (${place}) applies to none of the Restore's pods`,
  }));
}

const saying = (sources: readonly string[]): string =>
  `${sources.join(' and ')} ${sources.length === 1 && sources[0] !== 'annotations' ? 'says' : 'say'}`;

/** What flags have made of the plan that would be made without them. */
function flagNotices({ sources, skip = [], detach }: PlanRequest): Notice[] {
  const unread = SOURCES.filter((source) => sources !== undefined && !sources.includes(source));
  const notices: Notice[] = [];
  if (unread.length > 0) {
    notices.push({ code: 'sources-limited', message: `--sources leaves out what ${saying(unread)}` }); // R1.40
  }
  if (skip.length > 0) {
    notices.push({ code: 'hooks-skipped', message: `--skip leaves out ${skip.join(', ')}` }); // R1.41
  }
  if (detach) notices.push({ code: 'detach-all', message: '--detach: all commands are detached' }); // R1.44
  return notices;
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
