import { RestoreHooksError } from '../core/errors.ts';
import type { BegunCommand, Resumed } from '../core/execute/run-start.ts';
import type { JournalEntry, JournalHead } from '../core/journal/entry.ts';
import type { OnUnknown } from '../core/journal/resume.ts';
import { resume } from '../core/journal/resume.ts';
import type { HookId } from '../core/model/hook.ts';
import type { Instant } from '../core/model/instant.ts';
import { instant, parseInstant } from '../core/model/instant.ts';
import { planEntries } from '../core/model/position.ts';
import type { Restore } from '../core/model/restore.ts';
import type { RunInput } from '../core/report/run-input.ts';
import type { RunStatus } from '../core/report/run-status.ts';
import { hasEnded } from '../core/report/run-status.ts';
import type { KubeClient } from '../kubernetes/api/client.ts';
import { claimRun } from '../kubernetes/run/claim.ts';
import { KubernetesJournal } from '../kubernetes/run/journal.ts';
import type { JournalPlace } from '../kubernetes/run/journal-reader.ts';
import { readJournal } from '../kubernetes/run/journal-reader.ts';
import type { HeldLease } from '../kubernetes/run/lease.ts';
import { takeLease } from '../kubernetes/run/lease.ts';
import { markFailed } from '../kubernetes/run/mark-ended.ts';
import { runStatusOf } from '../kubernetes/run/run-store.ts';
import { getRestore } from '../kubernetes/velero/restores.ts';
import type { Clock } from '../ports/ports.ts';

/** Which run is to be carried out, and by whom. */
export interface RunToTake {
  readonly runID: string;
  readonly input: RunInput;
  /** Who this runner is: `name` for people, `id` never that of another. */
  readonly claimant: { readonly name: string; readonly id: string };
  readonly onUnknown: OnUnknown;
  /** For a run that nobody wrote down: what to write, or throw. */
  readonly unwritten: (restore: Restore) => RunStatus;
  readonly warn?: (message: string) => void;
  /** Until when to wait for another runner of this run to end; then `TIMEOUT`. Absent: as long as it takes. */
  readonly giveUpAt?: number | undefined;
  /** Asked to end: the run isn't taken, and `INTERRUPTED` says so. */
  readonly signal?: AbortSignal | undefined;
  /** The Job whose pod this runner is. */
  readonly ownJob?: string | undefined;
}

/** A run that is this runner's own. */
export interface TakenRun {
  /** As it stood when the run was claimed. */
  readonly restore: Restore;
  readonly status: RunStatus;
  readonly input: RunInput;
  readonly lease: HeldLease;
  readonly journal: KubernetesJournal;
  /** Which of the run's runners this is, from 1. */
  readonly runner: number;
  readonly resumed: Resumed;
}

export type Client = Pick<KubeClient, 'get' | 'create' | 'patch'>;

/**
 * Make a run this runner's own before it starts anything (R6.13): first the Restore's Lease, then the journal,
 * which fences off whoever had it, then the status. A run that has ended meanwhile is answered with its status.
 */
export async function takeRun(
  client: Client,
  clock: Clock,
  run: RunToTake,
): Promise<TakenRun | { readonly ended: RunStatus }> {
  const { runID, input, claimant } = run;
  const { restore: reference } = input.plan;
  const at = { namespace: reference.namespace, name: reference.name };
  const statusNow = async () => runStatusOf(await getRestore(client, at.namespace, at.name));
  const endedHere = async () => {
    const status = await statusNow();
    return status?.runID === runID && hasEnded(status) ? status : undefined;
  };
  let ended: RunStatus | undefined;
  const lease = await takeLease(
    client,
    clock,
    { restore: reference, runID, holder: claimant.name },
    {
      isOver: async () => {
        if (run.giveUpAt !== undefined && clock.now() >= run.giveUpAt) {
          throw new RestoreHooksError('TIMEOUT', `another runner of run ${runID} is still at work`);
        }
        ended = await endedHere();
        return ended !== undefined;
      },
      ...(run.warn && { warn: run.warn }),
      signal: run.signal,
    },
  ).catch((error: unknown) => failed(client, run, error, false));
  if (ended !== undefined && lease === undefined) return { ended };
  if (lease === undefined) throw notTaken(run);
  try {
    ended = await endedHere();
    if (ended !== undefined) {
      await lease.release();
      return { ended };
    }
    const place = journalPlace(input, runID);
    const standing = await statusNow();
    requireNotAsked(run);
    const { journal, runner, resumed } = await takeJournal(client, clock, run, place, standing);
    requireNotAsked(run);
    const { restore, status } = await claimRun(client, { ...at, runID }, claimant.id, run.unwritten);
    return { restore, status, input, lease, journal, runner, resumed };
  } catch (error) {
    // While the Lease is held nobody else is at work.
    const why = await failed(client, run, error, true).catch((reason: unknown) => reason);
    await lease.release();
    throw why;
  }
}

const notTaken = ({ runID }: RunToTake): RestoreHooksError =>
  new RestoreHooksError('INTERRUPTED', `asked to end before run ${runID} was begun; nothing is started`);

function requireNotAsked(run: RunToTake): void {
  if (run.signal?.aborted) throw notTaken(run);
}

export const journalPlace = ({ plan, hooks }: Pick<RunInput, 'plan' | 'hooks'>, runID: string): JournalPlace => ({
  restore: plan.restore,
  head: { runID, planDigest: plan.digest, hooks: hooks.length },
});

async function takeJournal(
  client: Client,
  clock: Clock,
  { runID, input, onUnknown }: RunToTake,
  place: JournalPlace,
  standing: RunStatus | undefined,
): Promise<{ journal: KubernetesJournal; runner: number; resumed: Resumed }> {
  const { hooks } = input;
  const read = await readJournal(client, place);
  if (read === undefined) {
    const wasClaimed = standing?.runID === runID && standing.runner.claimedBy !== undefined;
    if (wasClaimed) {
      throw new RestoreHooksError('RUN_FAILED', `the journal of run ${runID} is gone: what has been run isn't known`);
    }
    if (input.takesOver !== undefined) await takeOver(client, clock, input, input.takesOver, runID);
    const { resumed, entries } = begin(input, clock.now());
    const journal = await KubernetesJournal.take(client, clock, place, hooks, undefined, entries);
    return { journal, runner: 1, resumed };
  }
  if (read.replay.closedBy !== undefined) {
    throw new RestoreHooksError('RUN_BY_ANOTHER', `run ${read.replay.closedBy} has taken over from run ${runID}`);
  }
  const { resumed, entries } = resume(read.replay, hooks, onUnknown, clock.now());
  const journal = await KubernetesJournal.take(client, clock, place, hooks, read, entries);
  return { journal, runner: read.replay.claims + 1, resumed };
}

/** A new run, which may know of commands that an earlier one has left. */
function begin({ lost = [], begun = [], hooks }: RunInput, now: Instant) {
  const since = new Map(lost.map((hook) => [hook.id as HookId, parseInstant(hook.since) ?? instant(0)]));
  const attached = new Map(
    begun.map(({ id, startedAt, ...known }): [HookId, BegunCommand & { readonly key: string }] => [
      id as HookId,
      { tries: 1, since: now, startedAt: parseInstant(startedAt ?? ''), ...known },
    ]),
  );
  const entries = [...planEntries(hooks)].flatMap(([hook, { id }]): JournalEntry[] => {
    const at = since.get(id);
    const command = attached.get(id);
    if (command === undefined) return at === undefined ? [] : [{ kind: 'lost', hook, since: at }];
    // It is this run's from now on: the next runner attaches to it, too (R3.88).
    const { tries, startedAt, since: found, key, podUID, containerID } = command;
    const place = { ...(podUID !== undefined && { podUID }), ...(containerID !== undefined && { containerID }) };
    const started: JournalEntry[] = startedAt === undefined ? [] : [{ kind: 'started', hook, at: startedAt }];
    return [{ kind: 'intent', hook, tries, at: found, key, ...place }, ...started];
  });
  const resumed: Resumed = {
    ended: new Map(),
    tries: new Map(),
    lost: since,
    begun: attached,
    waitingSince: new Map(),
    wasTaken: false,
  };
  return { resumed, entries };
}

/** End a run for good whose runner died: as it was when its plan was taken into account, or not at all (R6.13). */
async function takeOver(
  client: Client,
  clock: Clock,
  { plan }: RunInput,
  { runID, planDigest, hooks, batches }: NonNullable<RunInput['takesOver']>,
  by: string,
): Promise<void> {
  const head: JournalHead = { runID, planDigest, hooks };
  const place = { restore: plan.restore, head };
  const read = await readJournal(client, place);
  if (read?.replay.closedBy === by) return;
  if ((read?.end.batches ?? 0) !== batches) {
    throw new RestoreHooksError('RUN_BY_ANOTHER', `run ${runID} has gone on meanwhile; nothing is started`, {
      hint: 'decide again: kubectl restorehooks apply, or retry',
    });
  }
  // A run that took over, and never began, has closed it for good.
  if (read?.replay.closedBy !== undefined) return;
  await KubernetesJournal.close(client, clock, place, read, by);
}

/** Say where the run is known that it can't go on; then fail. */
async function failed(
  client: Client,
  { runID, input, ownJob }: RunToTake,
  error: unknown,
  nobodyRuns: boolean,
): Promise<never> {
  if (!(error instanceof RestoreHooksError)) throw error;
  if (error.code !== 'FORBIDDEN' && error.code !== 'DENIED' && error.code !== 'RUN_FAILED') throw error;
  const { namespace, name } = input.plan.restore;
  const failure = { code: error.code === 'FORBIDDEN' ? 'forbidden' : 'error', message: error.message } as const;
  try {
    await markFailed(client, { namespace, name, runID }, failure, { nobodyRuns, ownJob });
  } catch (second) {
    if (!(second instanceof RestoreHooksError)) throw second;
  }
  throw error;
}
