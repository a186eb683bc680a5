import type { ExecHook, InitContainerObservation } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import { FOREVER, formatInstant } from '../model/instant.ts';
import type { HookPosition } from '../model/position.ts';
import type { EndedHook, HookState } from './hook-state.ts';
import { lastSeen } from './pod-life.ts';
import type { PodRun, RunState } from './state.ts';
import { hookAt, stateOf } from './state.ts';
import { isInPause, lastTryText } from './tries.ts';

type Slots = Pick<RunState, 'active' | 'maxConcurrent' | 'wasTaken'>;

/** What a waiting hook waits for: for people (R7.9, R3.29). `now`: where it has just given up waiting. */
export function waitingFor(slots: Slots, pod: PodRun, at: HookPosition, now?: Instant): string {
  const hook = hookAt(pod, at);
  const state = stateOf(pod, at);
  const next = hook.kind === 'exec' && state.last !== undefined ? nextTryText(hook, state, state.last) : undefined;
  if (next !== undefined && isInPause(state)) return next;
  const what = causeOf(slots, pod, at, now);
  return next === undefined || now !== undefined ? what : `${what}, for ${next}`;
}

function causeOf(
  { active, maxConcurrent, wasTaken }: Slots,
  pod: PodRun,
  at: HookPosition,
  now: Instant | undefined,
): string {
  const hook = hookAt(pod, at);
  const state = stateOf(pod, at);
  if (pod.life.is === 'creating') return 'its pod to be created';
  if (hook.kind === 'exec' && !pod.waves.isOpen(hook)) return waveText(hook); // R3.47
  const observed = lastSeen(pod.life);
  if (observed === undefined) return 'the pod';
  if (hook.kind === 'init') return initContainerText(hook.container, observed.initContainers?.[hook.container]);
  if (state.phase === 'Recording') return 'the journal to record that it starts';
  const beside = pod.open.firstBeside(at) ?? at;
  const ahead = Math.min(...pod.open.active, beside < at ? beside : Number.POSITIVE_INFINITY);
  if (ahead !== at && ahead < pod.hooks.length) return `hook ${hookAt(pod, ahead as HookPosition).id}`;
  const other = otherHook(pod, at, now);
  if (other !== undefined) return `hook ${hookAt(pod, other).id}`;
  if (state.phase === 'Waiting' && state.why !== undefined) return `another try: ${state.why}`; // R7.31
  const container = observed.containers[hook.container];
  const words = [container?.reason, container?.message].filter(Boolean).join(': ');
  const reason = words === '' ? '' : ` (${words})`;
  if (!container?.running) return `container ${hook.container} to run${reason}`;
  if (hook.waitForReady && !container.ready) return `container ${hook.container} to be ready${reason}`;
  const isOver = now !== undefined && wasTaken && active < maxConcurrent && pod.quietUntil === undefined;
  if (isOver) return 'a runner: when it could have started, none was at work';
  const slot = `one of ${maxConcurrent} slots (--max-concurrent)`;
  if (pod.quietUntil === undefined) return slot;
  const until = pod.quietUntil === FOREVER ? 'for ever' : `until ${formatInstant(pod.quietUntil)}`;
  return `a command whose end nobody saw, which may run ${until}, and ${slot}`; // R4.5
}

/** Which start comes next, when if that isn't due yet, and how the last one ended (R3.57). */
function nextTryText(hook: ExecHook, state: HookState, last: EndedHook): string {
  const which = `attempt ${(state.starts ?? 0) + 1} of ${hook.retry?.attempts ?? 1}`;
  const at = isInPause(state) ? `, at ${formatInstant(state.retryAt)}` : '';
  return `${which}${at}: ${lastTryText(hook, last)}`;
}

/** It doesn't say what holds the wave: that is told once for the run, and would change with each hook that ends. */
export const waveText = (hook: { readonly wave?: number | undefined }): string => `wave ${hook.wave ?? 0} to open`;

/** The hook of the same pod that kept this one waiting: of a container whose turn it is, or one that ends just now. */
function otherHook(pod: PodRun, at: HookPosition, now: Instant | undefined): HookPosition | undefined {
  const turns = pod.open.turns(pod.waves.openNumber);
  if (turns.length === 1 && turns[0] !== at) return turns[0];
  const { lastRun } = pod.open;
  if (lastRun === undefined || now === undefined) return undefined;
  const state = stateOf(pod, lastRun);
  return state.phase === 'Ended' && state.endedAt === now ? lastRun : undefined;
}

function initContainerText(name: string, observed: InitContainerObservation | undefined): string {
  const { reason, exitCode, restarts = 0 } = observed ?? {};
  const details = [
    ...(reason === undefined ? [] : [reason]),
    ...(exitCode === undefined ? [] : [`exit code ${exitCode}`]),
    ...(restarts === 0 ? [] : [restarts === 1 ? '1 restart' : `${restarts} restarts`]),
  ];
  return `init container ${name} to end${details.length === 0 ? '' : ` (${details.join(', ')})`}`;
}
