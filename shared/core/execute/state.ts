import type { Hook, HookId, HookResult, PodKey, Reason } from '../model/hook.ts';
import { isCreating, podKey } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import { latest } from '../model/instant.ts';
import type { HookPosition, PodIndex } from '../model/position.ts';
import { hookPositions } from '../model/position.ts';
import type { DetachedCommand, HookState } from './hook-state.ts';
import { quietUntil } from './lost-commands.ts';
import { isActivePhase, OpenHooks } from './open-hooks.ts';
import type { PodLife } from './pod-life.ts';
import type { Elsewhere, RunFailure } from './protocol.ts';
import { ReadyPods } from './ready-pods.ts';
import type { BegunCommand, RunStart } from './run-start.ts';
import { pauseAfter } from './tries.ts';
import { Waves } from './waves.ts';

/** One pod's part of the run: never changed, only replaced, but for its `states`. */
export interface PodRun {
  readonly index: PodIndex;
  readonly key: PodKey;
  /** In plan order, with `states` beside it. */
  readonly hooks: readonly Hook[];
  readonly states: HookState[];
  readonly open: OpenHooks;
  /** Those of the whole run. */
  readonly waves: Waves;
  /** Of its hooks, each once. */
  readonly containers: readonly string[];
  /** From the plan, else that of the first pod observed. */
  readonly uid: string | undefined;
  readonly life: PodLife;
  /** When the wait timeouts began. */
  readonly waitingSince: Instant | undefined;
  /** The pod in whose place this one was created: the watch may be behind, and still tell of it. */
  readonly former: string | undefined;
  /** Why it could not be created. */
  readonly notCreated: string | undefined;
  /** Until when a command whose end nobody saw may be running: nothing starts beside it. */
  readonly quietUntil: Instant | undefined;
}

/** Why no hook is started any more. */
export interface Stop {
  readonly reason: 'aborted' | 'canceled';
  readonly message: string;
  /** A hook of another shard is the reason. */
  readonly isElsewhere?: true;
}

export interface Counts {
  planned: number;
  succeeded: number;
  failed: number;
  timedOut: number;
  notExecuted: number;
  unknown: number;
  waiting: number;
  running: number;
}

export const noCounts = (planned: number): Counts => ({
  planned,
  succeeded: 0,
  failed: 0,
  timedOut: 0,
  notExecuted: 0,
  unknown: 0,
  waiting: 0,
  running: 0,
});

/** The whole run. `step` is the only writer. */
export interface RunState {
  readonly startedAt: Instant;
  readonly maxConcurrent: number;
  readonly pods: PodRun[];
  readonly podIndex: ReadonlyMap<PodKey, PodIndex>;
  readonly places: ReadonlyMap<HookId, { readonly pod: PodIndex; readonly at: HookPosition }>;
  /** How often earlier runs have started the hooks that are run again. */
  readonly startsBefore: ReadonlyMap<HookId, number>;
  /** Hooks that are pending again although a runner before this one may have started them. */
  readonly lost: ReadonlySet<HookId>;
  readonly waves: Waves;
  /** Pods with a hook that may start as soon as a slot is free; may hold pods that no longer have one. */
  readonly ready: ReadyPods;
  readonly counts: Counts;
  active: number;
  stop: Stop | undefined;
  /** Every pod has been told of the stop. */
  stopSettled: boolean;
  /** A `Fail` hook did not succeed by itself. */
  failHookFailed: boolean;
  /** A `Fail` hook was kept from running, in this run or in an earlier one. */
  failHookUnexecuted: boolean;
  /** The first few hooks that did not succeed by themselves. */
  readonly firstFailures: { readonly id: HookId; readonly outcome: HookResult & { reason: Reason } }[];
  failure: RunFailure | undefined;
  canceled: boolean;
  /** Nothing more is started here; what waits is left to the next runner. */
  suspended: boolean;
  /** A success was told over a protocol that calls a dead kubelet a success. */
  unproven: boolean;
  listed: boolean;
  /** A runner before this one may have created pods: what became of one is told by the first listing. */
  readonly wasTaken: boolean;
  finishedAt: Instant | undefined;
}

/**
 * Of the pod that a runner before this one has created, or seen, where the plan has none or another; else of that which the
 * hooks are planned for that this run is to run. What an earlier run did may have been in one that it has replaced.
 */
function uidOf(hooks: readonly Hook[], { resumed, ended }: RunStart): string | undefined {
  const seen = hooks.map(
    ({ id }) => (resumed?.ended.get(id) ?? resumed?.begun?.get(id) ?? resumed?.last?.get(id))?.podUID,
  );
  const planned = hooks.filter(({ id }) => !ended?.has(id)).map(({ podUID }) => podUID);
  return [...seen, ...planned, hooks[0]?.podUID].find((uid) => uid !== undefined);
}

export function createRun(hooks: readonly Hook[], options: RunStart): RunState {
  const parts = [...Map.groupBy(hooks, (hook) => podKey(hook.namespace, hook.pod))].map(([key, own], number) => {
    const states = own.map((hook) => firstState(hook, options));
    return { index: number as PodIndex, key, hooks: own, states };
  });
  const waves = new Waves(parts, options.resumed?.ended, options.elsewhere);
  const pods = parts.map((part): PodRun => {
    const { index, key, hooks: own, states } = part;
    return {
      ...part,
      open: new OpenHooks(own, states),
      waves,
      containers: [...new Set(own.map(({ container }) => container))],
      life: own.some((hook) => isCreating(hook) && !options.ended?.has(hook.id) && !options.resumed?.ended.has(hook.id))
        ? { is: 'creating', phase: 'planned' }
        : { is: 'awaited' },
      former: undefined,
      notCreated: undefined,
      uid: uidOf(own, options),
      waitingSince: options.resumed?.waitingSince.get(index), // R6.5
      quietUntil: quietUntil(key, own, options),
    };
  });
  const run: RunState = {
    startedAt: options.startedAt,
    maxConcurrent: options.maxConcurrent,
    pods,
    podIndex: new Map(pods.map(({ key, index }) => [key, index])),
    places: new Map(
      pods.flatMap((pod) => [...hookPositions(pod.hooks)].map((at) => [hookAt(pod, at).id, { pod: pod.index, at }])),
    ),
    startsBefore: options.startsBefore ?? new Map(),
    lost: new Set([...(options.resumed?.lost.keys() ?? []), ...(options.resumed?.begun?.keys() ?? [])]),
    waves,
    ready: new ReadyPods(),
    counts: noCounts(hooks.length),
    active: options.resumed?.begun?.size ?? 0,
    stop: undefined,
    stopSettled: false,
    failHookFailed: false,
    failHookUnexecuted: false,
    firstFailures: [],
    failure: undefined,
    canceled: false,
    suspended: false,
    unproven: false,
    listed: false,
    wasTaken: options.resumed?.wasTaken ?? false,
    finishedAt: undefined,
  };
  for (const pod of pods) {
    for (const at of hookPositions(pod.hooks)) {
      const hook = hookAt(pod, at);
      const state = stateOf(pod, at);
      run.counts[countOf(state)] += 1;
      if (state.phase !== 'Ended') continue;
      const hasFailed = noteOutcome(run, hook, state.outcome);
      if (hasFailed && isFail(hook) && options.resumed?.ended.has(hook.id)) run.stop ??= stoppedBy(hook); // R6.6
    }
  }
  heedStop(run, options.elsewhere);
  if (run.counts.waiting + run.counts.running === 0) run.finishedAt = lastEnd(options);
  return run;
}

/** What stops another shard stops this one, too (R8.46). */
export function heedStop(run: RunState, { stop, failure }: Partial<Elsewhere> = {}): void {
  if (failure !== undefined) failRun(run, failure);
  if (stop !== undefined) run.stop ??= { reason: 'aborted', message: stop, isElsewhere: true };
}

export function failRun(run: RunState, failure: RunFailure): void {
  run.failure ??= failure;
  run.stopSettled = false;
  run.stop ??= { reason: 'aborted', message: `the run could not go on: ${failure.message}` };
}

function firstState(hook: Hook, { ended, resumed }: RunStart): HookState {
  const { id } = hook;
  const result = ended?.get(id) ?? resumed?.ended.get(id);
  if (result !== undefined) return result; // R6.2
  const last = resumed?.last?.get(id);
  const begun = resumed?.begun?.get(id);
  const starts = resumed?.starts?.get(id);
  const before = { ...(starts !== undefined && { starts }), ...(last && { last }) };
  if (begun !== undefined) return { phase: 'Starting', tries: begun.tries, ...before, detached: foundAgain(begun) };
  const tries = resumed?.tries.get(id) ?? 0;
  // The pause goes on under the next runner (R3.54).
  if (last !== undefined && hook.kind === 'exec') return { ...pauseAfter(hook, last), tries };
  return { phase: 'Waiting', tries, ...before };
}

const foundAgain = ({ containerID, since, startedAt, key }: BegunCommand): DetachedCommand => ({
  containerID,
  since,
  begun: { isAsked: false, startedAt, ...(key !== undefined && { key }) },
});

/** When a run ended in which nothing is left to do: with the last hook that an earlier runner of it has ended, else at once. */
const lastEnd = ({ startedAt, resumed }: RunStart): Instant =>
  [...(resumed?.ended.values() ?? [])].reduce((last, { endedAt }) => latest(last, endedAt), startedAt);

export function stateOf(pod: PodRun, at: HookPosition): HookState {
  const state = pod.states[at];
  if (state === undefined) throw new RangeError(`pod ${pod.key} has no hook ${at}`);
  return state;
}

export function hookAt(pod: PodRun, at: HookPosition): Hook {
  const hook = pod.hooks[at];
  if (hook === undefined) throw new RangeError(`pod ${pod.key} has no hook ${at}`);
  return hook;
}

/** It is over: its log has been read, or nobody waits for it. */
export const endedOf = ({ outcome, startedAt, endedAt }: HookState & { phase: 'Ending' }): HookState => ({
  phase: 'Ended',
  outcome,
  ...(startedAt === undefined ? {} : { startedAt }),
  endedAt,
});

/** Takes a slot: an init container is run by its pod (R2.20). */
export const isActive = ({ kind }: Hook, { phase }: HookState): boolean => kind === 'exec' && isActivePhase(phase);

const FIRST_FAILURES = 5; // R5.8

/** What has to be known of the hooks that have ended besides their counts. */
export type NotedOutcomes = Pick<RunState, 'unproven' | 'failHookFailed' | 'failHookUnexecuted' | 'firstFailures'>;

/** Note a hook that did not succeed by itself, if it is one: what others kept from running isn't (R5.3). */
export function noteOutcome(run: NotedOutcomes, hook: Hook, outcome: HookResult): boolean {
  if (outcome.state === 'Succeeded') {
    if (outcome.unproven) run.unproven = true;
    return false;
  }
  if (outcome.reason === 'aborted' || outcome.reason === 'canceled') {
    if (isFail(hook)) run.failHookUnexecuted = true;
    return false;
  }
  if (run.firstFailures.length < FIRST_FAILURES) run.firstFailures.push({ id: hook.id, outcome });
  if (isFail(hook)) run.failHookFailed = true;
  return true;
}

/** Init hooks have no `onError` (R2.25). */
export const isFail = (hook: Hook): boolean => hook.kind === 'exec' && hook.onError === 'Fail'; // R3.21
/** The stop of a `Fail` hook that did not succeed (R3.22). */
export const stoppedBy = ({ id }: { readonly id: string }) => ({
  reason: 'aborted' as const,
  message: `hook ${id} did not succeed and has onError: Fail`,
});

/** Where a hook's state counts. */
export const COUNT_OF = {
  Waiting: 'waiting',
  Running: 'running',
  Succeeded: 'succeeded',
  Failed: 'failed',
  TimedOut: 'timedOut',
  NotExecuted: 'notExecuted',
  Unknown: 'unknown', // R4.3
} as const;

export function countOf(state: HookState): keyof Counts {
  if (state.phase === 'Ended') return COUNT_OF[state.outcome.state];
  return state.phase === 'Waiting' || state.phase === 'Recording' ? 'waiting' : 'running';
}
