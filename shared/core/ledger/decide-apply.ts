import type { Stop } from '../execute/state.ts';
import type { OnUnknown } from '../journal/resume.ts';
import type { Hook } from '../model/hook.ts';
import type { HookRow } from '../report/hook-row.ts';
import { diedWithIt, isUnseen, stopOf } from './dead-run-policy.ts';
import type { Decision, Starting } from './decision.ts';
import {
  begunHook,
  goesOnElsewhere,
  isReplaced,
  lostHook,
  quietPods,
  startsOf,
  stillGoing,
  takeOver,
  unseen,
} from './decision.ts';
import { differenceOf } from './difference.ts';
import { hasExecuted } from './last-run.ts';
import type { Ledger } from './ledger.ts';
import { deadRun, resultOf, unclearRuns } from './ledger.ts';
import { isExecuted } from './run-record.ts';
import { keyInAnyPod } from './same-hook.ts';

interface Plan {
  readonly digest: string;
  readonly hooks: readonly Hook[];
}

/** What `apply` does: what has been executed for this very pod and command is not executed again (R6.1.4). */
export function decideApply(
  ledger: Ledger,
  plan: Plan,
  { again = false, onUnknown = 'fail' }: { readonly again?: boolean; readonly onUnknown?: OnUnknown } = {},
): Decision {
  const { last, runs } = ledger;
  if (last === undefined) return startOver(ledger, plan);
  const { state, status: annotated } = last.standing;
  if (state === 'going') {
    const canFollow = annotated?.planDigest === plan.digest && !again; // R6.21
    return canFollow ? { action: 'follow' } : stillGoing(last.status);
  }
  if (again) return startOver(ledger, plan); // R6.24
  const begun = runs.at(-1);
  const isSame = begun?.record.planDigest === plan.digest;
  if (isSame && begun === last.run && state === 'ended' && hasExecuted(last)) return { action: 'show' }; // R6.22
  const unclear = unclearRuns(ledger, plan.hooks);
  if (unclear.length > 0) return { action: 'unclear', runs: unclear }; // R6.26

  const dead = deadRun(ledger);
  const isLost = (row: HookRow): boolean => dead !== undefined && onUnknown === 'rerun' && diedWithIt(dead, row);
  /** A run that has ended, and executed nothing, is as good as one of another plan (R6.22). */
  const goesOn = isSame && (dead !== undefined || begun?.rows.some(isExecuted) === true);
  const stop = dead && isSame ? stopOf(dead, onUnknown) : undefined;
  const known = sortOut(ledger, plan.hooks, { isLost, goesOn, stop });
  if ('action' in known) return known;
  const { kept, attached, lost, rerun } = known;
  const planned = new Set(plan.hooks.flatMap((hook) => [hook.id, keyInAnyPod(hook) ?? hook.id]));
  const isPlanned = ({ hook }: HookRow): boolean => planned.has(hook.id) || planned.has(keyInAnyPod(hook) ?? hook.id);
  const dropped = begun?.rows.filter((row) => !isPlanned(row)) ?? [];
  const difference = differenceOf(ledger, plan.hooks); // R6.23
  const isNothingLeft = kept.length === plan.hooks.length && difference.length === 0;
  if (isNothingLeft && state === 'died') return { action: 'write-down-dead-run' };
  if (isNothingLeft && begun === last.run && areAsRun(plan.hooks, begun?.rows ?? [])) return { action: 'show' };
  return {
    action: 'start',
    kept,
    ...(dropped.length > 0 && { dropped }),
    difference,
    lost: lost.map(lostHook),
    begun: attached.flatMap((row) => begunHook(ledger, row) ?? []),
    starts: startsOf([...lost, ...rerun], attached),
    quiet: quietPods(ledger, plan.hooks, attached),
    takesOver: takeOver(ledger),
  };
}

/** All hooks of the plan are run. */
const startOver = (ledger: Ledger, { hooks }: Plan): Starting => ({
  action: 'start',
  kept: [],
  difference: [],
  lost: [],
  begun: [],
  starts: startsOf(hooks.map((hook) => resultOf(ledger, hook))),
  quiet: [],
  takesOver: takeOver(ledger),
});

interface Rules {
  /** It may have run when its runner died, and is to be run again. */
  readonly isLost: (row: HookRow) => boolean;
  /** What a run of this very plan has left is gone on with. */
  readonly goesOn: boolean;
  /** The `Fail` hook that stopped the run that is gone on with. */
  readonly stop: ReturnType<typeof stopOf>;
}

/** What becomes of each hook of the plan that an earlier run knows. */
function sortOut(ledger: Ledger, hooks: readonly Hook[], { isLost, goesOn, stop }: Rules) {
  const kept: HookRow[] = [];
  const attached: HookRow[] = [];
  const lost: HookRow[] = [];
  const rerun: HookRow[] = [];
  for (const hook of hooks) {
    const row = resultOf(ledger, hook);
    if (row === undefined) continue;
    const isBegun = begunHook(ledger, row) !== undefined;
    if (isBegun && row.hook.id !== hook.id) return goesOnElsewhere(row, hook);
    if (isBegun && isReplaced(row.hook, hook.podUID))
      kept.push(unseen({ ...row, hook })); // R3.82
    else if (isBegun)
      attached.push(row); // R3.88
    else if (isLost(row) && stop !== undefined)
      kept.push({ ...row, hook }); // R6.6
    else if (isLost(row) && row.hook.id === hook.id && !isReplaced(row.hook, hook.podUID)) lost.push(row);
    else if (isLost(row)) rerun.push({ ...row, hook });
    else if (!isToRun(row, goesOn)) kept.push({ ...row, hook });
    else if (stop !== undefined) kept.push(stopped({ ...row, hook }, stop));
    else rerun.push({ ...row, hook });
  }
  return { kept, attached, lost, rerun };
}

/**
 * Whether a run's rows are of just these hooks, judged by the same rules. The digest may be another one all the same: pods
 * that the run has created are in the plan with their UIDs.
 */
function areAsRun(hooks: readonly Hook[], rows: readonly HookRow[]): boolean {
  const ruled = new Map(rows.map((row) => [row.hook.id, rulesOf(row.hook)]));
  return rows.length === hooks.length && hooks.every((hook) => ruled.get(hook.id) === rulesOf(hook));
}

const rulesOf = (hook: Hook): string =>
  JSON.stringify([
    hook.waitTimeoutMs,
    ...(hook.kind === 'exec'
      ? [hook.onError, hook.execTimeoutMs, hook.waitForReady, hook.wave, hook.retry, hook.detach, hook.runOn]
      : []),
  ]);

/** The row of a hook that stays pending because its run is stopped for good. */
function stopped({ hook, run, attempt, state, startedAt, finishedAt }: HookRow, stop: Stop): HookRow {
  const times = { ...(startedAt !== undefined && { startedAt }), ...(finishedAt !== undefined && { finishedAt }) };
  return { hook, run, attempt, state: state === 'Unknown' ? state : 'NotExecuted', ...stop, ...times };
}

/**
 * Pending, whatever is the plan: what nobody came to start, and an init container, which its pod runs and which is only
 * watched again. With another plan, all that was never started. What was executed is left to `retry`.
 */
function isToRun(row: HookRow, isSamePlan: boolean): boolean {
  const { state, reason, hook } = row;
  if (state === 'Waiting' || state === 'Running') return true;
  if (hook.kind === 'init' && isUnseen(row)) return true;
  if (state === 'NotExecuted') return reason === 'runner-died' || !isSamePlan;
  return state === 'TimedOut' && reason === 'waiting' && !isSamePlan;
}
