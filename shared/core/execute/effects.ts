import type { Hook } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import type { HookPosition, PodIndex } from '../model/position.ts';
import { lookAgainAt } from './deadlines.ts';
import type { HookState } from './hook-state.ts';
import type { Effect } from './protocol.ts';
import type { PodRun } from './state.ts';
import { hookAt, stateOf } from './state.ts';

/** A pod as it stood before a step: of its hooks' states, those that the step has changed. */
export interface Before extends Pick<PodRun, 'life'> {
  readonly states: Map<HookPosition, HookState>;
}

/**
 * Derive all effects of a step from the phases that changed: nothing can end a hook and forget its timer, its stream
 * or its record. A pod's timer is told anew each time, since it may have fired, even before its time.
 */
export function effectsOf(before: ReadonlyMap<PodIndex, Before>, pods: readonly PodRun[], now: Instant): Effect[] {
  const effects: Effect[] = [];
  for (const [index, previous] of before) {
    const next = pods[index];
    if (next === undefined) continue;
    if (isAsked(next) && !isAsked(previous)) {
      effects.push({ type: 'createPod', key: next.key });
    }
    for (const at of [...previous.states.keys()].sort((a, b) => a - b)) {
      const was = previous.states.get(at);
      if (was !== undefined) phaseEffects(hookAt(next, at), was, stateOf(next, at), effects);
    }
    const due = lookAgainAt(next, now);
    effects.push(
      due === undefined ? { type: 'clearTimer', key: next.key } : { type: 'setTimer', key: next.key, at: due },
    );
  }
  return effects;
}

const isAsked = ({ life }: Pick<PodRun, 'life'>): boolean => life.is === 'creating' && life.phase === 'asked';

function phaseEffects({ id: hook, kind }: Hook, was: HookState, is: HookState, effects: Effect[]): void {
  if (is.phase === 'Recording') effects.push({ type: 'recordIntent', hook, attempt: is.tries }); // R6.1
  if (is.phase === 'Starting' && was.phase !== 'Starting') effects.push({ type: 'startExec', hook });
  if (kind === 'exec' && is.phase === 'Waiting' && was.phase !== 'Waiting') {
    effects.push({ type: 'recordNotStarted', hook });
  }
  if (is.phase === 'Running' && was.phase === 'Starting') {
    effects.push({ type: 'recordStarted', hook, at: is.startedAt });
  }
  if (is.phase === 'Ending') effects.push({ type: 'readLog', hook });
  if (is.phase !== 'Ended') return;
  if (kind === 'exec' && (was.phase === 'Starting' || was.phase === 'Running'))
    effects.push({ type: 'dropExec', hook });
  effects.push({ type: 'recordResult', hook, result: is }); // R6.1
}
