import type { Hook } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import { earliest } from '../model/instant.ts';
import type { HookRow } from '../report/hook-row.ts';
import { begunIn } from './begun-commands.ts';
import type { CommandLeft } from './commands-left.ts';
import { commandsLeft, stillLeft } from './commands-left.ts';
import type { LastRun } from './last-run.ts';
import { lastRunOf } from './last-run.ts';
import type { KnownPlans } from './rows-of-run.ts';
import { rowsOfRun } from './rows-of-run.ts';
import type { LedgerRun, RunRecord } from './run-record.ts';
import { isExecuted, neverBegan } from './run-record.ts';
import { hookKey, keyInAnyPod } from './same-hook.ts';

/*
 * The ledger: what is known of a Restore from all its runs together (R6.1.1). It is one fold over the runs, the
 * oldest first, in which a later run's word on a hook replaces an earlier one's. What is to be run is decided on it
 * (decide-apply.ts, decide-retry.ts), and what may be removed (needed-runs.ts).
 */

export interface Ledger {
  /** The run that was made last, if there has been one. */
  readonly last: LastRun | undefined;
  /** All runs of which anything stands, the oldest first. */
  readonly records: readonly RunRecord[];
  /** The runs that have begun, the oldest first: the others changed nothing. */
  readonly runs: readonly LedgerRun[];
  /** The last result of each hook, by its key. */
  readonly results: ReadonlyMap<string, LedgerResult>;
  /** What hooks with `runOn` have done, by what they are in any pod. */
  readonly inAnyPod: ReadonlyMap<string, HookRow>;
  /** The commands that may still be running, whatever became of their hooks since. */
  readonly commandsLeft: readonly CommandLeft[];
  /** Of how many runs there are traces: the next one is one more. */
  readonly attempts: number;
}

export interface LedgerResult {
  readonly row: HookRow;
  /** The last run that tells it: as its own result, or kept from an earlier run. */
  readonly toldBy: number;
}

/** How the runs of a Restore stand: `records` from the oldest to the last one. */
export interface RunsOfRestore {
  readonly records: readonly RunRecord[];
  readonly last: LastRun['standing'] | undefined;
}

/** `plan`: today's plan. It names the hooks of a journal whose report is gone. */
export function ledgerOf(
  { records, last: lastStanding }: RunsOfRestore,
  now: Instant,
  plan?: { readonly digest: string; readonly hooks: readonly Hook[] },
): Ledger {
  const plans = plansOf(records, plan);
  const runs = records
    .map((record, at) => ({
      record,
      ...rowsOfRun(record, plans, overBy(records, at, now)),
      begun: begunIn(record, plans.get(record.planDigest ?? '')),
    }))
    .filter(({ record }) => !neverBegan(record));
  const results = new Map<string, LedgerResult>();
  const inAnyPod = new Map<string, HookRow>();
  let left: CommandLeft[] = [];
  const standing = new Set(runs.map(({ record }) => record.attempt));
  for (const { record, rows } of runs) {
    if (record.about?.startedOver) left = withoutPods(left, rows, record.about.narrowed === true);
    for (const row of rows) {
      results.set(hookKey(row.hook), { row, toldBy: record.attempt });
      noteInAnyPod(inAnyPod, row);
    }
    left = [...stillLeft(left, rows), ...commandsLeft(record.runID, rows.filter(isOwnOf(record, standing)), now)];
  }
  const attempts = Math.max(0, records.length, ...records.map(({ attempt }) => attempt));
  return {
    last: lastRunOf(records, runs, lastStanding),
    records,
    runs,
    results,
    inAnyPod,
    commandsLeft: left,
    attempts,
  };
}

/** A row that was kept may name the pod that `runOn` has chosen since: the run that executed it tells where that was. */
const isOwnOf =
  ({ attempt }: RunRecord, standing: ReadonlySet<number>) =>
  ({ run }: HookRow): boolean =>
    run === attempt || !standing.has(run);

/** What was executed stands until it is executed again, or its own pod says that it was not. */
function noteInAnyPod(inAnyPod: Map<string, HookRow>, row: HookRow): void {
  const key = keyInAnyPod(row.hook);
  const before = key === undefined ? undefined : inAnyPod.get(key);
  if (key === undefined) return;
  if (isExecuted(row)) inAnyPod.set(key, row);
  else if (before !== undefined && hookKey(before.hook) === hookKey(row.hook)) inAnyPod.set(key, row);
}

/** The last result of a hook: of one with `runOn` what was executed last, in whichever pod that was (R3.63). */
export const resultOf = ({ results, inAnyPod }: Ledger, hook: Hook): HookRow | undefined =>
  inAnyPod.get(keyInAnyPod(hook) ?? '') ?? results.get(hookKey(hook))?.row;

/** The last run that has begun, if its runner died in the midst of it and nobody has gone on with it. */
export function deadRun({ last, runs }: Ledger): LedgerRun | undefined {
  const begun = runs.at(-1);
  const isDead = begun === last?.run ? last?.standing.state === 'died' : begun?.record.report.some(isOpen);
  return isDead ? begun : undefined;
}

const isOpen = ({ state }: HookRow): boolean => state === 'Waiting' || state === 'Running';

/** Plans of which all hooks are known. */
function plansOf(
  records: readonly RunRecord[],
  plan: { readonly digest: string; readonly hooks: readonly Hook[] } | undefined,
): KnownPlans {
  const plans = new Map<string, readonly Hook[]>();
  for (const { planDigest: digest, planned, report } of records) {
    if (digest === undefined || planned === undefined || report.length < planned) continue;
    plans.set(
      digest,
      report.map(({ hook }) => hook),
    );
  }
  if (plan !== undefined) plans.set(plan.digest, plan.hooks);
  return plans;
}

/** A run was over when the next one was begun: one runner at a time has a Restore's Lease. */
function overBy(records: readonly RunRecord[], at: number, now: Instant): Instant {
  const next = records.slice(at + 1).find(({ journal }) => journal?.claimedAt !== undefined);
  return earliest(now, next?.journal?.claimedAt ?? now);
}

/** Who starts over knows that the commands before have ended (R6.1.6). */
function withoutPods(left: readonly CommandLeft[], rows: readonly HookRow[], isNarrowed: boolean): CommandLeft[] {
  if (!isNarrowed) return [];
  const pods = new Set(rows.map(({ hook: { namespace, pod } }) => `${namespace}/${pod}`));
  return left.filter(({ namespace, pod }) => !pods.has(`${namespace}/${pod}`));
}

/**
 * The runs of which it isn't known what they did of these hooks (R6.26): a later run's word on a hook makes up for theirs, and
 * so does one that started all over.
 */
export function unclearRuns(ledger: Ledger, hooks: readonly Hook[]): LedgerRun[] {
  const { runs, results } = ledger;
  const over = runs.findLastIndex(({ record: { about } }) => about?.startedOver && !about.narrowed);
  return runs.slice(Math.max(0, over)).filter(({ isWhole, record }) => {
    const isMadeUpFor = (hook: Hook) => (results.get(hookKey(hook))?.toldBy ?? 0) > record.attempt;
    return !isWhole && !hooks.every(isMadeUpFor);
  });
}
