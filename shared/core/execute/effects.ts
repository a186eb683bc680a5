import type { Hook, HookId } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import type { HookPosition, PodIndex } from '../model/position.ts';
import { lookAgainAt } from './deadlines.ts';
import { isBeingEnded, isDetached, isToAttach } from './detached.ts';
import type { HookState } from './hook-state.ts';
import { isAsked } from './pod-life.ts';
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

function phaseEffects({ id: hook, kind }: Hook, was: HookState, is: HookState, effects: Effect[]): void {
  const isTried = is.last !== undefined && is.last !== was.last;
  if (isTried) effects.push({ type: 'recordTried', hook, result: is.last }); // R3.54
  if (is.phase === 'Recording') effects.push(intentOf(hook, is)); // R6.1
  if (is.phase === 'Starting' && !isToAttach(is) && (was.phase !== 'Starting' || isToAttach(was))) {
    effects.push({ type: 'startExec', hook });
  }
  if (isBeingEnded(is) && !isBeingEnded(was)) effects.push({ type: 'endExec', hook }); // R3.83, R3.85
  const isBack = kind === 'exec' && is.phase === 'Waiting' && was.phase !== 'Waiting' && !isTried;
  if (isBack || endsWithoutFurtherTry(was, is)) effects.push({ type: 'recordNotStarted', hook });
  if (is.phase === 'Running' && was.phase === 'Starting' && was.detached?.begun?.startedAt === undefined) {
    effects.push({ type: 'recordStarted', hook, at: is.startedAt });
  }
  if (is.phase === 'Ending') effects.push({ type: 'readLog', hook });
  if (is.phase === 'Ended') {
    if (kind === 'exec' && (was.phase === 'Starting' || was.phase === 'Running'))
      effects.push({ type: 'dropExec', hook });
    effects.push({ type: 'recordResult', hook, result: is }); // R6.1
  }
  const ended = isTried ? is.last : is;
  const isOver = ended.phase === 'Ended' && ended.outcome.state !== 'Unknown';
  if (isOver && isDetached(was)) effects.push({ type: 'forgetExec', hook }); // R3.86
}

/** The intent of a further start is taken back: the end of the one before it stands (R3.56). */
const endsWithoutFurtherTry = (was: HookState, is: HookState): boolean =>
  is.phase === 'Ended' &&
  (was.phase === 'Recording' || was.phase === 'Starting') &&
  (is.starts ?? 0) < (was.starts ?? 0);

const intentOf = (hook: HookId, { tries, detached }: HookState & { phase: 'Recording' }): Effect => ({
  type: 'recordIntent',
  hook,
  attempt: tries,
  ...(detached?.containerID !== undefined && { containerID: detached.containerID }),
});
