import type { Instant } from '../model/instant.ts';
import type { HookPosition } from '../model/position.ts';
import { isLate } from './deadlines.ts';
import type { PodRun } from './state.ts';
import { hookAt, stateOf } from './state.ts';

/**
 * The position of the pod's hook whose turn it is and whose container is up; undefined if there is none now (R3.10).
 * A container that has begun goes on; else the one that has been up longest begins, ties in plan order (R3.9).
 */
export function nextHook(pod: PodRun, now: Instant): HookPosition | undefined {
  if (pod.open.active.size > 0 || now < (pod.quietUntil ?? now)) return undefined;
  let best: { at: HookPosition; since: Instant } | undefined;
  for (const at of pod.open.turns(pod.waves.openNumber)) {
    const since = upSince(pod, at);
    const state = stateOf(pod, at);
    if (since === undefined || isLate(pod, at, now)) continue;
    if (state.phase === 'Waiting' && (state.retryAt ?? now) > now) continue;
    if (best === undefined || since < best.since) best = { at, since };
  }
  return best?.at;
}

/** Since when the hook's container has been up in the hook's own sense: running, or ready. */
export function upSince(pod: PodRun, at: HookPosition): Instant | undefined {
  const hook = hookAt(pod, at);
  const since = pod.life.is === 'live' ? pod.life.upSince[hook.container] : undefined;
  return hook.kind === 'exec' && hook.waitForReady ? since?.ready : since?.running; // R3.14
}
