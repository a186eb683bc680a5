import type { HookResult, InitContainerObservation, InitHook } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import { FOREVER } from '../model/instant.ts';
import type { HookPosition } from '../model/position.ts';
import { waitDeadline } from './deadlines.ts';
import type { HookState } from './hook-state.ts';
import { lastSeen } from './pod-life.ts';
import type { PodRun, RunState } from './state.ts';
import { stateOf } from './state.ts';
import { timeoutText } from './timeout-text.ts';
import { waitingFor } from './waiting-for.ts';

/**
 * What an init hook has come to, read off its pod (R2.21, R2.26); undefined where nothing has changed. Its pod runs it,
 * so a run that stops can't keep it from running: one that has not been seen to end is `Unknown`.
 */
export function initHookState(
  run: RunState,
  pod: PodRun,
  at: HookPosition,
  hook: InitHook,
  now: Instant,
): HookState | undefined {
  const { stop } = run;
  const state = stateOf(pod, at);
  if (state.phase === 'Ended' || state.phase === 'Ending') return undefined;
  if (pod.notCreated !== undefined) return ended(notInjected(pod.notCreated));
  const { life } = pod;
  if (life.is === 'creating') {
    if (stop === undefined) return undefined;
    if (!isUnsure(run, pod)) return ended({ state: 'NotExecuted', ...stop });
    // The pod creator has stopped: its answer will not arrive.
    return run.failure === undefined || life.phase !== 'planned' ? undefined : ended({ state: 'Unknown', ...stop });
  }
  const observed = lastSeen(life);
  const container = observed?.initContainers?.[hook.container];
  const hasBegun = state.phase === 'Running' || container?.phase === 'running' || (container?.restarts ?? 0) > 0;
  if (container !== undefined && hasEnded(container)) {
    return ending(outcomeOf(container), container.startedAt, container.finishedAt ?? now);
  }
  if (life.is === 'gone') {
    return ended(hasBegun ? unseen(life.why) : { state: 'NotExecuted', reason: life.why }); // R2.27
  }
  if (observed !== undefined && (container === undefined || hook.never !== undefined)) {
    return ended(notInjected(CONTAINER_MISSING)); // R2.14
  }
  if (observed?.phase === 'Succeeded' || observed?.phase === 'Failed') {
    return ended(hasBegun ? unseen('pod-finished') : { state: 'NotExecuted', reason: 'pod-finished' });
  }
  const startedAt = container?.phase === 'running' ? (container.startedAt ?? now) : undefined;
  if (now >= (waitDeadline(pod, hook) ?? FOREVER)) {
    const exitCode = container?.exitCode === undefined ? {} : { exitCode: container.exitCode };
    const over = timeoutText(hook, 'waitTimeout');
    const outcome: HookResult =
      startedAt === undefined
        ? {
            state: 'TimedOut',
            reason: 'waiting',
            message: `${over}: it waited for ${waitingFor(run, pod, at)}`,
            ...exitCode,
          }
        : {
            state: 'TimedOut',
            reason: 'executing',
            message: `${over}: the init container is still running, and its pod waits for it`,
            ...exitCode,
          };
    return hasBegun ? ending(outcome, startedAt, now) : ended(outcome); // R2.24
  }
  if (startedAt !== undefined) {
    return state.phase === 'Running' && state.startedAt === startedAt ? undefined : { phase: 'Running', startedAt };
  }
  if (stop !== undefined) {
    const message = `${stop.message}; the init container goes on, and is no longer watched`;
    return ended({ state: 'Unknown', reason: stop.reason, message }); // R2.26
  }
  return state.phase === 'Waiting' ? undefined : { phase: 'Waiting', tries: 0 };

  function ended(outcome: HookResult): HookState {
    return { phase: 'Ended', outcome, ...(startedOf(state) ?? {}), endedAt: now };
  }
  function ending(outcome: HookResult, since: Instant | undefined, endedAt: Instant): HookState {
    return { phase: 'Ending', outcome, startedAt: since ?? startedOf(state)?.startedAt, endedAt };
  }
}

/** Whether nobody knows yet if the pod that is to be created has been. */
export const isUnsure = ({ wasTaken, listed }: RunState, { life }: PodRun): boolean =>
  life.is === 'creating' &&
  (life.phase === 'asked' || life.owed === true || (life.phase === 'planned' && wasTaken && !listed));

const startedOf = (state: HookState): { readonly startedAt: Instant } | undefined =>
  state.phase === 'Running' ? { startedAt: state.startedAt } : undefined;

const hasEnded = ({ phase, isOver, isSidecar }: InitContainerObservation): boolean =>
  isOver || (isSidecar && phase === 'running'); // R2.23

function outcomeOf({ exitCode, reason }: InitContainerObservation): HookResult {
  if (exitCode === undefined) return { state: 'Succeeded' };
  if (exitCode === 0) return { state: 'Succeeded', exitCode };
  const message = reason === undefined || reason === 'Error' ? {} : { message: reason };
  return { state: 'Failed', reason: 'exit', exitCode, ...message };
}

const CONTAINER_MISSING =
  'the pod exists without this init container: use --recreate-pods if it has no controller, ' +
  'else kubectl restorehooks inject for its workload';
const notInjected = (message: string): HookResult => ({ state: 'NotExecuted', reason: 'not-injected', message });

const unseen = (reason: 'pod-deleted' | 'pod-replaced' | 'pod-finished'): HookResult => ({
  state: 'Unknown',
  reason,
  message: 'nobody saw how the init container ended',
});
