import type { PodObservation } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';

/** What has become of a run's pod so far. */
export type PodLife =
  /** It has not been seen. */
  { readonly is: 'awaited' } | Creating | Live | Gone;

/** The pod has to be created, or deleted and created anew, before anything can happen in it. */
export interface Creating {
  readonly is: 'creating';
  /** `wanted`: it is created as soon as a slot is free. `asked`: nobody knows yet whether it was created. */
  readonly phase: 'planned' | 'wanted' | 'asked';
  /** An earlier runner has deleted the pod before it: it is created whatever happens, so that no pod is lost. */
  readonly owed?: boolean;
  /** The last pod that was seen under its name since it was asked for. */
  readonly seen?: PodObservation;
}

/** Its creator has been asked, and has not answered. */
export const isAsked = ({ life }: { readonly life: PodLife }): boolean =>
  life.is === 'creating' && life.phase === 'asked';

export interface Live {
  readonly is: 'live';
  readonly observed: PodObservation;
  readonly upSince: Readonly<Record<string, UpSince>>;
}

/** Nothing is started in it any more, also where another pod has its name by now. */
export interface Gone {
  readonly is: 'gone';
  readonly why: 'pod-deleted' | 'pod-replaced';
  /** Another pod has been seen under its name. */
  readonly isReplaced: boolean;
  /** As it was seen last, if it was. */
  readonly last: PodObservation | undefined;
}

/** Since when a container has been running, and ready, without a break. */
export interface UpSince {
  readonly running: Instant | undefined;
  readonly ready: Instant | undefined;
}

/** The pod as it was seen last, also where it is gone since; undefined: it was not seen. */
export function lastSeen(life: PodLife): PodObservation | undefined {
  if (life.is === 'live') return life.observed;
  return life.is === 'gone' ? life.last : undefined;
}

/** A pod that is gone stays so for its first reason; that it was replaced is noted all the same. */
export const goneFrom = (life: PodLife, why: Gone['why'], isReplaced = false): Gone =>
  life.is === 'gone'
    ? { ...life, isReplaced: life.isReplaced || isReplaced }
    : { is: 'gone', why, isReplaced, last: lastSeen(life) };
