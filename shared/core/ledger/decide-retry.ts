import { isLost } from '../execute/lost-commands.ts';
import { isFail } from '../execute/state.ts';
import type { OnUnknown } from '../journal/resume.ts';
import type { Hook, PodKey } from '../model/hook.ts';
import { isCreating, podKey } from '../model/hook.ts';
import type { HookRow } from '../report/hook-row.ts';
import { isEnded } from '../report/hook-row.ts';
import { diedWithIt } from './dead-run-policy.ts';
import type { Decision } from './decision.ts';
import {
  begunHook,
  isReplaced,
  lostHook,
  quietPods,
  ranInItsPod,
  startsOf,
  stillGoing,
  takeOver,
  unseen,
} from './decision.ts';
import type { LastRun } from './last-run.ts';
import type { Ledger } from './ledger.ts';
import { deadRun } from './ledger.ts';
import type { LedgerRun } from './run-record.ts';
import { hookKey, keyInAnyPod } from './same-hook.ts';

/**
 * The hooks that `retry` is about, each with its last result, in the order of their plan: those of the last run, and
 * where its plan was narrowed (`--only`) also those of the run before it. `plan`: today's plan. It names
 * the hooks of a run whose report is gone.
 */
export function rowsToRetry(
  { runs, results }: Ledger,
  plan?: { readonly digest: string; readonly hooks: readonly Hook[] },
): { rows: HookRow[]; of: readonly LedgerRun[] } {
  const first = runs.findLastIndex(({ record: { about } }) => !about?.narrowed);
  const of = runs.slice(Math.max(0, first));
  const rows = new Map<string, HookRow>();
  for (const { record, rows: own } of of) {
    if (record.report.length < (record.planned ?? 0) && record.planDigest === plan?.digest) {
      for (const hook of plan?.hooks ?? []) rows.set(placeOf(hook), { hook, ...NEVER_BEGUN, run: record.attempt });
    }
    for (const row of own) rows.set(placeOf(row.hook), row);
  }
  return { rows: [...rows.values()].map((row) => results.get(hookKey(row.hook))?.row ?? row), of };
}

const NEVER_BEGUN = { state: 'NotExecuted', reason: 'runner-died', attempt: 1 } as const;

/** A hook with `runOn` is one, in whichever pod it was (R3.63). */
const placeOf = (hook: Hook): string => keyInAnyPod(hook) ?? hook.id;

/** A run whose runner died, and of which that was written down: to write it down asked for nothing. */
const writtenDown = (last: LastRun | undefined): LedgerRun | undefined =>
  last?.standing.state === 'ended' && last.status.failure?.code === 'job' ? last.run : undefined;

/**
 * Of each pod, by its name, the UID that its latest run knows, and which run that is: what earlier runs did in one that it has
 * replaced can't run again (R3.25). Within a run a pod that it created anew is the same one.
 */
function latestPods(rows: readonly HookRow[]): ReadonlyMap<PodKey, { readonly uid: string; readonly run: number }> {
  const found = new Map<PodKey, { readonly uid: string; readonly run: number }>();
  for (const { hook, run } of rows) {
    const key = podKey(hook.namespace, hook.pod);
    if (hook.podUID !== undefined && run > (found.get(key)?.run ?? 0)) found.set(key, { uid: hook.podUID, run });
  }
  return found;
}

/** What `retry` does: what did not succeed is run, of a run whose runner died also what it left (R6.25). */
export function decideRetry(
  ledger: Ledger,
  rows: readonly HookRow[],
  isWanted: (row: HookRow) => boolean,
  onUnknown: OnUnknown,
): Exclude<Decision, { action: 'follow' }> {
  const { last } = ledger;
  if (last?.standing.state === 'going') return stillGoing(last.status);
  const dead = deadRun(ledger) ?? writtenDown(last);
  /** It may have run when the runner died, and stays as it is. */
  const isLeft = (row: HookRow): boolean => dead !== undefined && onUnknown === 'fail' && diedWithIt(dead, row);
  /** The same of a run before that, whose end a later one has written down. */
  const wasLeft = (row: HookRow): boolean =>
    onUnknown === 'fail' &&
    ledger.runs.some((run) => diedWithIt(run, row) && run.record.report.some((each) => !isEnded(each)));
  const latest = latestPods(rows);
  const isOfNoPod = ({ hook, run }: HookRow): boolean => {
    const now = latest.get(podKey(hook.namespace, hook.pod));
    return now !== undefined && run < now.run && isReplaced(hook, now.uid);
  };
  const isToRun = (row: HookRow): boolean =>
    row.state !== 'Succeeded' &&
    isWanted(row) &&
    !isCreating(row.hook) &&
    !isLeft(row) &&
    !wasLeft(row) &&
    !isOfNoPod(row);
  // Nobody knows whether a `Fail` hook has failed: nothing goes on beside that.
  const isStopped = rows.some((row) => isLeft(row) && isFail(row.hook)); // R6.6
  const run = isStopped ? [] : rows.filter(isToRun);
  if (run.length === 0) return { action: last?.standing.state === 'died' ? 'write-down-dead-run' : 'show' };
  const attached = run.filter((row) => begunHook(ledger, row) !== undefined); // R3.88
  const again = run.filter((row) => !attached.includes(row));
  const isRun = new Set(run.map(({ hook }) => hook.id));
  return {
    action: 'start',
    kept: rows
      .filter(({ hook }) => !isRun.has(hook.id))
      .map((row) => (isOfNoPod(row) && begunHook(ledger, row) !== undefined ? unseen(row) : row)),
    difference: [],
    starts: startsOf(again, attached),
    begun: attached.flatMap((row) => begunHook(ledger, row) ?? []),
    lost: again.filter((row) => row.hook.kind === 'exec' && isLost(row) && ranInItsPod(ledger, row)).map(lostHook),
    quiet: quietPods(
      ledger,
      rows.map(({ hook }) => hook),
      attached,
    ),
    takesOver: takeOver(ledger),
  };
}
