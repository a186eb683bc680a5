import { sha256Hex } from '../digest.ts';
import type { Hook, PodKey } from './hook.ts';
import { podKey } from './hook.ts';

/** One shard of a run: its number, from 0, and how many shards the run has. */
export interface Shard {
  readonly index: number;
  readonly of: number;
}

/** More shards would only add requests: each one asks for the others once a second. */
export const MOST_SHARDS = 64;

/** The first shard writes the run's status for all of them. */
export const isFollower = (shard: Pick<Shard, 'index'> | undefined): boolean => shard !== undefined && shard.index > 0;

/**
 * The shard of each pod of a plan. It follows from the UID that the plan has for the pod, else from the pod's name, so
 * everybody computes the same and nothing is stored (R8.41).
 */
export function shardOfPods(
  hooks: readonly Pick<Hook, 'namespace' | 'pod' | 'podUID'>[],
  of: number,
): ReadonlyMap<PodKey, number> {
  const identities = new Map<PodKey, string>();
  for (const { namespace, pod, podUID } of hooks) {
    const key = podKey(namespace, pod);
    const known = identities.get(key);
    if (known === undefined || (known === key && podUID !== undefined)) identities.set(key, podUID ?? key);
  }
  return new Map(
    [...identities].map(([key, identity]) => [key, Number.parseInt(sha256Hex(identity).slice(0, 8), 16) % of]),
  );
}

/** The shards that have nothing to do (R8.41); never the first one, which tells of the run. */
export function shardsWithoutPods(hooks: readonly Pick<Hook, 'namespace' | 'pod' | 'podUID'>[], of: number): number[] {
  const used = new Set(shardOfPods(hooks, of).values());
  return Array.from({ length: of - 1 }, (_, before) => before + 1).filter((index) => !used.has(index));
}

/** The share of a shard in a limit of the whole run (R8.44). */
export const shareOf = (limit: number, { index, of }: Shard): number =>
  Math.floor(limit / of) + Number(index < limit % of);
