import type { HookId, HookResult } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import type { HookPosition, PodIndex } from '../model/position.ts';
import type { Before } from './effects.ts';
import type { EndedHook, HookState } from './hook-state.ts';
import { RUNNER_DIED } from './lost-commands.ts';
import type { PodRun, RunState } from './state.ts';
import { countOf, hookAt, isActive, isFail, noteOutcome, stateOf, stoppedBy } from './state.ts';
import { withoutFurtherTry } from './tries.ts';

/** One step's writes: the only writer of pods and counts. */
export class Change {
  readonly run: RunState;
  readonly at: Instant;
  /** The pods that this step has touched, as they stood before it. */
  readonly before = new Map<PodIndex, Before>();
  /** Hooks whose intent has become durable. */
  readonly recorded: HookId[] = [];

  constructor(run: RunState, at: Instant) {
    this.run = run;
    this.at = at;
  }

  pod(index: PodIndex): PodRun {
    const pod = this.run.pods[index];
    if (pod === undefined) throw new RangeError(`no pod ${index}`);
    return pod;
  }

  touch(index: PodIndex): PodRun {
    const pod = this.pod(index);
    if (!this.before.has(index)) {
      this.before.set(index, { life: pod.life, states: new Map() });
    }
    return pod;
  }

  set(index: PodIndex, part: Partial<PodRun>): void {
    this.run.pods[index] = { ...this.touch(index), ...part };
  }

  setHook(index: PodIndex, at: HookPosition, next: HookState): void {
    const pod = this.touch(index);
    const previous = stateOf(pod, at);
    if (previous.phase === 'Ended') throw new Error(`hook ${pod.hooks[at]?.id} has ended already`);
    const { run } = this;
    run.counts[countOf(previous)] -= 1;
    run.counts[countOf(next)] += 1;
    const hook = hookAt(pod, at);
    run.active += Number(isActive(hook, next)) - Number(isActive(hook, previous));
    const starts = next.starts ?? previous.starts;
    const counted = starts === undefined ? next : { ...next, starts };
    const kept = counted.phase === 'Ended' ? inPod(counted, pod) : withLast(counted, previous);
    const changed = this.before.get(index)?.states;
    if (changed?.has(at) === false) changed.set(at, previous);
    pod.states[at] = kept;
    pod.open.noted(at, previous);
    if (next.phase !== 'Ended') return;
    run.waves.ended(hook, next.endedAt);
    if (noteOutcome(run, hook, next.outcome) && isFail(hook)) {
      run.stop ??= stoppedBy(hook); // R3.22, R3.23
    }
  }

  end(index: PodIndex, at: HookPosition, outcome: HookResult): void {
    const state = stateOf(this.pod(index), at);
    // What a dead runner may have started may have been executed, whatever keeps it from running again.
    const isUnexecuted =
      outcome.state === 'NotExecuted' || (outcome.state === 'TimedOut' && outcome.reason === 'waiting');
    const hook = hookAt(this.pod(index), at);
    if (isUnexecuted && state.last !== undefined) {
      this.setHook(index, at, withoutFurtherTry(hook, state.last, outcome, this.at));
      return;
    }
    const isLostNow = isUnexecuted && this.run.lost.has(hook.id); // R4.6
    this.setHook(index, at, endedState(state, isLostNow ? RUNNER_DIED : outcome, this.at));
  }
}

/** A hook that has ended by itself. */
export function endedState(state: HookState, outcome: HookResult, at: Instant): EndedHook {
  const starts = state.starts === undefined ? {} : { starts: state.starts };
  if (state.phase !== 'Running') return { phase: 'Ended', outcome, endedAt: at, ...starts };
  const { startedAt, commandEndedAt = at } = state;
  return { phase: 'Ended', outcome, startedAt, endedAt: commandEndedAt, ...starts };
}

export const inPod = (state: EndedHook, { uid }: PodRun): EndedHook =>
  uid === undefined ? state : { ...state, podUID: uid };

/** What its last start came to is known until the hook has ended. */
const withLast = (next: Exclude<HookState, EndedHook>, { last }: HookState): HookState =>
  last === undefined || next.last !== undefined ? next : { ...next, last };

type OnHook = (index: PodIndex, at: HookPosition, state: HookState) => void;

export function onHook(change: Change, id: HookId, act: OnHook): void {
  const place = change.run.places.get(id);
  if (place === undefined) throw new Error(`no hook ${id} in this run`);
  act(place.pod, place.at, stateOf(change.touch(place.pod), place.at));
}
