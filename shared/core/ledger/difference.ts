import type { Hook } from '../model/hook.ts';
import type { Ledger } from './ledger.ts';
import { resultOf } from './ledger.ts';

/** What a plan adds to all that was run before, what it changes, and what it drops of the last run: a line each (R6.23). */
export function differenceOf(ledger: Ledger, hooks: readonly Hook[]): string[] {
  const { runs } = ledger;
  const earlier = new Map<string, Hook>();
  for (const { rows } of runs) for (const { hook } of rows) earlier.set(hook.id, hook);
  const planned = new Set<string>(hooks.map(({ id }) => id));
  const lines: string[] = [];
  for (const hook of hooks) {
    const before = earlier.get(hook.id);
    const done = resultOf(ledger, hook);
    const isOfThisPod = done?.hook.id === hook.id && done.hook.podUID === hook.podUID;
    if (isOfThisPod) continue;
    if (done !== undefined) lines.push(`~ ${hook.id} (${done.state} in ${done.hook.namespace}/${done.hook.pod})`);
    else if (before === undefined) lines.push(`+ ${hook.id}`);
    else lines.push(`~ ${hook.id} (${before.podUID === hook.podUID ? 'another command' : 'another pod'})`);
  }
  const dropped = runs.at(-1)?.rows.filter(({ hook }) => !planned.has(hook.id)) ?? [];
  return [...lines, ...dropped.map(({ hook }) => `- ${hook.id}`)];
}
