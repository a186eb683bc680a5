import { isLate } from './deadlines.ts';
import { isLost } from './resume.ts';
import type { PodRun } from './state.ts';
import { hookAt, isActive, stateOf } from './state.ts';

/**
 * The position of the pod's hook whose turn it is and whose container is up; undefined if there is none now.
 * A container that has begun goes on; else the one that has been up longest begins, ties in plan order.
 */
export function nextHook(pod: PodRun, now: number): number | undefined {
  if (pod.states.some((state, at) => isActive(hookAt(pod, at), state)) || now < (pod.quietUntil ?? now))
    return undefined;
  let best: { at: number; since: number } | undefined;
  for (const at of turns(pod)) {
    const since = upSince(pod, at);
    const state = stateOf(pod, at);
    if (since === undefined || isLate(pod, at, now)) continue;
    if (state.phase === 'Waiting' && (state.retryAt ?? now) > now) continue;
    if (best === undefined || since < best.since) best = { at, since };
  }
  return best?.at;
}

/** The first waiting hook of each container, or of the one alone that has begun and not ended. */
function turns(pod: PodRun): readonly number[] {
  const firsts: number[] = [];
  let first: number | undefined;
  let begun = false;
  for (let at = 0; at < pod.hooks.length; at += 1) {
    const hook = hookAt(pod, at);
    if (hook.kind === 'init') continue;
    const state = stateOf(pod, at);
    if (state.phase === 'Ended') begun ||= state.startedAt !== undefined || isLost(state.outcome);
    else first ??= at;
    if (pod.hooks[at + 1]?.container === hook.container) continue;
    // What has succeeded in an earlier run may stand between those that are run again.
    if (first !== undefined && begun) return [first];
    if (first !== undefined) firsts.push(first);
    [first, begun] = [undefined, false];
  }
  return firsts;
}

/** Since when the hook's container has been up in the hook's own sense: running, or ready. */
export function upSince(pod: PodRun, at: number): number | undefined {
  const hook = hookAt(pod, at);
  const since = pod.upSince[hook.container];
  return hook.kind === 'exec' && hook.waitForReady ? since?.ready : since?.running;
}
