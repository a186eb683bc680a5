import type { ReportPart, RunHook } from '../../shared/core/report/run-document.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';

/*
 * What the judges of the simulator read and count by themselves: what they share with the core is types. A mistake of
 * the core's must not be made here a second time.
 */

type Counts = RunStatus['counts'];

const COUNTED: Readonly<Record<RunHook['state'], Exclude<keyof Counts, 'planned'>>> = {
  Waiting: 'waiting',
  Running: 'running',
  Succeeded: 'succeeded',
  Failed: 'failed',
  TimedOut: 'timedOut',
  NotExecuted: 'notExecuted',
  Unknown: 'unknown',
};

/** How many hooks are in each state. */
export function countRows(rows: readonly Pick<RunHook, 'state'>[]): Counts {
  const of = (state: RunHook['state']): number => rows.filter((row) => row.state === state).length;
  const counts = Object.entries(COUNTED).map(([state, name]) => [name, of(state as RunHook['state'])]);
  return { planned: rows.length, ...Object.fromEntries(counts) } as Counts;
}

/** The last word on each hook, in the order of the first: of the newest runner that said one. */
export function joined(parts: readonly ReportPart[]): RunHook[] {
  const rows = new Map<string, RunHook>();
  const runners = new Map<string, number>();
  for (const { hooks, runner = 0 } of parts) {
    for (const row of hooks) {
      const before = rows.get(row.id);
      if (before !== undefined && runner < (runners.get(row.id) ?? 0)) continue;
      // A runner that goes on knows no texts of what had ended: what was said of it stands.
      const isSame =
        before?.finishedAt !== undefined && before.finishedAt === row.finishedAt && before.state === row.state;
      const { message = before?.message, stdout = before?.stdout, stderr = before?.stderr } = row;
      const texts = Object.entries({ message, stdout, stderr }).filter(([, text]) => text !== undefined);
      rows.set(row.id, isSame ? { ...before, ...row, ...Object.fromEntries(texts) } : row);
      runners.set(row.id, runner);
    }
  }
  return [...rows.values()];
}
