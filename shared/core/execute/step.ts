import { assertNever } from '../errors.ts';
import type { ExecHook, ExecOutcome, Hook, HookResult } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import { FOREVER, instant, later, latest } from '../model/instant.ts';
import type { HookPosition, PodIndex } from '../model/position.ts';
import { hookPositions } from '../model/position.ts';
import { Change, endedState, inPod, onHook } from './change.ts';
import { dueNow, execDeadline, isLate, retryDelayMs } from './deadlines.ts';
import type { DetachedState } from './detached.ts';
import {
  asEnding,
  attached,
  detachedDeadline,
  endedOutcome,
  isDetached,
  isToAttach,
  notEnded,
  wasEndedUnstarted,
} from './detached.ts';
import type { Before } from './effects.ts';
import { effectsOf } from './effects.ts';
import { hookOutcome } from './hook-outcome.ts';
import type { DetachedCommand, HookState } from './hook-state.ts';
import { initHookState, isUnsure } from './init-hook.ts';
import { isLost, mayRunUntil, UNSEEN } from './lost-commands.ts';
import { foldPodFact } from './pod-facts.ts';
import type { Live } from './pod-life.ts';
import { lastSeen } from './pod-life.ts';
import type { Effect, Fact } from './protocol.ts';
import type { PodRun, RunState } from './state.ts';
import { endedOf, failRun, heedStop, hookAt, stateOf } from './state.ts';
import { timeoutText } from './timeout-text.ts';
import { isTriedAgain, pauseAfter } from './tries.ts';
import { nextHook, upSince } from './turns.ts';
import { waitingFor } from './waiting-for.ts';

/**
 * Advance the run by what has happened (docs/contract.md, sections 3 and 4).
 *
 * 1. fold: note the facts;
 * 2. settle: end the hooks that can never run any more;
 * 3. open: with the last hook of a wave the next one opens, and its pods are looked at;
 * 4. launch: start those whose intent is durable by now;
 * 5. admit: choose what may start next, in plan order;
 * 6. effects: derive every effect from the phases that changed.
 *
 * Only pods that a fact touched are looked at (those of a wave once more when it opens, all of them once when the run
 * stops), so the work does not grow with the plan. Repeated and reordered pod events are harmless: nothing is decided
 * from an event, only from what stands.
 */
export function step(run: RunState, facts: readonly Fact[], at: Instant): Step {
  if (run.finishedAt !== undefined) return { effects: [], touched: new Map() }; // R5.12
  const change = new Change(run, at);
  for (const fact of facts) fold(change, fact);
  settle(change);
  for (const index of run.waves.takeOpened()) change.touch(index); // R3.41
  launch(change);
  admit(change);
  if (run.counts.waiting + run.counts.running === 0) run.finishedAt = at; // R6.15
  return { effects: effectsOf(change.before, run.pods, at), touched: change.before };
}

export interface Step {
  readonly effects: readonly Effect[];
  /** By their indexes the pods that may have changed, as they stood before. */
  readonly touched: ReadonlyMap<PodIndex, Before>;
}

/* ---- fold: note what happened ---- */

function fold(change: Change, fact: Fact): void {
  const { run } = change;
  switch (fact.type) {
    case 'podObserved':
    case 'podDeleted':
    case 'podsListed':
    case 'podCreated':
    case 'podNotCreated':
    case 'timerFired':
      foldPodFact(change, fact);
      return;
    case 'intentRecorded':
      onHook(change, fact.hook, () => change.recorded.push(fact.hook));
      return;
    case 'execStarted':
      onHook(change, fact.hook, (index, at, state) => {
        if (state.phase === 'Starting') change.setHook(index, at, runningSince(state, change.at)); // R3.19
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
    case 'shardsTold':
      run.waves.told(fact.elsewhere); // R8.47
      heedStop(run, fact.elsewhere);
      return;
    default:
      assertNever(fact);
  }
}

function execEnded(
  change: Change,
  index: PodIndex,
  at: HookPosition,
  state: HookState & { phase: 'Starting' | 'Running' },
  outcome: ExecOutcome,
): void {
  if (outcome.kind === 'forbidden') failRun(change.run, { code: 'forbidden', message: outcome.message }); // R4.12
  if (outcome.kind === 'noWebSocket') failRun(change.run, { code: 'error', message: outcome.message }); // R4.14
  if (outcome.kind === 'podReplaced' || outcome.kind === 'podChanged') {
    const last = lastSeen(change.pod(index).life);
    change.set(index, { life: { is: 'gone', why: 'pod-replaced', isReplaced: true, last } });
  }
  const pod = change.pod(index);
  const hook = hookAt(pod, at);
  const replaced = pod.life.is === 'gone' && pod.life.isReplaced;
  const isUnstarted = state.phase === 'Starting' || wasEndedUnstarted(state, outcome);
  const ofEnding = hook.kind === 'exec' && !replaced ? endedOutcome(state, hook, outcome, change.run) : undefined;
  const late = isLate(pod, at, change.at);
  const ended = ofEnding ?? hookOutcome(outcome, hook, { replaced, running: !isUnstarted, late });
  if (ended !== undefined) {
    if (hook.kind === 'exec' && isTriedAgain(hook, (state.starts ?? 0) + 1, ended)) {
      change.setHook(index, at, pauseAfter(hook, inPod(endedState(state, ended, change.at), pod)));
      return;
    }
    change.end(index, at, ended);
    const runsOn = outcome.kind !== 'connectionLost' || !outcome.isOver;
    if (hook.kind !== 'exec' || !isLost(ended) || !runsOn) return;
    const until = mayRunUntil(state.phase === 'Running' ? state.startedAt : change.at, hook);
    change.set(index, { quietUntil: latest(pod.quietUntil ?? instant(0), until) }); // R4.5
  } else if (outcome.kind === 'notStarted' && isUnstarted) {
    const tries = state.phase === 'Starting' ? state.tries : 1;
    const retryAt = later(change.at, retryDelayMs(tries, outcome.retryAfterMs)); // R4.8
    change.setHook(index, at, { phase: 'Waiting', tries, retryAt, why: outcome.why });
  }
}

function runningSince({ detached }: HookState & { phase: 'Starting' }, at: Instant): HookState {
  if (detached === undefined) return { phase: 'Running', startedAt: at };
  // The time of a command that is found again goes on from its start (R3.83).
  return { phase: 'Running', startedAt: detached.begun?.startedAt ?? at, detached: { ...detached, since: at } };
}

function dropAll(change: Change): void {
  const message = `canceled without waiting for its end; ${STILL_RUNNING}`;
  for (const pod of change.run.pods) {
    for (const at of hookPositions(pod.states)) {
      const state = stateOf(pod, at);
      const hook = hookAt(pod, at);
      // A pod that has been deleted is created first: it would be lost (R2.17).
      const { life } = pod;
      const isDeleted = life.is === 'creating' && (life.phase === 'asked' || life.owed === true);
      const isAskedFor = hook.kind === 'init' && state.phase === 'Waiting' && !isDeleted && isUnsure(change.run, pod);
      if (state.phase === 'Ending') change.setHook(pod.index, at, endedOf(state));
      else if (isDetached(state))
        change.setHook(pod.index, at, asEnding(state, change.at, 'canceled')); // R3.85
      else if (state.phase === 'Running' || state.phase === 'Starting' || isAskedFor) {
        const what = hook.kind === 'init' ? `canceled, so no longer watched; ${GOES_ON}` : message;
        change.end(pod.index, at, { state: 'Unknown', reason: 'canceled', message: what }); // R6.19
      }
    }
  }
}

/** What was chosen and not yet started is left as it was; what runs goes on (R6.16). */
function suspend(change: Change): void {
  change.run.suspended = true;
  for (const pod of change.run.pods) {
    for (const at of hookPositions(pod.states)) {
      const state = stateOf(pod, at);
      if (state.phase === 'Recording') change.setHook(pod.index, at, { phase: 'Waiting', tries: state.tries - 1 });
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
function settlePod(change: Change, index: PodIndex): void {
  const pod = change.pod(index);
  if (!pod.open.isAny) return;
  endPauses(change, pod);
  const { life } = pod;
  const mayAllEnd =
    change.run.stop !== undefined ||
    life.is === 'gone' ||
    // At the first sight of a pod the hooks end that can never run (R3.18).
    (life.is === 'live' && (hasFinished(life) || change.before.get(index)?.life.is !== 'live'));
  for (const at of mayAllEnd ? hookPositions(pod.hooks) : dueNow(pod, change.at)) {
    const hook = hookAt(pod, at);
    if (hook.kind === 'init') {
      const next = initHookState(change.run, change.pod(index), at, hook, change.at);
      if (next !== undefined) change.setHook(index, at, next);
      continue;
    }
    const state = stateOf(pod, at);
    if (isDetached(state)) {
      settleDetached(change, index, at, hook, state);
      continue;
    }
    const outcome = dueOutcome(change.run, change.pod(index), at, hook, change.at);
    if (outcome !== undefined) change.end(index, at, outcome);
  }
}

/** A hook whose next try is due waits for something else from now on: a slot, its container (R3.57). */
function endPauses(change: Change, { index, open, states }: PodRun): void {
  for (const at of open.retried) {
    const state = states[at];
    if (state?.phase !== 'Waiting' || change.at < (state.retryAt ?? FOREVER)) continue;
    const { retryAt: _, ...due } = state;
    change.setHook(index, at, due);
  }
}

/** How a hook ends because of what stands now, without an answer of its own; undefined where it goes on. */
function dueOutcome(
  run: RunState,
  pod: PodRun,
  at: HookPosition,
  hook: ExecHook,
  now: Instant,
): HookResult | undefined {
  const { stop } = run;
  const state = stateOf(pod, at);
  if (state.phase === 'Running') {
    if (now < (execDeadline(state, hook) ?? FOREVER)) return undefined;
    return { state: 'TimedOut', reason: 'executing', message: `${timeoutText(hook, 'execTimeout')}; ${STILL_RUNNING}` }; // R3.19
  }
  // Of an exec that was asked for nobody knows whether it has started: its answer decides.
  if (state.phase === 'Ended' || state.phase === 'Ending' || state.phase === 'Starting') return undefined;
  if (stop !== undefined) return { state: 'NotExecuted', reason: stop.reason, message: stop.message };
  const { life } = pod;
  // Its wave need not be open (R3.45).
  if (life.is === 'gone') return { state: 'NotExecuted', reason: life.why }; // R3.24
  if (life.is === 'live' && hasFinished(life)) return { state: 'NotExecuted', reason: 'pod-finished' };
  if (life.is === 'live' && hook.never !== undefined) return { state: 'NotExecuted', reason: hook.never }; // R3.18
  if (!isLate(pod, at, now)) return undefined;
  const what = `it waited for ${waitingFor(run, pod, at, now)}`;
  return { state: 'TimedOut', reason: 'waiting', message: `${timeoutText(hook, 'waitTimeout')}: ${what}` }; // R3.17
}

/** A detached command is ended at its exec timeout, not given up: then its own answer tells what came of that (R3.83). */
function settleDetached(change: Change, index: PodIndex, at: HookPosition, hook: ExecHook, state: DetachedState): void {
  const { life } = change.pod(index);
  if (isToAttach(state) && (life.is === 'gone' || (life.is === 'live' && hasFinished(life)))) {
    const reason = life.is === 'gone' ? life.why : 'pod-finished';
    change.end(index, at, { state: 'Unknown', reason, message: UNSEEN });
  } else if (change.at >= detachedDeadline(state, hook)) {
    if (state.detached.ending === undefined) change.setHook(index, at, asEnding(state, change.at, 'executing'));
    else change.end(index, at, notEnded(state, hook));
  } else if (isToAttach(state) && life.is === 'live') change.setHook(index, at, attached(state, change.at)); // R3.81
}

const hasFinished = ({ observed: { phase } }: Live): boolean => phase === 'Succeeded' || phase === 'Failed';

const GOES_ON = 'the pod still runs the init container';
const STILL_RUNNING = 'the command may still be running in the container';

/* ---- launch: start what was chosen ---- */

/** What has happened while the intent was recorded counts: settled hooks have ended, a container may be down again. */
function launch(change: Change): void {
  for (const hook of change.recorded) {
    onHook(change, hook, (index, at, state) => {
      if (state.phase !== 'Recording') return;
      const isUp = upSince(change.pod(index), at) !== undefined; // R3.14
      const { tries, detached } = state;
      const back = { phase: 'Waiting', tries: tries - 1 } as const;
      if (!isUp) change.setHook(index, at, back);
      else if (isOfAnotherStart(change.pod(index), at, detached)) {
        // Not in this very step: its intent has to be taken back first.
        const retryAt = later(change.at, retryDelayMs(1));
        change.setHook(index, at, { ...back, retryAt, why: 'its container was restarted' });
      } else {
        const asked = detached === undefined ? {} : { detached: { ...detached, since: change.at } };
        change.setHook(index, at, { phase: 'Starting', tries, ...asked });
      }
    });
  }
}

/** Its container was restarted while its intent was recorded, which names a start in which the command would not be (R3.80). */
const isOfAnotherStart = (pod: PodRun, at: HookPosition, detached: DetachedCommand | undefined): boolean =>
  detached !== undefined && detached.containerID !== detachedIn(pod, hookAt(pod, at)).detached?.containerID;

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
      change.set(index, { life: { ...change.pod(index).life, is: 'creating', phase: 'asked' } });
      continue;
    }
    const pod = change.pod(index);
    const at = nextHook(pod, change.at);
    if (at === undefined) continue;
    const state = stateOf(pod, at);
    const tries = state.phase === 'Waiting' ? state.tries + 1 : 1;
    change.setHook(index, at, { phase: 'Recording', tries, ...detachedIn(pod, hookAt(pod, at)) }); // R6.1
  }
}

/** A detached command is bound to this start of its container (R3.80). */
function detachedIn({ life }: PodRun, hook: Hook): { readonly detached?: DetachedCommand } {
  if (hook.kind !== 'exec' || !hook.detach) return {};
  return { detached: { containerID: lastSeen(life)?.containers[hook.container]?.id } };
}

/** A pod that is to be created, and may be now. */
function isWanted({ pods, stop }: RunState, index: PodIndex): boolean {
  const life = pods[index]?.life;
  if (life?.is !== 'creating' || life.phase !== 'wanted') return false;
  return stop === undefined || life.owed === true; // R2.20, R2.17
}
