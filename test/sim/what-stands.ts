import { gunzipSync } from 'node:zlib';
import type { HookState } from '../../shared/core/execute/hook-state.ts';
import type { ExecHook, Hook, PodKey } from '../../shared/core/model/hook.ts';
import type { ReportPart, RunHook } from '../../shared/core/report/run-document.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';

/*
 * What the judges of the simulator read and count by themselves: what they share with the core is types. A mistake of
 * the core's must not be made here a second time.
 */

type Counts = RunStatus['counts'];

const NO_COUNTS: Counts = {
  planned: 0,
  succeeded: 0,
  failed: 0,
  timedOut: 0,
  notExecuted: 0,
  unknown: 0,
  waiting: 0,
  running: 0,
};

const COUNTED: Readonly<Record<RunHook['state'], Exclude<keyof Counts, 'planned'>>> = {
  Waiting: 'waiting',
  Running: 'running',
  Succeeded: 'succeeded',
  Failed: 'failed',
  TimedOut: 'timedOut',
  NotExecuted: 'notExecuted',
  Unknown: 'unknown',
};

export const keyOf = ({ namespace, pod }: Pick<Hook, 'namespace' | 'pod'>): PodKey => `${namespace}/${pod}` as PodKey;

/** The number of a hook's wave. */
export const numberOf = ({ wave = 0 }: { readonly wave?: number | undefined }): number => wave;

/** Of two hooks of one container, whether the first has to end before the other starts. */
export const isAhead = (one: ExecHook, other: ExecHook): boolean =>
  numberOf(one) === numberOf(other) ? one.index < other.index : numberOf(one) < numberOf(other);

/** Of an exec hook: from when its intent is being recorded until it has ended. */
export const takesSlot = ({ phase }: HookState): boolean =>
  phase === 'Recording' || phase === 'Starting' || phase === 'Running';

/** Nobody has asked for a hook whose intent is being recorded: it waits. */
export function countedAs(state: HookState): keyof Counts {
  if (state.phase === 'Ended') return COUNTED[state.outcome.state];
  return state.phase === 'Starting' || state.phase === 'Running' ? 'running' : 'waiting';
}

const FINAL_PHASES = ['Failed', 'PartiallyFailed', 'Canceled', 'CompletedWithFailures', 'Completed'];
const PHASES = ['Pending', 'InProgress', ...FINAL_PHASES];
export const isOver = ({ phase }: Pick<RunStatus, 'phase'>): boolean => FINAL_PHASES.includes(phase);

/** The status that a Restore is annotated with; undefined: it has none. Throws where nobody could read it. */
export function statusOn(restore: object): RunStatus | undefined {
  const { annotations = {} } = (restore as { metadata: { annotations?: Record<string, string> } }).metadata;
  const text = annotations['restorehooks.io/status'];
  if (text === undefined) return undefined;
  const status = JSON.parse(text) as RunStatus;
  const counts = Object.entries(status.counts).filter(([name, count]) => name in NO_COUNTS && Number.isInteger(count));
  if (!PHASES.includes(status.phase) || counts.length !== Object.keys(NO_COUNTS).length) {
    throw new Error(`this is no status: ${text}`);
  }
  return status;
}

/** The part of a report that a Secret holds. */
export function partIn(secret: object): ReportPart {
  const { data = {} } = secret as { data?: Record<string, string> };
  return JSON.parse(gunzipSync(Buffer.from(data['report.json.gz'] ?? '', 'base64')).toString()) as ReportPart;
}

/** How many hooks are in each state. */
export function countRows(rows: readonly Pick<RunHook, 'state'>[]): Counts {
  const counts = { ...NO_COUNTS, planned: rows.length };
  for (const { state } of rows) counts[COUNTED[state]] += 1;
  return counts;
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
