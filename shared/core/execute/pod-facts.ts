import type { PodObservation } from '../model/hook.ts';
import { isCreating } from '../model/hook.ts';
import type { PodIndex } from '../model/position.ts';
import type { Change } from './change.ts';
import type { Creating, UpSince } from './pod-life.ts';
import { goneFrom } from './pod-life.ts';
import type { Fact, PodLeft } from './protocol.ts';
import type { PodRun } from './state.ts';

/** What is told of a pod, not of one of its hooks. */
export type PodFact = Extract<Fact, { readonly type: `pod${string}` | 'timerFired' }>;

/** Note what was told of a pod; a fact about a pod of another run changes nothing. */
export function foldPodFact(change: Change, fact: PodFact): void {
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
      const { uid, life } = change.pod(index);
      if (life.is === 'creating') {
        // We deleted this pod to recreate it, or somebody else did before us: either way it may be created now.
        if (life.phase === 'planned' && run.listed) change.set(index, { life: { is: 'creating', phase: 'wanted' } });
      } else if (life.is !== 'gone' && (uid === undefined || uid === fact.uid))
        change.set(index, { life: goneFrom(life, 'pod-deleted') });
      return;
    }
    case 'podsListed':
      listed(change);
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
  }
}

function observe(change: Change, index: PodIndex, observed: PodObservation): void {
  const pod = change.pod(index);
  if (observed.uid === pod.former) return;
  const isAnother = pod.uid !== undefined && pod.uid !== observed.uid; // R3.25
  let { life } = pod;
  if (life.is === 'creating' && !isInjected(pod, observed)) {
    // The pod isn't taken for live, so no command starts in it (R2.19).
    const isWanted = life.phase === 'planned' && pod.uid !== undefined && !isAnother;
    if (isWanted || life.phase !== 'planned') {
      const phase = isWanted ? 'wanted' : life.phase;
      const owed = life.owed || (change.run.wasTaken && observed.isGoing === true);
      change.set(index, { life: { is: 'creating', phase, seen: observed, owed } });
      return;
    }
    life = { is: 'awaited' };
  } else if (life.is === 'creating' && life.phase === 'asked') {
    change.set(index, { life: { is: 'creating', phase: 'asked', seen: observed } });
    return;
  } else if (life.is === 'creating') {
    // It has come to be already: by an earlier runner of this run, or by somebody else's hand.
    change.set(index, { life: { is: 'awaited' }, uid: observed.uid });
    observe(change, index, observed);
    return;
  }
  if (life.is === 'gone' || isAnother) {
    // A plan is bound to a pod's UID: a hook never runs in another pod of the same name.
    change.set(index, { life: goneFrom(life, 'pod-replaced', isAnother) });
    return;
  }
  const upBefore = life.is === 'live' ? life.upSince : {};
  const upSince: Record<string, UpSince> = {};
  for (const container of pod.containers) {
    const now = observed.containers[container];
    const before = upBefore[container];
    upSince[container] = {
      running: now?.running ? (before?.running ?? change.at) : undefined,
      ready: now?.ready ? (before?.ready ?? change.at) : undefined,
    };
  }
  const waitingSince = pod.waitingSince ?? change.at; // R3.16
  change.set(index, { life: { is: 'live', observed, upSince }, uid: observed.uid, waitingSince });
}

/** A planned pod that isn't there: gone if the plan knows its UID, else waited for from the run's start. */
function listed(change: Change): void {
  const { run } = change;
  if (run.listed) return;
  run.listed = true;
  for (const { index, life, uid, waitingSince = run.startedAt } of run.pods) {
    if (life.is === 'live' || life.is === 'gone') continue;
    if (life.is === 'creating') {
      const owed = run.wasTaken && uid !== undefined; // R2.17
      if (life.phase === 'planned') change.set(index, { life: { is: 'creating', phase: 'wanted', owed } });
      continue;
    }
    change.set(index, uid === undefined ? { waitingSince } : { life: goneFrom(life, 'pod-deleted') }); // R3.26
  }
}

/** Whether all that the pod is to be created for is in this one. */
const isInjected = (pod: PodRun, { initContainers = {} }: PodObservation): boolean =>
  pod.hooks.every((hook) => !isCreating(hook) || Object.hasOwn(initContainers, hook.container));

/** Only what is asked for is answered: a second answer finds nothing to change. */
function answered(change: Change, index: PodIndex): Creating | undefined {
  const { life } = change.pod(index);
  if (life.is !== 'creating' || life.phase !== 'asked') return undefined;
  change.run.active -= 1;
  change.set(index, { life: { is: 'awaited' } });
  return life;
}

function created(change: Change, index: PodIndex, uid: string): void {
  const creation = answered(change, index);
  if (creation === undefined) return;
  change.set(index, { uid, former: change.pod(index).uid }); // R2.19
  if (creation.seen?.uid === uid) observe(change, index, creation.seen);
}

function notCreated(change: Change, index: PodIndex, message: string, left: PodLeft): void {
  const creation = answered(change, index);
  if (creation === undefined) return;
  change.set(index, { notCreated: message });
  if (left === 'as-before' && creation.seen !== undefined) observe(change, index, creation.seen);
  else {
    const why = left === 'another' ? 'pod-replaced' : 'pod-deleted';
    change.set(index, { life: goneFrom(change.pod(index).life, why) });
  }
}
