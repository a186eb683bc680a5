import type { ExecHook, Hook } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import { earliest, FOREVER, later, latest } from '../model/instant.ts';
import type { HookPosition } from '../model/position.ts';
import { detachedDeadline, isDetached } from './detached.ts';
import type { EndedHook, HookState } from './hook-state.ts';
import type { PodRun } from './state.ts';
import { hookAt, stateOf } from './state.ts';
import { nextTryAt } from './tries.ts';

/**
 * When a hook that has not started by then, or an init hook that has not ended, ends `TimedOut`; undefined = never
 * (R3.17), or not as long as its wave isn't open: its wait begins when it is (R3.44). `last`: how its last start ended; its
 * wait for the next one begins after the pause (R3.55).
 */
export function waitDeadline({ waitingSince, waves }: PodRun, hook: Hook, last?: EndedHook): Instant | undefined {
  if (last !== undefined && hook.kind === 'exec' && hook.waitTimeoutMs !== null)
    return later(nextTryAt(hook, last), hook.waitTimeoutMs);
  if (waitingSince === undefined || hook.waitTimeoutMs === null || !waves.isOpen(hook)) return undefined;
  const opened = (hook.kind === 'exec' ? waves.openedAt : undefined) ?? waitingSince;
  return later(latest(waitingSince, opened), hook.waitTimeoutMs);
}

/** When a running hook ends `TimedOut (executing)`; undefined = never (R3.19). */
export const execDeadline = (
  { startedAt, commandEndedAt }: HookState & { phase: 'Running' },
  { execTimeoutMs }: ExecHook,
): Instant | undefined =>
  execTimeoutMs === null || commandEndedAt !== undefined ? undefined : later(startedAt, execTimeoutMs);

/** The next time after `now` at which the pod has to be looked at although nothing has happened to it. */
export function lookAgainAt(pod: PodRun, now: Instant): Instant | undefined {
  const { open } = pod;
  let next = FOREVER;
  for (const at of open.active) {
    const state = stateOf(pod, at);
    const hook = hookAt(pod, at);
    if (hook.kind !== 'exec') continue;
    if (isDetached(state)) next = earliest(next, detachedDeadline(state, hook));
    else if (state.phase === 'Running') next = earliest(next, execDeadline(state, hook) ?? next);
  }
  for (const at of [...open.active, ...open.retried]) {
    const state = stateOf(pod, at);
    // A try that is due already waits for something else: a slot, its container.
    if (state.phase === 'Waiting' && state.retryAt !== undefined && state.retryAt > now)
      next = earliest(next, state.retryAt);
    if (state.last !== undefined && (state.phase === 'Waiting' || state.phase === 'Recording'))
      next = earliest(next, waitDeadline(pod, hookAt(pod, at), state.last) ?? next);
  }
  for (const at of open.inits) {
    if (stateOf(pod, at).phase !== 'Ending') next = earliest(next, waitDeadline(pod, hookAt(pod, at)) ?? next);
  }
  for (const at of open.byTimeout()) {
    const { phase } = stateOf(pod, at);
    if (phase !== 'Waiting' && phase !== 'Recording') continue;
    next = earliest(next, waitDeadline(pod, hookAt(pod, at)) ?? next);
    break;
  }
  if (open.isWaiting && pod.quietUntil !== undefined && pod.quietUntil > now) next = earliest(next, pod.quietUntil);
  return next === FOREVER ? undefined : next;
}

/** Its wait deadline has passed. */
export const isLate = (pod: PodRun, at: HookPosition, now: Instant): boolean =>
  now >= (waitDeadline(pod, hookAt(pod, at), stateOf(pod, at).last) ?? FOREVER);

/**
 * The hooks that may end, while nothing ends them all: those that run, init hooks, those that wait for another try, and those
 * that have waited too long.
 */
export function dueNow(pod: PodRun, now: Instant): readonly HookPosition[] {
  const late: HookPosition[] = [];
  for (const at of pod.open.byTimeout()) {
    if (now < (waitDeadline(pod, hookAt(pod, at)) ?? FOREVER)) break;
    late.push(at);
  }
  return [...new Set([...pod.open.active, ...pod.open.inits, ...pod.open.retried, ...late])].sort((a, b) => a - b);
}

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 10_000;

export const retryDelayMs = (tries: number, retryAfterMs = 0): number =>
  Math.max(retryAfterMs, Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** (tries - 1)));
