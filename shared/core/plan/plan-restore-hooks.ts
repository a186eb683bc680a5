import { commandError, keyErrors } from '../mistakes/planned.ts';
import { formatDuration } from '../model/duration.ts';
import type { ExecHook, Hook, HookId, HookSource, Never, OnError, Retry } from '../model/hook.ts';
import { podKey } from '../model/hook.ts';
import type { Pod } from '../model/pod.ts';
import { hasExecContainer } from '../model/pod.ts';
import type { ExecHookSpec, HookEntrySpec, InitContainer, Restore } from '../model/restore.ts';
import { runOnOf } from '../model/restore.ts';
import { execHookFromAnnotations } from './annotations.ts';
import type { HookEntries, HookEntry } from './hook-entries.ts';
import type { Notice, NoticeCode } from './notice.ts';
import type { PodInitHook } from './plan-init-hooks.ts';
import { initHooksOf, withInjected } from './plan-init-hooks.ts';
import { workloadOf } from './pods-of-restore.ts';
import { chooseRunOn } from './run-on.ts';
import type { Candidate, HookKind, SourceDecision } from './sources.ts';
import { candidatesOf, decideSources, hidingNotices, hookEntriesOf, noticeOn, takenOf } from './sources.ts';

export interface PlanInput {
  readonly restore: Restore;
  readonly pods: readonly Pod[];
  /** The entries of all `--hooks` files; when given, the Restore's own are not read. */
  readonly hookFiles?: readonly HookEntrySpec[] | undefined;
  /** Leave out what is also Velero's to run, because Velero has worked on the Restore (R1.21). */
  readonly withoutVelerosHooks?: boolean | undefined;
  /** A pod that lacks init containers, and has no controller, is to be deleted and created anew (R2.15). */
  readonly recreatePods?: boolean | undefined;
  /** The only sources that are read, by the names of `--sources`. */
  readonly sources?: readonly string[] | undefined;
  /** No command may run longer (R1.43). */
  readonly maxExecTimeoutMs?: number | undefined;
  /** No command is tied to the exec that starts it (R1.44). */
  readonly detach?: boolean | undefined;
  /** Told what was decided about each pod, for `plan --explain` (R7.2). */
  readonly explain?: ((decision: PodDecision) => void) | undefined;
}

/** What the planner has decided about one pod. */
export interface PodDecision {
  readonly pod: Pod;
  readonly entries: HookEntries;
  /** The entries that apply to it. */
  readonly applying: readonly HookEntry[];
  /** The sources of its exec hooks. */
  readonly exec: readonly SourceDecision<ExecHookSpec>[];
  /** The pods in which entries with `runOn` run instead of this one. */
  readonly elsewhere: ReadonlyMap<HookEntry, Pod>;
  /** Its hooks as they are planned, each with where it is written. */
  readonly planned: readonly PlannedFrom[];
  /** What was to be noticed of it. */
  readonly notices: readonly Notice[];
}

export interface PlannedFrom {
  readonly hook: Hook;
  readonly place: string;
  /** Which of its values are those that are written there; the others are defaults. */
  readonly given: ReadonlySet<string>;
  /** Of an init hook: the position of its container among those that are written there. */
  readonly containerAt?: number;
}

export interface Plan {
  /** By namespace and pod; init hooks in their order, then exec hooks by container (first mention), then as written. */
  readonly hooks: readonly Hook[];
  /** What is put into pods that have to be created. */
  readonly injections: readonly PlannedInjection[];
  readonly notices: readonly Notice[];
  /** The entries that apply to none of the pods. */
  readonly unused: readonly HookEntry[];
}

/** A hook's init container, and before which of the pod's own it belongs (their number: behind the last). */
export interface PlannedInjection {
  readonly hook: HookId;
  readonly at: number;
  readonly container: InitContainer;
}

const DEFAULT_EXEC_TIMEOUT_MS = 30_000;

export const EXEC_HOOKS: HookKind<ExecHookSpec> = {
  kind: 'exec',
  fromAnnotations: execHookFromAnnotations,
  ofEntry: ({ execHooks }) => execHooks,
};
type ExecCandidate = Candidate<ExecHookSpec>;

/**
 * Decide which restore hooks run, where, and in what order (docs/contract.md, sections 1 to 3).
 *
 * The same Restore and pods give the same plan, whatever order the pods come in (R3.13). Never throws: what can't be planned
 * as it was meant is a notice.
 */
export function planRestoreHooks(input: PlanInput): Plan {
  const hooks: Hook[] = [];
  const injections: PlannedInjection[] = [];
  const said = new Set<string>();
  const withoutVeleros = input.withoutVelerosHooks === true;
  const options = { withoutVeleros, recreatePods: input.recreatePods === true };
  const entries = hookEntriesOf(input.restore, input.hookFiles, input.sources);
  const notices: Notice[] = [];
  const pods = [...input.pods].sort(byNamespaceAndName);
  const sourcesOf = (pod: Pod, applying = entries.of(pod)) =>
    decideSources(candidatesOf(pod, entries, applying, EXEC_HOOKS), withoutVeleros);
  const used = new Set<HookEntry>();
  const runsElsewhere = chooseRunOn(pods, entries, (pod) => takenOf(sourcesOf(pod))?.source === entries.source);
  for (const pod of pods) {
    const ofPod: Notice[] = [];
    const applying = entries.of(pod);
    for (const entry of applying) used.add(entry);
    const init = initHooksOf(pod, entries, applying, options, ofPod);
    const annotations = entries.withAnnotations ? pod.metadata.annotations : {};
    for (const error of keyErrors(annotations)) ofPod.push(noticeOn(pod, 'lint-error', error));
    const exec = sourcesOf(pod, applying);
    ofPod.push(...sourceNotices(exec, pod));
    const ofHooks: Notice[] = [];
    const elsewhere = new Map(
      applying.flatMap((entry): [HookEntry, Pod][] => {
        const instead = runsElsewhere(entry, pod);
        return instead === undefined ? [] : [[entry, instead]];
      }),
    );
    const taken = takenOf(exec);
    const chosen = taken && { ...taken, hooks: taken.hooks.filter(({ entry }) => !entry || !elsewhere.has(entry)) };
    const planned = planPod(pod, init, chosen, input, { ofPod, ofHooks });
    for (const [at, { hook }] of planned.entries()) {
      hooks.push(hook);
      const missing = init[at]?.missing;
      if (missing !== undefined) injections.push({ hook: hook.id, ...missing });
    }
    notices.push(...ofPod);
    ofHooks.forEach(say);
    input.explain?.({ pod, entries, applying, exec, elsewhere, planned, notices: [...ofPod, ...ofHooks] });
  }
  return { hooks, injections, notices, unused: entries.entries.filter((entry) => !used.has(entry)) };

  /** A notice about a spec's hook stands once, however many pods it applies to. */
  function say(notice: Notice): void {
    const key = `${notice.code}\n${notice.namespace ?? ''}\n${notice.pod ?? ''}\n${notice.message}`;
    if (said.has(key)) return;
    said.add(key);
    notices.push(notice);
  }
}

/**
 * Those of `pods` that have hooks, whoever is to run them, where they are planned beside others: `runOn` chooses among all
 * of them (R3.60).
 */
export function hooksByPod({
  beside = [],
  ...input
}: Pick<PlanInput, 'restore' | 'pods' | 'hookFiles' | 'sources'> & { beside?: readonly Pod[] }): Map<Pod, Hook[]> {
  if (input.pods.length === 0) return new Map();
  const hooks = Map.groupBy(
    planRestoreHooks({ ...input, pods: [...input.pods, ...beside] }).hooks,
    ({ namespace, pod }) => podKey(namespace, pod),
  );
  const found = new Map<Pod, Hook[]>();
  for (const pod of input.pods) {
    const own = hooks.get(podKey(pod.metadata.namespace, pod.metadata.name));
    if (own !== undefined) found.set(pod, own);
  }
  return found;
}

/** What is left to Velero of the pod's exec hooks, and what the source that was taken hides. */
function sourceNotices(decisions: readonly SourceDecision<ExecHookSpec>[], pod: Pod): Notice[] {
  const left = decisions.find(({ verdict }) => verdict === 'velero-has-run')?.candidate;
  const leftOut = (left?.hooks ?? []).map(({ name, index }) => {
    const message = `hook ${name} (${index}) of ${left?.title} is left out: Velero has worked on this Restore and may have run it`;
    return noticeOn(pod, 'velero-has-run', message);
  });
  return [...leftOut, ...hidingNotices(decisions, pod)];
}

/** The pod's hooks in plan order: init hooks, then the exec hooks of the source that was taken. */
function planPod(
  pod: Pod,
  init: readonly PodInitHook[],
  chosen: ExecCandidate | undefined,
  rules: ExecRules,
  { ofPod, ofHooks }: { readonly ofPod: Notice[]; readonly ofHooks: Notice[] },
): PlannedFrom[] {
  if (chosen === undefined && init.length === 0) return [];
  ofPod.push(...(chosen?.notices ?? []));
  const created = withInjected(pod, init);
  const exec = chosen?.hooks.flatMap((candidate) => planHook(created, chosen, candidate, rules, ofHooks)) ?? [];
  const drafts: Draft[] = [...init.map(draftOfInit), ...groupByContainer(exec)];
  const ids = idsOf(drafts);
  const planned = drafts.map(({ hook, name: _, ...from }, at) => ({
    hook: { id: ids[at] as HookId, ...hook },
    ...from,
  }));
  return byWave(planned);
}

/** What holds for all exec hooks of a plan, whatever is written. */
type ExecRules = Pick<PlanInput, 'maxExecTimeoutMs' | 'detach'>;

/** A hook without its id. `name`: of the container, where that bears another one in the pod. */
interface Draft<H extends Unnamed = Unnamed> extends Omit<PlannedFrom, 'hook'> {
  readonly hook: H;
  readonly name?: string;
}

const draftOfInit = ({ hook, name, planned: { place, at, timeoutMs, generatedName } }: PodInitHook): Draft => {
  const given = ['image'];
  if (timeoutMs !== null) given.push('timeout');
  if (!generatedName) given.push('container');
  return { hook, place, given: new Set(given), containerAt: at, name };
};

type Unnamed<Each = Hook> = Each extends Hook ? Omit<Each, 'id'> : never;

function planHook(
  pod: Pod,
  { source, origin }: ExecCandidate,
  { name, index, place, hook, entry }: ExecCandidate['hooks'][number],
  rules: ExecRules,
  notices: Notice[],
): Draft<Unnamed<ExecHook>>[] {
  const container = hook.container || pod.spec.containers[0]?.name; // R3.4
  if (container === undefined) return [];
  const title = `hook ${JSON.stringify(name)} (${index})`;
  /** About the hook as it is written: of an annotation it belongs to the pod, of a spec to all pods alike. */
  const sayOfHook = (code: NoticeCode, message: string) =>
    notices.push(source === 'annotation' ? noticeOn(pod, code, message) : { code, message: `${title}: ${message}` });

  const never = reasonNeverToRun(pod, container, hook);
  if (!hasExecContainer(pod, container)) {
    notices.push(
      noticeOn(pod, 'exec-container-missing', `${title}: the pod has no container ${JSON.stringify(container)}`),
    );
  }
  if (hook.command.length === 0) {
    notices.push(noticeOn(pod, 'empty-command', `${title}: its command is empty`));
  }
  const error = commandError(hook.command, source);
  if (error !== undefined) sayOfHook('lint-error', error);
  const planned: Unnamed<ExecHook> = {
    kind: 'exec',
    namespace: pod.metadata.namespace,
    pod: pod.metadata.name,
    ...(pod.metadata.uid ? { podUID: pod.metadata.uid } : {}),
    container,
    source,
    origin,
    name,
    index,
    command: hook.command,
    onError: onErrorOf(hook, sayOfHook),
    ...timeoutsOf(hook, source, rules, sayOfHook),
    waitForReady: hook.waitForReady ?? false,
    ...(hook.wave ? { wave: hook.wave } : {}),
    ...retryOf(hook),
    ...(entry ? chosenBy(entry, pod) : {}),
    ...(hook.detach || rules.detach ? { detach: true } : {}),
    ...(never ? { never } : {}),
  };
  return [{ hook: planned, place, given: givenIn(hook, planned) }];
}

/** The values of a hook that come from what is written. */
function givenIn(written: ExecHookSpec, planned: Unnamed<ExecHook>): Set<string> {
  const given = new Set(['wave', 'runOn']);
  for (const [field, value] of Object.entries(written.retry ?? {})) if (value) given.add(`retry.${field}`);
  if (written.detach) given.add('detach');
  if (written.container) given.add('container');
  if (written.onError === planned.onError) given.add('onError');
  if (planned.execTimeoutFrom !== 'default') given.add('execTimeout');
  if (planned.waitTimeoutFrom !== 'default') given.add('waitTimeout');
  if (written.waitForReady !== null && written.waitForReady !== undefined) given.add('waitForReady');
  return given;
}

function reasonNeverToRun(pod: Pod, container: string, hook: ExecHookSpec): Never | undefined {
  if (!hasExecContainer(pod, container)) return 'no-such-container'; // R3.18
  return hook.command.length === 0 ? 'empty-command' : undefined;
}

type SayOfHook = (code: NoticeCode, message: string) => void;

function onErrorOf({ onError }: ExecHookSpec, say: SayOfHook): OnError {
  if (onError === 'Fail') return 'Fail';
  if (onError && onError !== 'Continue') {
    say('on-error-unknown', `onError ${JSON.stringify(onError)} is neither Fail nor Continue; using Continue`); // R1.10
  }
  return 'Continue';
}

function timeoutsOf(
  { execTimeout, waitTimeout }: ExecHookSpec,
  source: HookSource,
  { maxExecTimeoutMs: most = Number.POSITIVE_INFINITY }: ExecRules,
  say: SayOfHook,
): Pick<ExecHook, 'execTimeoutMs' | 'execTimeoutFrom' | 'waitTimeoutMs' | 'waitTimeoutFrom'> {
  if (waitTimeout === 0) say('wait-timeout-zero', 'its wait timeout is 0: it waits without a limit');
  if ((waitTimeout ?? 0) < 0) say('wait-timeout-negative', 'its wait timeout is negative: it waits without a limit');
  const written = execTimeout || DEFAULT_EXEC_TIMEOUT_MS; // R3.6
  const exec = written < 0 ? Number.POSITIVE_INFINITY : written;
  const isCapped = exec > most; // R1.43
  if (isCapped) {
    const was = written < 0 ? 'unlimited' : formatDuration(written);
    say('exec-timeout-capped', `its exec timeout is ${was}; --max-exec-timeout makes it ${formatDuration(most)}`);
  } else if (written < 0) say('exec-timeout-unlimited', 'its exec timeout is negative: the command has no limit');
  const limit = Math.min(exec, most);
  return {
    execTimeoutMs: Number.isFinite(limit) ? limit : null,
    execTimeoutFrom: isCapped ? 'flag' : execTimeout ? source : 'default',
    waitTimeoutMs: waitTimeout !== undefined && waitTimeout > 0 ? waitTimeout : null,
    waitTimeoutFrom: waitTimeout === undefined ? 'default' : source,
  };
}

const DEFAULT_RETRY = { delayMs: 2_000, maxDelayMs: 60_000 };

/** A default gives way to what is written beside it (R3.50). */
function retryOf({ retry }: ExecHookSpec): { readonly retry?: Retry } {
  const { attempts, delay, maxDelay } = retry ?? {};
  if ((attempts ?? 1) === 1) return {};
  const delayMs = delay ?? Math.min(DEFAULT_RETRY.delayMs, maxDelay ?? DEFAULT_RETRY.delayMs);
  return {
    retry: { attempts: attempts ?? 1, delayMs, maxDelayMs: maxDelay ?? Math.max(DEFAULT_RETRY.maxDelayMs, delayMs) },
  };
}

function chosenBy(entry: HookEntry, pod: Pod): Pick<ExecHook, 'runOn' | 'controller' | 'nthEntry'> {
  const runOn = runOnOf(entry.spec);
  if (runOn === undefined) return {};
  return {
    runOn,
    ...(runOn === 'one-per-controller' && { controller: workloadOf(pod) }),
    ...(entry.namesakes > 0 && { nthEntry: entry.namesakes + 1 }),
  };
}

/** All hooks of one container stand together, containers in the order of their first hook (R3.13). */
function groupByContainer(drafts: readonly Draft<Unnamed<ExecHook>>[]): Draft[] {
  if (drafts.length < 2) return [...drafts];
  return [...Map.groupBy(drafts, ({ hook }) => hook.container).values()].flat();
}

/**
 * In one container waves come before the order as written (R3.40). An id doesn't depend on that, so that a hook keeps it when
 * only its wave changes.
 */
function byWave(planned: readonly PlannedFrom[]): PlannedFrom[] {
  const waveOf = ({ hook }: PlannedFrom): number => (hook.kind === 'exec' && hook.wave) || 0;
  if (planned.every((each) => waveOf(each) === 0)) return [...planned];
  const groups = Map.groupBy(planned, ({ hook }) => (hook.kind === 'exec' ? hook.container : undefined));
  return [...groups.values()].flatMap((group) => group.sort((one, other) => waveOf(one) - waveOf(other)));
}

function idsOf(drafts: readonly Draft[]): HookId[] {
  const taken = new Set<string>();
  return drafts.map(({ hook, name = hook.container }) => {
    const base = [hook.namespace, hook.pod, name, hook.name, String(hook.index)].map(encodePart).join('/');
    let id = base;
    for (let repeat = 2; taken.has(id); repeat += 1) id = `${base}~${repeat}`; // R7.24
    taken.add(id);
    return id as HookId;
  });
}

/** Separators, and all that is taken away where an ID is shown: what is printed must be what `--only` takes. */
const NOT_IN_IDS = /[/\s\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/gu;
const encodePart = (part: string): string => part.replace(NOT_IN_IDS, encodeURIComponent);

function byNamespaceAndName({ metadata: a }: Pod, { metadata: b }: Pod): number {
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1;
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}
