import type { PlannedExecHook, PlannedHook } from '../hook.ts';
import type { HookState, PodRun } from './state.ts';
import { hookAt, stateOf } from './state.ts';

/** When a hook that has not started by then, or an init hook that has not ended, ends `TimedOut`; undefined = never. */
export const waitDeadline = ({ waitingSince }: PodRun, { waitTimeoutMs }: PlannedHook): number | undefined =>
  waitingSince === undefined || waitTimeoutMs === null ? undefined : waitingSince + waitTimeoutMs;

/** When a running hook ends `TimedOut (executing)`; undefined = never. */
export const execDeadline = (
  { startedAt, commandEndedAt }: HookState & { phase: 'Running' },
  { execTimeoutMs }: PlannedExecHook,
): number | undefined =>
  execTimeoutMs === null || commandEndedAt !== undefined ? undefined : startedAt + execTimeoutMs;

/** The next time after `now` at which the pod has to be looked at although nothing has happened to it. */
export function lookAgainAt(pod: PodRun, now: number): number | undefined {
  let next = Number.POSITIVE_INFINITY;
  for (let at = 0; at < pod.hooks.length; at += 1) {
    const state = stateOf(pod, at);
    const hook = hookAt(pod, at);
    if (state.phase === 'Running') {
      const deadline = hook.kind === 'exec' ? execDeadline(state, hook) : waitDeadline(pod, hook);
      next = Math.min(next, deadline ?? next);
    }
    // A try that is due already waits for something else: a slot, its container.
    if (state.phase === 'Waiting' && state.retryAt !== undefined && state.retryAt > now)
      next = Math.min(next, state.retryAt);
    if (state.phase === 'Waiting' || state.phase === 'Recording')
      next = Math.min(next, waitDeadline(pod, hook) ?? next);
    if (state.phase === 'Waiting' && pod.quietUntil !== undefined && pod.quietUntil > now)
      next = Math.min(next, pod.quietUntil);
  }
  return next === Number.POSITIVE_INFINITY ? undefined : next;
}

/** Its wait deadline has passed. */
export const isLate = (pod: PodRun, at: number, now: number): boolean =>
  now >= (waitDeadline(pod, hookAt(pod, at)) ?? Number.POSITIVE_INFINITY);
