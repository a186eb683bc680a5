import { assertNever } from '../errors.ts';
import type { ExecOutcome, HookId, HookOutcome, PlannedExecHook, PodObservation } from '../model/hook.ts';
import { isCreating } from '../model/hook.ts';
import { dueNow, execDeadline, isLate, retryDelayMs } from './deadlines.ts';
import type { Before } from './difference.ts';
import { difference } from './difference.ts';
import { hookOutcome } from './hook-outcome.ts';
import type { HookState } from './hook-state.ts';
import { initHookState, isUnsure } from './init-hook.ts';
import type { Effect, Fact, PodLeft, RunFailure } from './protocol.ts';
import { isLost, mayRunUntil, RUNNER_DIED } from './resume.ts';
import type { Creation, PodRun, RunState, UpSince } from './state.ts';
import { countOf, endedOf, hookAt, isActive, isFail, noteOutcome, stateOf, stoppedBy } from './state.ts';
import { nextHook, upSince } from './turns.ts';
import { waitingFor } from './waiting-for.ts';

/**
 * Advance the run by what has happened (docs/contract.md, sections 3 and 4).
 *
 * 1. fold: note the facts;
 * 2. settle: end the hooks that can never run any more;
 * 3. launch: start those whose intent is durable by now;
 * 4. admit: choose what may start next, in plan order;
 * 5. difference: derive every effect from the phases that changed.
 *
 * Only pods that a fact touched are looked at (all of them once, when the run stops), so the work does not grow with
 * the plan. Repeated and reordered pod events are harmless: nothing is decided from an event, only from what stands.
 */
export function step(run: RunState, facts: readonly Fact[], at: number): Step {
  if (run.finishedAt !== undefined) return { effects: [], touched: new Map() }; // R5.12
  const change = new Change(run, at);
  for (const fact of facts) fold(change, fact);
  settle(change);
  launch(change);
  admit(change);
  if (run.counts.waiting + run.counts.running === 0) run.finishedAt = at; // R6.15
  return { effects: difference(change.before, run.pods, at), touched: change.before };
}

export interface Step {
  readonly effects: readonly Effect[];
  /** By their indexes the pods that may have changed, as they stood before. */
  readonly touched: ReadonlyMap<number, Before>;
}

/** One step's writes: the only writer of pods and counts. */
class Change {
  readonly run: RunState;
  readonly at: number;
  /** The pods that this step has touched, as they stood before it. */
  readonly before = new Map<number, Before>();
  /** Hooks whose intent has become durable. */
  readonly recorded: HookId[] = [];

  constructor(run: RunState, at: number) {
    this.run = run;
    this.at = at;
  }

  pod(index: number): PodRun {
    const pod = this.run.pods[index];
    if (pod === undefined) throw new RangeError(`no pod ${index}`);
    return pod;
  }

  touch(index: number): PodRun {
    const pod = this.pod(index);
    if (!this.before.has(index)) {
      this.before.set(index, { creation: pod.creation, observed: pod.observed, states: new Map() });
    }
    return pod;
  }

  set(index: number, part: Partial<PodRun>): void {
    this.run.pods[index] = { ...this.touch(index), ...part };
  }

  setHook(index: number, at: number, next: HookState): void {
    const pod = this.touch(index);
    const previous = stateOf(pod, at);
    if (previous.phase === 'Ended') throw new Error(`hook ${pod.hooks[at]?.id} has ended already`);
    const { run } = this;
    run.counts[countOf(previous)] -= 1;
    run.counts[countOf(next)] += 1;
    const hook = hookAt(pod, at);
    run.active += Number(isActive(hook, next)) - Number(isActive(hook, previous));
    const kept = next.phase === 'Ended' && pod.uid !== undefined ? { ...next, podUID: pod.uid } : next;
    const changed = this.before.get(index)?.states;
    if (changed?.has(at) === false) changed.set(at, previous);
    pod.states[at] = kept;
    pod.open.noted(at, previous);
    if (next.phase !== 'Ended') return;
    if (noteOutcome(run, hook, next.outcome) && isFail(hook)) {
      run.stop ??= stoppedBy(hook); // R3.22, R3.23
    }
  }

  end(index: number, at: number, outcome: HookOutcome): void {
    const state = stateOf(this.pod(index), at);
    // What a dead runner may have started may have been executed, whatever keeps it from running again.
    const isUnexecuted =
      outcome.state === 'NotExecuted' || (outcome.state === 'TimedOut' && outcome.reason === 'waiting');
    const isLostNow = isUnexecuted && this.run.lost.has(hookAt(this.pod(index), at).id); // R4.6
    const startedAt = state.phase === 'Running' ? { startedAt: state.startedAt } : {};
    const endedAt = (state.phase === 'Running' ? state.commandEndedAt : undefined) ?? this.at;
    this.setHook(index, at, { phase: 'Ended', outcome: isLostNow ? RUNNER_DIED : outcome, ...startedAt, endedAt });
  }
}

/* ---- fold: note what happened ---- */

function fold(change: Change, fact: Fact): void {
  const { run } = change;
  switch (fact.type) {
    case 'podObserved': {
      const index = run.podIndex.get(fact.pod.key);
      if (index !== undefined) observe(change, index, fact.pod);
      return;
    }
    case 'podDeleted': {
      const index = run.podIndex.get(fact.key);
      if (index === undefined) return;
      const { uid, gone, creation } = change.pod(index);
      if (creation !== undefined) {
        // What is deleted so that it can be created anew, or was before it came to that.
        if (creation.phase === 'planned' && run.listed) change.set(index, { creation: { phase: 'wanted' } });
      } else if (gone === undefined && (uid === undefined || uid === fact.uid))
        change.set(index, { gone: 'pod-deleted' });
      return;
    }
    case 'podsListed':
      listed(change);
      return;
    case 'intentRecorded':
      onHook(change, fact.hook, () => change.recorded.push(fact.hook));
      return;
    case 'execStarted':
      onHook(change, fact.hook, (index, at, state) => {
        if (state.phase === 'Starting') change.setHook(index, at, { phase: 'Running', startedAt: change.at }); // R3.19
      });
      return;
    case 'commandEnded':
      onHook(change, fact.hook, (index, at, state) => {
        if (state.phase === 'Running') change.setHook(index, at, { ...state, commandEndedAt: change.at });
      });
      return;
    case 'execEnded':
      onHook(change, fact.hook, (index, at, state) => {
        if (state.phase === 'Starting' || state.phase === 'Running') execEnded(change, index, at, state, fact.outcome);
      });
      return;
    case 'logRead':
      onHook(change, fact.hook, (index, at, state) => {
        if (state.phase === 'Ending') change.setHook(index, at, endedOf(state));
      });
      return;
    case 'podCreated': {
      const index = run.podIndex.get(fact.key);
      if (index !== undefined) created(change, index, fact.uid);
      return;
    }
    case 'podNotCreated': {
      const index = run.podIndex.get(fact.key);
      if (index !== undefined) notCreated(change, index, fact.message, fact.left);
      return;
    }
    case 'timerFired': {
      // Says nothing but that the pod is to be looked at: what is due is read off the clock.
      const index = run.podIndex.get(fact.key);
      if (index !== undefined) change.touch(index);
      return;
    }
    case 'cancelRequested':
      run.canceled = true;
      run.stop ??= { reason: 'canceled', message: 'canceled before it was started' }; // R6.18
      return;
    case 'suspendRequested':
      suspend(change);
      return;
    case 'dropRequested':
      dropAll(change);
      return;
    case 'runFailed':
      failRun(run, fact.failure);
      return;
    default:
      assertNever(fact);
  }
}

type OnHook = (index: number, at: number, state: HookState) => void;

function onHook(change: Change, id: HookId, act: OnHook): void {
  const place = change.run.places.get(id);
  if (place === undefined) throw new Error(`no hook ${id} in this run`);
  act(place.pod, place.at, stateOf(change.touch(place.pod), place.at));
}

function observe(change: Change, index: number, observed: PodObservation): void {
  const pod = change.pod(index);
  if (observed.uid === pod.former) return;
  const isAnother = pod.uid !== undefined && pod.uid !== observed.uid; // R3.25
  if (pod.creation !== undefined && !isInjected(pod, observed)) {
    const isWanted = pod.creation.phase === 'planned' && pod.uid !== undefined && !isAnother;
    if (isWanted || pod.creation.phase !== 'planned') {
      const phase = isWanted ? 'wanted' : pod.creation.phase;
      const owed = pod.creation.owed || (change.run.wasTaken && observed.isGoing === true);
      change.set(index, { creation: { phase, seen: observed, owed } });
      return;
    }
    change.set(index, { creation: undefined });
  } else if (pod.creation?.phase === 'asked') {
    change.set(index, { creation: { phase: 'asked', seen: observed } });
    return;
  } else if (pod.creation !== undefined) {
    // It has come to be already: by an earlier runner of this run, or by somebody else's hand.
    change.set(index, { creation: undefined, uid: observed.uid });
    observe(change, index, observed);
    return;
  }
  if (pod.gone !== undefined || isAnother) {
    // A plan's pod is that one pod: what has its name now is never run in.
    change.set(index, { gone: pod.gone ?? 'pod-replaced', replaced: pod.replaced || isAnother });
    return;
  }
  const upSince: Record<string, UpSince> = {};
  for (const container of pod.containers) {
    const now = observed.containers[container];
    const before = pod.upSince[container];
    upSince[container] = {
      running: now?.running ? (before?.running ?? change.at) : undefined,
      ready: now?.ready ? (before?.ready ?? change.at) : undefined,
    };
  }
  const waitingSince = pod.waitingSince ?? change.at; // R3.16
  change.set(index, { observed, uid: observed.uid, waitingSince, upSince });
}

/** A planned pod that isn't there: gone if the plan knows its UID, else waited for from the run's start. */
function listed(change: Change): void {
  const { run } = change;
  if (run.listed) return;
  run.listed = true;
  for (const { index, observed, uid, gone, creation, waitingSince = run.startedAt } of run.pods) {
    if (observed !== undefined || gone !== undefined) continue;
    if (creation !== undefined) {
      const owed = run.wasTaken && uid !== undefined; // R2.17
      if (creation.phase === 'planned') change.set(index, { creation: { phase: 'wanted', owed } });
      continue;
    }
    change.set(index, uid === undefined ? { waitingSince } : { gone: 'pod-deleted' }); // R3.26
  }
}

/** Whether all that the pod is to be created for is in this one. */
const isInjected = (pod: PodRun, { initContainers = {} }: PodObservation): boolean =>
  pod.hooks.every((hook) => !isCreating(hook) || Object.hasOwn(initContainers, hook.container));

/** Only what is asked for is answered: a second answer finds nothing to change. */
function answered(change: Change, index: number): Creation | undefined {
  const { creation } = change.pod(index);
  if (creation?.phase !== 'asked') return undefined;
  change.run.active -= 1;
  change.set(index, { creation: undefined });
  return creation;
}

function created(change: Change, index: number, uid: string): void {
  const creation = answered(change, index);
  if (creation === undefined) return;
  change.set(index, { uid, former: change.pod(index).uid }); // R2.19
  if (creation.seen?.uid === uid) observe(change, index, creation.seen);
}

function notCreated(change: Change, index: number, message: string, left: PodLeft): void {
  const creation = answered(change, index);
  if (creation === undefined) return;
  change.set(index, { notCreated: message });
  if (left === 'as-before' && creation.seen !== undefined) observe(change, index, creation.seen);
  else change.set(index, { gone: left === 'another' ? 'pod-replaced' : 'pod-deleted' });
}

function execEnded(
  change: Change,
  index: number,
  at: number,
  state: HookState & { phase: 'Starting' | 'Running' },
  outcome: ExecOutcome,
): void {
  if (outcome.kind === 'forbidden') failRun(change.run, { code: 'forbidden', message: outcome.message }); // R4.12
  if (outcome.kind === 'noWebSocket') failRun(change.run, { code: 'error', message: outcome.message }); // R4.14
  if (outcome.kind === 'podReplaced' || outcome.kind === 'podChanged') {
    change.set(index, { gone: 'pod-replaced', replaced: true });
  }
  const pod = change.pod(index);
  const ended = hookOutcome(outcome, {
    replaced: pod.replaced,
    running: state.phase === 'Running',
    late: isLate(pod, at, change.at),
  });
  if (ended !== undefined) {
    change.end(index, at, ended);
    const hook = hookAt(pod, at);
    if (hook.kind !== 'exec' || !isLost(ended)) return;
    const until = mayRunUntil(state.phase === 'Running' ? state.startedAt : change.at, hook);
    change.set(index, { quietUntil: Math.max(pod.quietUntil ?? 0, until) }); // R4.5
  } else if (outcome.kind === 'notStarted' && state.phase === 'Starting') {
    const retryAt = change.at + retryDelayMs(state.tries, outcome.retryAfterMs); // R4.8
    change.setHook(index, at, { phase: 'Waiting', tries: state.tries, retryAt, why: outcome.why });
  }
}

function failRun(run: RunState, failure: RunFailure): void {
  run.failure ??= failure;
  run.stopSettled = false;
  run.stop ??= { reason: 'aborted', message: `the run could not go on: ${failure.message}` };
}

function dropAll(change: Change): void {
  const message = `no longer waited for; ${STILL_RUNNING}`;
  for (const pod of change.run.pods) {
    for (const [at, state] of pod.states.entries()) {
      const hook = hookAt(pod, at);
      const isAskedFor = hook.kind === 'init' && state.phase === 'Waiting' && isUnsure(change.run, pod);
      if (state.phase === 'Ending') change.setHook(pod.index, at, endedOf(state));
      else if (state.phase === 'Running' || state.phase === 'Starting' || isAskedFor) {
        const what = hook.kind === 'init' ? `no longer watched; ${GOES_ON}` : message;
        change.end(pod.index, at, { state: 'Unknown', reason: 'canceled', message: what }); // R6.19
      }
    }
  }
}

/** What was chosen and not yet started is left as it was; what runs goes on (R6.16). */
function suspend(change: Change): void {
  change.run.suspended = true;
  for (const { index, states } of change.run.pods) {
    for (const [at, state] of states.entries()) {
      if (state.phase === 'Recording') change.setHook(index, at, { phase: 'Waiting', tries: state.tries - 1 });
    }
  }
}

/* ---- settle: end what can never run ---- */

function settle(change: Change): void {
  const { run } = change;
  for (const index of [...change.before.keys()].sort((a, b) => a - b)) settlePod(change, index);
  if (run.stop === undefined || run.stopSettled) return;
  run.stopSettled = true;
  for (const { index } of run.pods) settlePod(change, index);
}

/** In plan order: the first `Fail` hook that ends here stops all that come after it. */
function settlePod(change: Change, index: number): void {
  const pod = change.pod(index);
  if (!pod.open.isAny) return;
  const mayAllEnd =
    change.run.stop !== undefined ||
    pod.gone !== undefined ||
    pod.observed?.phase === 'Succeeded' ||
    pod.observed?.phase === 'Failed' ||
    // Those that can never run (R3.18).
    (pod.observed !== undefined && change.before.get(index)?.observed === undefined);
  for (const at of mayAllEnd ? pod.hooks.keys() : dueNow(pod, change.at)) {
    const hook = hookAt(pod, at);
    if (hook.kind === 'init') {
      const next = initHookState(change.run, change.pod(index), at, hook, change.at);
      if (next !== undefined) change.setHook(index, at, next);
      continue;
    }
    const outcome = dueOutcome(change.run, change.pod(index), at, hook, change.at);
    if (outcome !== undefined) change.end(index, at, outcome);
  }
}

/** How a hook ends because of what stands now, without an answer of its own; undefined where it goes on. */
function dueOutcome(
  { stop, maxConcurrent }: RunState,
  pod: PodRun,
  at: number,
  hook: PlannedExecHook,
  now: number,
): HookOutcome | undefined {
  const state = stateOf(pod, at);
  if (state.phase === 'Running') {
    if (now < (execDeadline(state, hook) ?? Number.POSITIVE_INFINITY)) return undefined;
    return { state: 'TimedOut', reason: 'executing', message: STILL_RUNNING }; // R3.19
  }
  // Of an exec that was asked for nobody knows whether it has started: its answer decides.
  if (state.phase === 'Ended' || state.phase === 'Ending' || state.phase === 'Starting') return undefined;
  if (stop !== undefined) return { state: 'NotExecuted', reason: stop.reason, message: stop.message };
  if (pod.gone !== undefined) return { state: 'NotExecuted', reason: pod.gone }; // R3.24
  const phase = pod.observed?.phase;
  if (phase === 'Succeeded' || phase === 'Failed') return { state: 'NotExecuted', reason: 'pod-finished' };
  if (pod.observed !== undefined && hook.never !== undefined) return { state: 'NotExecuted', reason: hook.never }; // R3.18
  if (!isLate(pod, at, now)) return undefined;
  return { state: 'TimedOut', reason: 'waiting', message: `waited for ${waitingFor(maxConcurrent, pod, at)}` }; // R3.17
}

const GOES_ON = 'its pod goes on by itself';
const STILL_RUNNING = 'the command may still be running in the container';

/* ---- launch: start what was chosen ---- */

/** What has happened while the intent was recorded counts: settled hooks have ended, a container may be down again. */
function launch(change: Change): void {
  for (const hook of change.recorded) {
    onHook(change, hook, (index, at, state) => {
      if (state.phase !== 'Recording') return;
      const isUp = upSince(change.pod(index), at) !== undefined; // R3.14
      const { tries } = state;
      change.setHook(index, at, isUp ? { phase: 'Starting', tries } : { phase: 'Waiting', tries: tries - 1 });
    });
  }
}

/* ---- admit: choose what may start ---- */

function admit(change: Change): void {
  const { run } = change;
  if (run.suspended) return; // R6.16
  for (const index of change.before.keys()) {
    if (isWanted(run, index) || nextHook(change.pod(index), change.at) !== undefined) run.ready.add(index);
  }
  while (run.active < run.maxConcurrent) {
    const index = run.ready.takeFirst(); // R3.11, R3.12
    if (index === undefined) return;
    if (isWanted(run, index)) {
      run.active += 1;
      change.set(index, { creation: { ...change.pod(index).creation, phase: 'asked' } });
      continue;
    }
    const pod = change.pod(index);
    const at = nextHook(pod, change.at);
    if (at === undefined) continue;
    const state = stateOf(pod, at);
    const tries = state.phase === 'Waiting' ? state.tries + 1 : 1;
    change.setHook(index, at, { phase: 'Recording', tries }); // R6.1
  }
}

/** A pod that is to be created, and may be now. */
function isWanted({ pods, stop }: RunState, index: number): boolean {
  const creation = pods[index]?.creation;
  return creation?.phase === 'wanted' && (stop === undefined || creation.owed === true); // R2.20, R2.17
}
