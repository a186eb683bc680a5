import type { Brand } from './brand.ts';

/** The number of a pod in its run: pods are counted in the order in which the plan first names them. */
export type PodIndex = Brand<number, 'PodIndex'>;
/** The number of a hook among the hooks of its pod, in plan order. */
export type HookPosition = Brand<number, 'HookPosition'>;
/** The number of a hook in the whole plan: the journal names hooks by it. */
export type PlanPosition = Brand<number, 'PlanPosition'>;

/** The indexes of a run's pods. */
export const podIndexes = (pods: readonly unknown[]): Iterable<PodIndex> => pods.keys() as Iterable<PodIndex>;
/** The positions in one pod's list of hooks. */
export const hookPositions = (ofPod: readonly unknown[]): ArrayIterator<HookPosition> =>
  ofPod.keys() as ArrayIterator<HookPosition>;
/** A plan's hooks with their positions in the plan. */
export const planEntries = <T>(plan: readonly T[]): Iterable<[PlanPosition, T]> =>
  plan.entries() as Iterable<[PlanPosition, T]>;
