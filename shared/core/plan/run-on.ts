import type { Pod } from '../model/pod.ts';
import { runOnOf } from '../model/restore.ts';
import type { HookEntries, HookEntry } from './hook-entries.ts';
import { workloadOf } from './pods-of-restore.ts';

/** In which pod an entry with `runOn` runs instead of this one; undefined where it runs in this one itself. */
export type RunsElsewhere = (entry: HookEntry, pod: Pod) => Pod | undefined;

const nowhereElse: RunsElsewhere = () => undefined;

/**
 * Choose the pods of the entries with `runOn` (R3.60). `pods`: in plan order. `hasEntries`: nothing hides the entries in
 * this pod (R3.61).
 */
export function chooseRunOn(
  pods: readonly Pod[],
  entries: HookEntries,
  hasEntries: (pod: Pod) => boolean,
): RunsElsewhere {
  if (entries.entries.every((entry) => runOnOf(entry.spec) === undefined)) return nowhereElse;
  const chosen = new Map<HookEntry, Map<string, Pod>>();
  // A pod that ends, or has ended, comes behind all others.
  for (const pod of [...pods.filter((each) => !isEnding(each)), ...pods.filter(isEnding)]) {
    const limited = entries.of(pod).filter((entry) => runOnOf(entry.spec) !== undefined);
    if (limited.length === 0 || !hasEntries(pod)) continue;
    for (const entry of limited) {
      const byGroup = chosen.get(entry) ?? new Map<string, Pod>();
      chosen.set(entry, byGroup);
      const group = groupOf(entry, pod);
      if (!byGroup.has(group)) byGroup.set(group, pod);
    }
  }
  return (entry, pod) => {
    const one = chosen.get(entry)?.get(groupOf(entry, pod));
    return one === pod ? undefined : one;
  };
}

const isEnding = ({ metadata, status }: Pod): boolean =>
  Boolean(metadata.deletionTimestamp) || status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** Pods of one group are one choice: all, or those of one controller. */
const groupOf = (entry: HookEntry, pod: Pod): string =>
  runOnOf(entry.spec) === 'one-per-controller' ? workloadOf(pod) : '';
