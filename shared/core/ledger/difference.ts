import type { Hook } from '../model/hook.ts';
import type { RunHook } from '../report/run-document.ts';
import type { Ledger } from './ledger.ts';
import { hookKey } from './same-hook.ts';

/** What a plan adds to all that was run before, what it changes, and what it drops of the last run: a line each (R6.23). */
export function differenceOf({ runs, results }: Ledger, hooks: readonly Hook[]): string[] {
  const earlier = new Map<string, RunHook>();
  for (const { rows } of runs) for (const row of rows) earlier.set(row.id, row);
  const planned = new Set<string>(hooks.map(({ id }) => id));
  const lines: string[] = [];
  for (const hook of hooks) {
    const row = earlier.get(hook.id);
    if (row === undefined) lines.push(`+ ${hook.id}`);
    else if (results.has(hookKey(hook))) continue;
    else lines.push(`~ ${hook.id} (${row.podUID === hook.podUID ? 'another command' : 'another pod'})`);
  }
  const dropped = runs.at(-1)?.rows.filter(({ id }) => !planned.has(id)) ?? [];
  return [...lines, ...dropped.map(({ id }) => `- ${id}`)];
}
