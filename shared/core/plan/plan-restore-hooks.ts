import { commandError, keyErrors } from '../mistakes/planned.ts';
import type { ExecHook, Hook, HookId, HookSource, Never, OnError } from '../model/hook.ts';
import { podKey } from '../model/hook.ts';
import type { Pod } from '../model/pod.ts';
import { hasExecContainer } from '../model/pod.ts';
import type { ExecRestoreHook, InitContainer, Restore, RestoreResourceHookSpec } from '../model/restore.ts';
import { execHookFromAnnotations } from './annotations.ts';
import type { HookEntry } from './hook-entries.ts';
import { whyNot } from './hook-entries.ts';
import type { Notice, NoticeCode } from './notice.ts';
import { INIT_HOOKS, initHooksOf, withInjected } from './plan-init-hooks.ts';
import type { Candidate, HookKind } from './sources.ts';
import { candidatesOf, firstThatSays, hookEntriesOf, noticeOn } from './sources.ts';

export interface PlanInput {
  readonly restore: Restore;
  readonly pods: readonly Pod[];
  /** The entries of all `--hooks` files; when given, the Restore's own are not read. */
  readonly hookFiles?: readonly RestoreResourceHookSpec[] | undefined;
  /** Leave out what is also Velero's to run, because Velero has worked on the Restore (R1.21). */
  readonly withoutVelerosHooks?: boolean | undefined;
  /** A pod that lacks init containers, and has no controller, is to be deleted and created anew (R2.15). */
  readonly recreatePods?: boolean | undefined;
}

export interface Plan {
  /** By namespace and pod; init hooks in their order, then exec hooks by container (first mention), then as written. */
  readonly hooks: readonly Hook[];
  /** What is put into pods that have to be created. */
  readonly injections: readonly PlannedInjection[];
  readonly notices: readonly Notice[];
}

/** A hook's init container, and before which of the pod's own it belongs (their number: behind the last). */
export interface PlannedInjection {
  readonly hook: HookId;
  readonly at: number;
  readonly container: InitContainer;
}

const DEFAULT_EXEC_TIMEOUT_MS = 30_000;

const EXEC_HOOKS: HookKind<ExecRestoreHook> = {
  fromAnnotations: execHookFromAnnotations,
  ofEntry: ({ execHooks }) => execHooks,
};
type ExecCandidate = Candidate<ExecRestoreHook>;

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
  const entries = hookEntriesOf(input.restore, input.hookFiles);
  const notices: Notice[] = [];
  for (const pod of [...input.pods].sort(byNamespaceAndName)) {
    const applying = entries.of(pod);
    const init = initHooksOf(pod, entries, applying, options, notices);
    for (const error of keyErrors(pod.metadata.annotations)) notices.push(noticeOn(pod, 'lint-error', error));
    const chosen = choose(candidatesOf(pod, entries, applying, EXEC_HOOKS), pod, withoutVeleros, notices);
    if (chosen === undefined && init.length === 0) continue;
    for (const notice of chosen?.notices ?? []) notices.push(notice);
    const created = withInjected(pod, init);
    const exec = chosen?.hooks.flatMap((candidate) => planHook(created, chosen, candidate, say)) ?? [];
    const names = init.map(({ name }) => name);
    for (const [at, hook] of withIds([...init.map(({ hook }) => hook), ...groupByContainer(exec)], names).entries()) {
      hooks.push(hook);
      const missing = init[at]?.missing;
      if (missing !== undefined) injections.push({ hook: hook.id, ...missing });
    }
  }
  return { hooks, injections, notices };

  /** A notice about a spec's hook stands once, however many pods it applies to. */
  function say(notice: Notice): void {
    const key = `${notice.code}\n${notice.namespace ?? ''}\n${notice.pod ?? ''}\n${notice.message}`;
    if (said.has(key)) return;
    said.add(key);
    notices.push(notice);
  }
}

/** The pods that have hooks, whoever is to run them. */
export function hooksByPod(input: Pick<PlanInput, 'restore' | 'pods' | 'hookFiles'>): Map<Pod, Hook[]> {
  const hooks = Map.groupBy(planRestoreHooks(input).hooks, ({ namespace, pod }) => podKey(namespace, pod));
  const found = new Map<Pod, Hook[]>();
  for (const pod of input.pods) {
    const own = hooks.get(podKey(pod.metadata.namespace, pod.metadata.name));
    if (own !== undefined) found.set(pod, own);
  }
  return found;
}

/** Where the pod's exec hooks come from; what that hides, and what is left to Velero, is a notice. */
function choose(
  candidates: readonly ExecCandidate[],
  pod: Pod,
  withoutVeleros: boolean,
  notices: Notice[],
): ExecCandidate | undefined {
  const isAllowed = ({ origin }: Pick<ExecCandidate, 'origin'>) => !(withoutVeleros && origin === 'velero');
  if (withoutVeleros) {
    const left = candidates.find(({ origin, hooks }) => origin === 'velero' && hooks.length > 0);
    for (const { name, index } of left?.hooks ?? []) {
      const message = `hook ${name} (${index}) of ${left?.title} is left out: Velero has worked on this Restore and may have run it`;
      notices.push(noticeOn(pod, 'velero-has-run', message));
    }
  }
  return firstThatSays(candidates.filter(isAllowed), pod, notices);
}

type Unnamed<Each = Hook> = Each extends Hook ? Omit<Each, 'id'> : never;

function planHook(
  pod: Pod,
  { source, origin }: ExecCandidate,
  { name, index, hook }: ExecCandidate['hooks'][number],
  say: (notice: Notice) => void,
): Unnamed<ExecHook>[] {
  const container = hook.container || pod.spec.containers[0]?.name; // R3.4
  if (container === undefined) return [];
  const title = `hook ${JSON.stringify(name)} (${index})`;
  /** About the hook as it is written: of an annotation it belongs to the pod, of a spec to all pods alike. */
  const sayOfHook = (code: NoticeCode, message: string) =>
    say(source === 'annotation' ? noticeOn(pod, code, message) : { code, message: `${title}: ${message}` });

  const never = reasonNeverToRun(pod, container, hook);
  if (!hasExecContainer(pod, container)) {
    say(noticeOn(pod, 'exec-container-missing', `${title}: the pod has no container ${JSON.stringify(container)}`));
  }
  if (hook.command.length === 0) {
    say(noticeOn(pod, 'empty-command', `${title}: its command is empty`));
  }
  const error = commandError(hook.command, source);
  if (error !== undefined) sayOfHook('lint-error', error);
  return [
    {
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
      ...timeoutsOf(hook, source, sayOfHook),
      waitForReady: hook.waitForReady ?? false,
      ...(never ? { never } : {}),
    },
  ];
}

function reasonNeverToRun(pod: Pod, container: string, hook: ExecRestoreHook): Never | undefined {
  if (!hasExecContainer(pod, container)) return 'no-such-container'; // R3.18
  return hook.command.length === 0 ? 'empty-command' : undefined;
}

type SayOfHook = (code: NoticeCode, message: string) => void;

function onErrorOf({ onError }: ExecRestoreHook, say: SayOfHook): OnError {
  if (onError === 'Fail') return 'Fail';
  if (onError && onError !== 'Continue') {
    say('on-error-unknown', `onError ${JSON.stringify(onError)} is neither Fail nor Continue; using Continue`); // R1.10
  }
  return 'Continue';
}

function timeoutsOf(
  { execTimeout, waitTimeout }: ExecRestoreHook,
  source: HookSource,
  say: SayOfHook,
): Pick<ExecHook, 'execTimeoutMs' | 'execTimeoutFrom' | 'waitTimeoutMs' | 'waitTimeoutFrom'> {
  if ((execTimeout ?? 0) < 0) say('exec-timeout-unlimited', 'its exec timeout is negative: the command has no limit');
  if (waitTimeout === 0) say('wait-timeout-zero', 'its wait timeout is 0: it waits without a limit');
  if ((waitTimeout ?? 0) < 0) say('wait-timeout-negative', 'its wait timeout is negative: it waits without a limit');
  const exec = execTimeout || DEFAULT_EXEC_TIMEOUT_MS; // R3.6
  return {
    execTimeoutMs: exec < 0 ? null : exec,
    execTimeoutFrom: execTimeout ? source : 'default',
    waitTimeoutMs: waitTimeout !== undefined && waitTimeout > 0 ? waitTimeout : null,
    waitTimeoutFrom: waitTimeout === undefined ? 'default' : source,
  };
}

/** All hooks of one container stand together, containers in the order of their first hook (R3.13). */
function groupByContainer(hooks: readonly Unnamed<ExecHook>[]): Unnamed<ExecHook>[] {
  if (hooks.length < 2) return [...hooks];
  return [...Map.groupBy(hooks, ({ container }) => container).values()].flat();
}

/** `names`: of the containers that bear another one where they stand. */
function withIds(hooks: readonly Unnamed[], names: readonly string[]): Hook[] {
  const taken = new Set<string>();
  return hooks.map((hook, at) => {
    const base = [hook.namespace, hook.pod, names[at] ?? hook.container, hook.name, String(hook.index)]
      .map(encodePart)
      .join('/');
    let id = base;
    for (let repeat = 2; taken.has(id); repeat += 1) id = `${base}~${repeat}`; // R7.24
    taken.add(id);
    return { id: id as HookId, ...hook };
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

/** Say, one line a source or entry, why it does or doesn't give this pod a hook (`plan --explain`) (R7.2). */
export function explainPod(input: PlanInput, pod: Pod): string[] {
  const entries = hookEntriesOf(input.restore, input.hookFiles);
  const withoutVeleros = input.withoutVelerosHooks === true;
  const applying = entries.of(pod);
  const lines = [candidatesOf(pod, entries, applying, INIT_HOOKS), candidatesOf(pod, entries, applying, EXEC_HOOKS)]
    .map((candidates) => candidates.filter(({ source }) => source === 'annotation'))
    .flatMap((candidates, kind) =>
      candidates.map(
        ({ title, hooks }) => `${title}: ${hooks.length > 0 ? 'an' : 'no'} ${['init', 'exec'][kind]} hook`,
      ),
    );
  for (const entry of entries.entries) lines.push(explainEntry(entry, pod));
  if (withoutVeleros)
    lines.push("Velero has worked on this Restore: only hooks that aren't Velero's are planned (--rerun plans all)");
  const { hooks } = planRestoreHooks({ ...input, pods: [pod] });
  if (hooks.length === 0) lines.push('planned: nothing');
  for (const hook of hooks)
    lines.push(`planned: ${hook.kind} hook ${JSON.stringify(hook.name)} (${hook.index}) of ${SOURCES[hook.source]}`);
  return lines;
}

const SOURCES = { annotation: "the pod's annotations", spec: "the Restore's spec", file: 'the --hooks file' } as const;

function explainEntry(entry: HookEntry, pod: Pod): string {
  const why = whyNot(entry, pod);
  const title = `hook ${JSON.stringify(entry.name)}`;
  if (why !== undefined) return `${title}: no, ${why}`;
  return `${title}: matches, init hooks ${entry.initHooks.length}, exec hooks ${entry.execHooks.length}`;
}
