import type { Hook } from '../model/hook.ts';
import type { Pod } from '../model/pod.ts';
import { API_VERSION } from '../names.ts';
import { annotationPrefix } from './annotations.ts';
import { checksOf, valuesOf } from './explain-entry.ts';
import type {
  EntryExplanation,
  ExplanationDocument,
  HookExplanation,
  PodExplanation,
  SourceExplanation,
} from './explanation-document.ts';
import type { HookEntry, IndexedHook } from './hook-entries.ts';
import type { Notice, NoticeCode } from './notice.ts';
import type { PlanDocument } from './plan-document.ts';
import { INIT_HOOKS } from './plan-init-hooks.ts';
import type { PodDecision } from './plan-restore-hooks.ts';
import { EXEC_HOOKS } from './plan-restore-hooks.ts';
import type { PlanRequest } from './plan-run.ts';
import { isByLabel, leavesVeleros, planHooks, planRun } from './plan-run.ts';
import { explainSkipped, whyNotSelected } from './pods-left-out.ts';
import { isOlder, notRestored } from './pods-of-restore.ts';
import type { HookKind, SourceDecision } from './sources.ts';
import { candidatesOf, decideSources } from './sources.ts';

/** A pod to explain: one of the request, one that it has not selected, or one of a backup that is not restored. */
export type PodToExplain =
  | { readonly pod: Pod; readonly isSelected: boolean }
  | { readonly skipped: PlanDocument['skipped'][number] };

/**
 * Why each source and entry gives a pod hooks or doesn't (R7.2, R7.50). What is told was noted down by the planner while it
 * made the plan. Only for a pod that takes no part a plan is made of it alone, to say what it would have.
 */
export function explain(request: PlanRequest, wanted: readonly PodToExplain[]): ExplanationDocument {
  const pods = new Set(wanted.flatMap((each) => ('pod' in each ? [each.pod] : [])));
  const decisions = new Map<Pod, PodDecision>();
  const { document, hooks } = planRun({
    ...request,
    explain: (decision) => pods.has(decision.pod) && decisions.set(decision.pod, decision),
  });
  const planned = new Set<string>(hooks.map(({ id }) => id));
  const { restore, selector, digest, notices } = document;
  return {
    apiVersion: API_VERSION,
    kind: 'RestoreHookExplanation',
    restore,
    selector,
    digest,
    pods: wanted.map((each) => {
      if ('skipped' in each) return explainSkipped(request.restore, each.skipped);
      const decision = decisions.get(each.pod);
      if (decision !== undefined) return explainPod(request, decision, { planned, leftOut: undefined });
      const wouldBe = decisionOn(request, each.pod);
      const leftOut = each.isSelected ? whyLeftOut(request, wouldBe, notices) : whyNotSelected(request, each.pod);
      return explainPod(request, wouldBe, { planned, leftOut });
    }),
    notices: notices.filter(({ namespace, pod }) => namespace === undefined && pod === undefined),
  };
}

interface Fate {
  /** The ids of all hooks of the plan. */
  readonly planned: ReadonlySet<string>;
  readonly leftOut: PodExplanation['leftOut'];
}

/** What the planner would decide about a pod that the plan leaves out, if it didn't. */
function decisionOn(request: PlanRequest, pod: Pod): PodDecision {
  let found: PodDecision | undefined;
  const pods = request.pods.includes(pod) ? request.pods : [...request.pods, pod];
  planHooks({ ...request, pods, explain: (decision) => (found = decision.pod === pod ? decision : found) });
  return found as PodDecision;
}

function whyLeftOut(
  request: PlanRequest,
  { pod, planned }: PodDecision,
  notices: readonly { code: string; namespace?: string | undefined; pod?: string | undefined; message: string }[],
): PodExplanation['leftOut'] {
  const { restore, includeExisting = false } = request;
  if (isByLabel(request) && !includeExisting && isOlder(pod, restore)) {
    const { code, message } = notRestored(pod, restore, planned.length);
    return { code, message };
  }
  const { namespace, name } = pod.metadata;
  const gaveUp = notices.filter(({ code }) => code === ('velero-gave-up' satisfies NoticeCode));
  const own = gaveUp.find((notice) => notice.namespace === namespace && notice.pod === name);
  const others = "Velero may be running the Restore's hooks in other pods; nothing is planned without --force";
  return { code: 'velero-gave-up', message: own?.message ?? (gaveUp.length > 0 ? others : 'it takes no part') };
}

function explainPod(request: PlanRequest, decision: PodDecision, fate: Fate): PodExplanation {
  const { pod, entries, applying, exec, planned, notices } = decision;
  const { namespace, name, uid } = pod.metadata;
  const init = decideSources(candidatesOf(pod, entries, applying, INIT_HOOKS), leavesVeleros(request));
  const isIn = ({ hook }: { readonly hook: Hook }): boolean => fate.leftOut === undefined && fate.planned.has(hook.id);
  return {
    namespace,
    pod: name,
    ...(uid ? { podUID: uid } : {}),
    ...(fate.leftOut && { leftOut: fate.leftOut }),
    planned: planned.filter(isIn).map(({ hook }) => hook.id),
    init: sourcesOf(INIT_HOOKS, init, { request, decision, fate }),
    exec: sourcesOf(EXEC_HOOKS, exec, { request, decision, fate }),
    notices: uniqueNotices(notices),
  };
}

const uniqueNotices = (notices: readonly Notice[]): Notice[] => [
  ...new Map(notices.map((notice) => [`${notice.code}\n${notice.message}`, notice])).values(),
];

interface OfPod {
  readonly request: PlanRequest;
  readonly decision: PodDecision;
  readonly fate: Fate;
}

/** The four sources of R1.19 in order, also those that are not there. */
function sourcesOf<T>(kind: HookKind<T>, decisions: readonly SourceDecision<T>[], ofPod: OfPod): SourceExplanation[] {
  const { restore, hookFiles } = ofPod.request;
  const told = decisions.map((decision) => withoutUnread(explainSource(kind, decision, ofPod), ofPod.request));
  const annotations = told.filter(({ source }) => source === 'annotation');
  const written = told.filter(({ source }) => source !== 'annotation');
  if (hookFiles === undefined) {
    const message = 'no --hooks FILE is given';
    return [...annotations, { ...FILE, outcome: 'not-given', message, entries: [] }, ...written];
  }
  const count = restore.spec.hooks.resources.length;
  const message = `not read, because --hooks is given (the Restore has ${count === 1 ? '1 entry' : `${count} entries`})`;
  return [...annotations, ...written, { ...SPEC, outcome: 'not-read', message, entries: [] }];
}

/** R1.40 */
function withoutUnread(told: SourceExplanation, { sources }: PlanRequest): SourceExplanation {
  const flag = told.source === 'annotation' ? 'annotations' : told.source;
  if (sources === undefined || sources.includes(flag)) return told;
  return { ...told, outcome: 'not-read', message: `not read: --sources leaves ${flag} out`, entries: [] };
}

const FILE = { source: 'file', origin: 'restorehooks' } as const;
const SPEC = { source: 'spec', origin: 'velero' } as const;

function explainSource<T>(kind: HookKind<T>, decision: SourceDecision<T>, ofPod: OfPod): SourceExplanation {
  const { candidate, verdict, by } = decision;
  const { source, origin } = candidate;
  const entries =
    source === 'annotation'
      ? candidate.hooks.map((hook) => annotationEntry(kind, hook, decision, ofPod))
      : entriesOf(kind, ofPod.decision).map((entry) => explainEntry(kind, entry, decision, ofPod));
  const about = { source, origin, entries };
  switch (verdict) {
    case 'taken':
      return { ...about, outcome: 'applies', message: 'the first source that has a hook for the pod' };
    case 'hidden':
      return { ...about, outcome: 'hidden', message: `hidden by ${by?.title}` };
    case 'velero-has-run':
      return { ...about, outcome: 'velero-has-run', message: VELERO_HAS_RUN[kind.kind] };
    case 'no-hook':
      return { ...about, outcome: 'no-hook', message: whyNoHook(kind, candidate, entries.length, ofPod) };
  }
}

const VELERO_HAS_RUN = {
  exec: 'left out, Velero has worked on this Restore and may have run them (--rerun includes them)',
  init: 'left out, Velero has worked on this Restore; what it has injected is watched (--rerun includes the rest)',
} as const;

function whyNoHook<T>(
  { kind }: HookKind<T>,
  { source, origin }: SourceDecision<T>['candidate'],
  entries: number,
  { decision: { pod } }: OfPod,
): string {
  if (source !== 'annotation') return entries === 0 ? `no entry has an ${kind} hook` : 'no entry applies to the pod';
  const prefix = annotationPrefix(kind, origin);
  const key = prefix + (kind === 'exec' ? 'command' : 'container-image');
  const { annotations } = pod.metadata;
  if (Object.hasOwn(annotations, key)) return `annotation ${key} is empty`;
  const others = Object.keys(annotations).filter((each) => each.startsWith(prefix));
  if (others.length === 0) return `the pod has no annotation ${key}`;
  return `the pod has no annotation ${key}; without it ${others.join(', ')} say${others.length === 1 ? 's' : ''} nothing`;
}

/** The entries that have hooks of this kind; those without any hook are told among the exec hooks. */
function entriesOf<T>({ kind, ofEntry }: HookKind<T>, { entries }: PodDecision): HookEntry[] {
  return entries.entries.filter((entry) => {
    const hasNone = entry.execHooks.length + entry.initHooks.length === 0;
    return ofEntry(entry).length > 0 || (hasNone && kind === 'exec');
  });
}

function annotationEntry<T>(
  { kind }: HookKind<T>,
  hook: SourceDecision<T>['candidate']['hooks'][number],
  decision: SourceDecision<T>,
  ofPod: OfPod,
): EntryExplanation {
  const hooks = [explainHook(hook, decision, { applies: true }, ofPod)];
  return {
    name: hook.name,
    field: hook.place + (kind === 'exec' ? 'command' : 'container-image'),
    applies: true,
    checks: [],
    hooks,
  };
}

function explainEntry<T>(
  { ofEntry }: HookKind<T>,
  entry: HookEntry,
  decision: SourceDecision<T>,
  ofPod: OfPod,
): EntryExplanation {
  const applies = ofPod.decision.applying.includes(entry);
  const instead = ofPod.decision.elsewhere.get(entry);
  return {
    name: entry.name,
    field: entry.place,
    applies,
    checks: checksOf(entry, ofPod.decision.pod),
    hooks: ofEntry(entry).map((hook) => explainHook(hook, decision, { applies, instead }, ofPod)),
  };
}

function explainHook<T>(
  { index, place }: IndexedHook<T>,
  { verdict }: SourceDecision<T>,
  { applies, instead }: { readonly applies: boolean; readonly instead?: Pod | undefined },
  { decision, fate }: OfPod,
): HookExplanation {
  const ofHook = decision.planned.filter((planned) => planned.place === place);
  const planned = fate.leftOut === undefined ? ofHook.filter(({ hook }) => fate.planned.has(hook.id)) : [];
  const outcome = (): HookExplanation['outcome'] => {
    if (planned.length > 0) return 'planned';
    if (!applies) return 'entry-does-not-apply';
    if (verdict === 'hidden' || verdict === 'velero-has-run') return verdict;
    if (instead !== undefined) return 'runs-in-another-pod'; // R3.62
    if (fate.leftOut !== undefined) return 'pod-left-out';
    return ofHook.length > 0 ? 'not-in-only' : 'no-container';
  };
  const told = planned.map((each) => ({
    id: each.hook.id,
    ...(each.hook.never && { never: each.hook.never }),
    values: valuesOf(each),
  }));
  const about = { index, field: place, outcome: outcome(), planned: told };
  if (instead === undefined || about.outcome !== 'runs-in-another-pod') return about;
  return { ...about, runsIn: `${instead.metadata.namespace}/${instead.metadata.name}` };
}
