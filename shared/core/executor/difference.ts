import type { HookId } from '../hook.ts';
import type { Effect, Timer } from './protocol.ts';
import type { HookState, PodRun } from './state.ts';
import { stateOf } from './state.ts';

/**
 * Derive all effects of a step from the phases that changed: nothing can end a hook and forget its timer, its stream
 * or its record.
 */
export function difference(before: ReadonlyMap<number, PodRun>, pods: readonly PodRun[], now: number): Effect[] {
  const effects: Effect[] = [];
  for (const [index, previous] of before) {
    const next = pods[index];
    if (next === undefined || next === previous) continue;
    for (const [at, { id }] of next.hooks.entries()) {
      const was = stateOf(previous, at);
      const is = stateOf(next, at);
      if (was !== is) phaseEffects(id, was, is, effects);
      timerEffects(id, timersOf(previous, at), timersOf(next, at), now, effects);
    }
  }
  return effects;
}

function phaseEffects(hook: HookId, was: HookState, is: HookState, effects: Effect[]): void {
  if (is.phase === 'Recording') effects.push({ type: 'recordIntent', hook });
  if (is.phase === 'Starting' && was.phase !== 'Starting') effects.push({ type: 'startExec', hook });
  if (is.phase !== 'Ended') return;
  if (was.phase === 'Starting' || was.phase === 'Running') effects.push({ type: 'dropExec', hook });
  effects.push({ type: 'recordResult', hook, outcome: is.outcome });
}

type Deadlines = Partial<Record<Timer, number>>;

/** When each timer of a hook is due, as its state stands. */
function timersOf(pod: PodRun, at: number): Deadlines {
  const hook = pod.hooks[at];
  const state = stateOf(pod, at);
  if (hook === undefined || state.phase === 'Ended') return {};
  if (state.phase === 'Running') {
    return hook.execTimeoutMs === null ? {} : { exec: state.startedAt + hook.execTimeoutMs };
  }
  const deadlines: Deadlines = {};
  if (hook.waitTimeoutMs !== null && pod.waitingSince !== undefined) {
    deadlines.wait = pod.waitingSince + hook.waitTimeoutMs;
  }
  if (state.phase === 'Waiting' && state.retryAt !== undefined) deadlines.retry = state.retryAt;
  return deadlines;
}

const TIMERS: readonly Timer[] = ['wait', 'retry', 'exec'];

function timerEffects(hook: HookId, was: Deadlines, is: Deadlines, now: number, effects: Effect[]): void {
  for (const timer of TIMERS) {
    const at = is[timer];
    if (was[timer] === at) continue;
    if (at === undefined) effects.push({ type: 'clearTimer', hook, timer });
    else effects.push({ type: 'setTimer', hook, timer, at: Math.max(at, now) });
  }
}
