import type { PodObservation } from '../model/hook.ts';
import { isCreating } from '../model/hook.ts';
import type { PodIndex } from '../model/position.ts';
import type { Change } from './change.ts';
import type { Fact, PodLeft } from './protocol.ts';
import type { Creation, PodRun, UpSince } from './state.ts';

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
function answered(change: Change, index: PodIndex): Creation | undefined {
  const { creation } = change.pod(index);
  if (creation?.phase !== 'asked') return undefined;
  change.run.active -= 1;
  change.set(index, { creation: undefined });
  return creation;
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
  else change.set(index, { gone: left === 'another' ? 'pod-replaced' : 'pod-deleted' });
}
