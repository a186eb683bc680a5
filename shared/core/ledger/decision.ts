import { UNSEEN } from '../execute/lost-commands.ts';
import type { Hook } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import { formatInstant, latest } from '../model/instant.ts';
import type { HookRow } from '../report/hook-row.ts';
import type { Payload } from '../report/payload.ts';
import type { RunStatus } from '../report/run-status.ts';
import { isUnseen } from './dead-run-policy.ts';
import type { Ledger } from './ledger.ts';
import { deadRun } from './ledger.ts';
import type { BegunHook, LedgerRun } from './run-record.ts';
import { isExecuted } from './run-record.ts';

/** What `apply`, or `retry`, does about a Restore, whatever runs it has had (R6.21). */
export type Decision =
  | Starting
  | { readonly action: 'follow' }
  | { readonly action: 'show' }
  /** Nothing is left to run, but nobody has written down yet that its runner died. */
  | { readonly action: 'write-down-dead-run' }
  | Refusal
  /** What these runs did can't be known any more: one of the hooks may have been run. */
  | { readonly action: 'unclear'; readonly runs: readonly LedgerRun[] };

export interface Refusal {
  readonly action: 'refuse';
  readonly why: string;
  /** What its user does. */
  readonly instead: 'follow' | 'retry';
}

export interface Starting {
  readonly action: 'start';
  /** The rows of hooks that are not run (again). */
  readonly kept: readonly HookRow[];
  /** The last run's rows of hooks that the plan doesn't have. */
  readonly dropped?: readonly HookRow[];
  /** What the plan adds, changes and drops, a line each. */
  readonly difference: readonly string[];
  /** Hooks that are run (again) although their command may be running since then. */
  readonly lost: readonly LostHook[];
  /** Hooks whose detached command an earlier run has left, and which are attached to. */
  readonly begun: readonly BegunHook[];
  /** How often the hooks that are run again were started before, where they were. */
  readonly starts: Readonly<Record<string, number>>;
  /** Pods in which nothing may start yet. */
  readonly quiet: readonly QuietPod[];
  /** The run before it whose runner died, and may be told so. */
  readonly takesOver: Payload['takesOver'];
}

export type LostHook = NonNullable<Payload['lost']>[number];
export type QuietPod = NonNullable<Payload['quiet']>[number];

/** The run that was made last is still at work. */
export const stillGoing = ({ runID, runner: { kind, name } }: RunStatus): Refusal => ({
  action: 'refuse',
  instead: 'follow',
  why: `run ${runID} of this Restore is still going${name === '' ? '' : ` (${kind} ${name})`}`,
});

/** A detached command is attached to where it was started, and the plan has chosen another pod for it since (R3.88). */
export const goesOnElsewhere = ({ hook, run }: HookRow, chosen: Hook): Refusal => ({
  action: 'refuse',
  instead: 'retry',
  why:
    `the detached command of ${hook.id}, started by run ${run}, may still be running in ` +
    `${hook.namespace}/${hook.pod}, and the plan has chosen ${chosen.namespace}/${chosen.pod} for it since`,
});

/** Another pod of the same name has taken its place. */
export const isReplaced = ({ podUID: before }: Hook, now: string | undefined): boolean =>
  before !== undefined && now !== undefined && before !== now;

/** What a hook has done last it has done in the pod that its row names, not in one that `runOn` has chosen since. */
export function ranInItsPod({ runs }: Ledger, { hook, run }: HookRow): boolean {
  const rows = runs.find(({ record }) => record.attempt === run)?.rows;
  const own = rows?.find((row) => row.hook.id === hook.id);
  return rows === undefined || (own !== undefined && !isReplaced(own.hook, hook.podUID));
}

/** The row of a detached command whose pod was replaced before anybody saw its end (R3.82). */
export const unseen = ({ startedAt, finishedAt, hook, run, attempt }: HookRow): HookRow => ({
  ...{ hook, run, attempt, state: 'Unknown', reason: 'pod-replaced', message: UNSEEN },
  ...(startedAt !== undefined && { startedAt }),
  ...(finishedAt !== undefined && { finishedAt }),
});

export const lostHook = ({ hook: { id }, startedAt, finishedAt }: HookRow): LostHook => {
  const since = startedAt ?? finishedAt;
  return { id, since: since === undefined ? '' : formatInstant(since) };
};

/** The detached command that a hook has left, if this is its last result and nobody saw how it ended. */
export const begunHook = ({ runs }: Ledger, row: HookRow): BegunHook | undefined =>
  isUnseen(row) ? runs.find(({ record }) => record.attempt === row.run)?.begun.get(row.hook.id) : undefined;

/**
 * How often hooks that are run (again) have been started, by the last that is known of them (R3.48). `attached`: their last
 * start goes on.
 */
export const startsOf = (
  rows: readonly (HookRow | undefined)[],
  attached: readonly HookRow[] = [],
): Starting['starts'] =>
  Object.fromEntries(
    [...rows, ...attached].flatMap((row) => {
      const isOver = row !== undefined && isExecuted(row) && !attached.includes(row);
      const starts = row?.hook.kind === 'exec' ? row.attempt - (isOver ? 0 : 1) : 0;
      return row === undefined || starts < 1 ? [] : [[row.hook.id, starts]];
    }),
  );

/** Of the pods of a plan, those in which a command that was lost, and isn't attached to, may still be running (R6.1.6). */
export function quietPods(
  { commandsLeft }: Ledger,
  hooks: readonly Pick<Hook, 'namespace' | 'pod' | 'podUID'>[],
  attached: readonly HookRow[],
) {
  const isAttached = new Set(attached.map(({ hook: { id } }) => id));
  const pods = new Map(hooks.map((hook) => [`${hook.namespace}/${hook.pod}`, hook]));
  const until = new Map<string, Instant>();
  for (const left of commandsLeft) {
    if (isAttached.has(left.id)) continue;
    const key = `${left.namespace}/${left.pod}`;
    const pod = pods.get(key);
    // With another pod of that name its containers are gone, and the command with them.
    const isAnother = pod?.podUID !== undefined && left.podUID !== undefined && pod.podUID !== left.podUID;
    if (pod === undefined || isAnother) continue;
    until.set(key, latest(until.get(key) ?? left.until, left.until));
  }
  return [...until].map(([key, ms]): QuietPod => {
    const [namespace = '', pod = ''] = key.split('/');
    return { namespace, pod, ...(Number.isFinite(ms) && { until: formatInstant(ms) }) };
  });
}

/** The journal of a run whose runner died is closed by the run that takes over, in case the runner lives after all. */
export function takeOver(ledger: Ledger): Payload['takesOver'] {
  const dead = deadRun(ledger);
  if (dead === undefined) return undefined;
  const { runID, planDigest, planned, shards = 1, journal, wasClaimed } = dead.record;
  // A claimed run without a journal has lost it.
  const batches = journal?.batches ?? (wasClaimed ? undefined : 0);
  if (batches === undefined || planDigest === undefined || planned === undefined) return undefined;
  return { runID, planDigest, hooks: planned, ...(shards > 1 && { shards }), batches };
}
