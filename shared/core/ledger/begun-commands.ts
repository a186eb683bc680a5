import { commandKey } from '../execute/detached.ts';
import type { Hook, HookId } from '../model/hook.ts';
import { formatInstant } from '../model/instant.ts';
import { planEntries } from '../model/position.ts';
import type { BegunHook, RunRecord } from './run-record.ts';

/** The detached commands of a run whose end nobody saw, as its journal has them. `plan`: its hooks. */
export function begunIn({ runID, journal }: RunRecord, plan: readonly Hook[] = []): ReadonlyMap<HookId, BegunHook> {
  const begun = new Map<HookId, BegunHook>();
  for (const [position, hook] of planEntries(plan)) {
    const record = journal?.hooks.get(position);
    if (hook.kind !== 'exec' || record?.phase !== 'begun') continue;
    const { key, podUID = hook.podUID, containerID, startedAt } = record;
    if (!hook.detach && key === undefined) continue;
    begun.set(hook.id, {
      id: hook.id,
      key: key ?? commandKey(runID, hook.id, journal?.starts?.get(position)),
      ...(podUID !== undefined && { podUID }),
      ...(containerID !== undefined && { containerID }),
      ...(startedAt !== undefined && { startedAt: formatInstant(startedAt) }),
    });
  }
  return begun;
}
