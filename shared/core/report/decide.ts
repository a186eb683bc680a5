import { isLost } from '../executor/resume.ts';
import { stoppedBy } from '../executor/state.ts';
import type { PlannedHook } from '../hook.ts';
import { isCreating } from '../hook.ts';
import type { OnUnknown } from '../journal/resume.ts';
import { hookDocument } from './make-plan-document.ts';
import type { Payload } from './payload.ts';
import { hookOf } from './rows-plan.ts';
import type { RunHook } from './run-document.ts';
import type { RunStatus } from './run-status.ts';
import { hasEnded } from './run-status.ts';

/** What `apply`, or `retry`, does about a Restore that may have had a run (contract §6). */
export type Decision =
  | {
      readonly action: 'start';
      readonly kept: readonly RunHook[];
      readonly difference: readonly string[];
      readonly lost: readonly LostHook[];
    }
  | { readonly action: 'follow' }
  | { readonly action: 'show' }
  /** Nothing is left to run, but nobody has written down yet that its runner died. */
  | { readonly action: 'settle' }
  | { readonly action: 'refuse'; readonly why: string };

/** A hook that is run (again) although its command may be running since then. */
export interface LostHook {
  readonly id: string;
  readonly since: string;
}

export interface Earlier {
  readonly status: RunStatus;
  readonly rows: readonly RunHook[];
  /** Its runner died: the rows say what is known of each hook. */
  readonly died: boolean;
  /** It is over and did nothing: the rows are those of the run before it. */
  readonly neverBegan?: boolean;
  /** The run that the rows are of. */
  readonly attempt?: number;
  /** That run, where its runner died, and where its journal ended when the rows were read. */
  readonly takesOver?: Payload['takesOver'];
}

const START_OVER = { action: 'start', kept: [], difference: [], lost: [] } as const;

export function decide(
  earlier: Earlier | undefined,
  plan: { readonly digest: string; readonly hooks: readonly PlannedHook[] },
  again: boolean,
  onUnknown: OnUnknown = 'fail',
): Decision {
  if (earlier === undefined) return START_OVER;
  const { status, died, neverBegan = false } = earlier;
  const same = status.planDigest === plan.digest;
  if (!hasEnded(status) && !died && !neverBegan) {
    return same && !again ? { action: 'follow' } : stillGoing(status);
  }
  if (again || !hasExecuted(earlier.rows)) return START_OVER;
  const { rows, lost } = goingOn(earlier, onUnknown);
  if (same && !died && !neverBegan) return { action: 'show' };
  const kept = keptRows(rows, plan.hooks);
  const difference = differenceOf(rows, plan.hooks);
  if (kept.length === plan.hooks.length && difference.length === 0) return { action: died ? 'settle' : 'show' };
  return { action: 'start', kept, difference, lost };
}

/** What `retry` does: what did not succeed is run, of a run whose runner died also what it left (contract §6). */
export function decideRetry(
  earlier: Earlier,
  isWanted: (row: RunHook) => boolean,
  onUnknown: OnUnknown,
): Exclude<Decision, { action: 'follow' }> {
  const { status, died, neverBegan = false } = earlier;
  if (!hasEnded(status) && !died && !neverBegan) return stillGoing(status);
  const { rows, lost } = underPolicy(earlier, onUnknown);
  const isLeft = (row: RunHook): boolean => died && isOf(earlier, row) && diedWithIt(row);
  // Nobody knows whether a `Fail` hook has failed: nothing goes on beside that.
  const isStopped = rows.some((row) => isLeft(row) && isFail(row));
  const run = isStopped
    ? []
    : rows.filter((row) => isWanted(row) && row.state !== 'Succeeded' && !isLeft(row) && !isCreating(row));
  if (run.length === 0) return { action: died ? 'settle' : 'show' };
  const isRun = new Set(run.map(({ id }) => id));
  const kept = rows.filter(({ id }) => !isRun.has(id)).map((row) => ({ ...hookOf(row), ...resultOf(row) }));
  const mayBeRunning = run.filter((row) => row.kind === 'exec' && isLost(row));
  return { action: 'start', kept, difference: [], lost: [...lost, ...mayBeRunning.map(lostHook)] };
}

const stillGoing = ({ runID, runner: { kind, name } }: RunStatus): Decision & { action: 'refuse' } => ({
  action: 'refuse',
  why: `run ${runID} of this Restore is still going (${kind} ${name})`,
});

/** Where the runner died, `rerun` makes what it may have started pending again. */
function underPolicy(earlier: Earlier, onUnknown: OnUnknown): { rows: RunHook[]; lost: LostHook[] } {
  const { rows, died } = earlier;
  const isAgain = (row: RunHook): boolean => died && onUnknown === 'rerun' && isOf(earlier, row) && diedWithIt(row);
  return {
    rows: rows.map((row): RunHook => (isAgain(row) ? { ...row, state: 'NotExecuted' } : row)),
    lost: rows.filter(isAgain).map(lostHook),
  };
}

/** A `Fail` hook of the run that did not succeed has stopped it for good, also where its runner died (contract §6). */
function goingOn(earlier: Earlier, onUnknown: OnUnknown): { rows: RunHook[]; lost: LostHook[] } {
  const { died } = earlier;
  const { rows, lost } = underPolicy(earlier, onUnknown);
  const stop = rows.find((row) => died && isOf(earlier, row) && isFail(row) && hasFailed(row));
  if (stop === undefined) return { rows, lost };
  const { reason, message } = stoppedBy(stop);
  return { rows: rows.map((row): RunHook => (isPending(row) ? { ...row, reason, message } : row)), lost: [] };
}

/** Not kept from a run before it. */
const isOf = ({ status, attempt = status.attempt }: Earlier, row: RunHook): boolean => row.attempt === attempt;
const isFail = (row: RunHook): boolean => row.kind === 'exec' && row.onError === 'Fail';
const isUnseen = ({ state, reason }: RunHook): boolean => state === 'Unknown' && reason === 'runner-died';
const diedWithIt = (row: RunHook): boolean => row.kind === 'exec' && isUnseen(row);
/** By itself: what others kept from running hasn't. */
const hasFailed = (row: RunHook): boolean =>
  row.state !== 'Succeeded' && !isPending(row) && row.reason !== 'aborted' && row.reason !== 'canceled';
const lostHook = ({ id, startedAt, finishedAt }: RunHook): LostHook => ({ id, since: startedAt ?? finishedAt ?? '' });

/** Whether any command of the run was started, or may have been. */
const hasExecuted = (rows: readonly RunHook[]): boolean =>
  rows.some(({ state }) => state !== 'NotExecuted' && state !== 'Waiting');

/** The rows of hooks that have ended for this very pod and command: none of them is run again. */
function keptRows(rows: readonly RunHook[], hooks: readonly PlannedHook[]): RunHook[] {
  const earlier = new Map(rows.map((row) => [row.id, row]));
  return hooks.flatMap((hook) => {
    const row = earlier.get(hook.id);
    if (row === undefined || !isSame(row, hook) || isPending(row)) return [];
    return [{ ...hookDocument(hook), ...resultOf(row) }];
  });
}

/** Provably never started, and not because of anything that was decided about the hook; or its pod's to run, and watched again. */
const isPending = (row: RunHook): boolean =>
  row.state === 'Waiting' ||
  row.state === 'Running' ||
  (row.state === 'NotExecuted' && row.reason === 'runner-died') ||
  (row.kind === 'init' && isUnseen(row));

const isSame = (row: RunHook, hook: PlannedHook): boolean =>
  row.podUID === hook.podUID && row.kind === hook.kind && contentOf(row) === contentOf(hook);

const contentOf = (hook: RunHook | PlannedHook): string =>
  JSON.stringify(hook.kind === 'exec' ? [hook.command] : [hook.command, hook.image, hook.containerDigest]);

function resultOf({ state, reason, exitCode, unproven, message, startedAt, finishedAt, attempt }: RunHook) {
  const result = { state, reason, exitCode, unproven, message, startedAt, finishedAt, attempt };
  return Object.fromEntries(Object.entries(result).filter(([, value]) => value !== undefined)) as typeof result;
}

/** What a new plan adds, changes and drops, a line each. */
function differenceOf(rows: readonly RunHook[], hooks: readonly PlannedHook[]): string[] {
  const earlier = new Map(rows.map((row) => [row.id as string, row]));
  const planned = new Set<string>(hooks.map(({ id }) => id));
  const lines: string[] = [];
  for (const hook of hooks) {
    const row = earlier.get(hook.id);
    if (row === undefined) lines.push(`+ ${hook.id}`);
    else if (row.podUID !== hook.podUID) lines.push(`~ ${hook.id} (another pod)`);
    else if (!isSame(row, hook)) lines.push(`~ ${hook.id} (another command)`);
  }
  for (const { id } of rows) if (!planned.has(id)) lines.push(`- ${id}`);
  return lines;
}
