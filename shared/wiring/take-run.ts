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
import type { Shard } from '../core/model/shard.ts';
import { isFollower, shardsWithoutPods } from '../core/model/shard.ts';
import type { RestoreReference } from '../core/plan/plan-document.ts';
import type { RunInput } from '../core/report/run-input.ts';
import type { RunStatus } from '../core/report/run-status.ts';
import { hasEnded } from '../core/report/run-status.ts';
import type { KubeClient } from '../kubernetes/api/client.ts';
import { claimRun } from '../kubernetes/run/claim.ts';
import type { JournaledHook } from '../kubernetes/run/journal.ts';
import { KubernetesJournal } from '../kubernetes/run/journal.ts';
import type { JournalPlace, ReadJournal } from '../kubernetes/run/journal-reader.ts';
import { journalsOf, readJournal } from '../kubernetes/run/journal-reader.ts';
import type { HeldLease } from '../kubernetes/run/lease.ts';
import { holderOf, takeLease } from '../kubernetes/run/lease.ts';
import { markFailed } from '../kubernetes/run/mark-ended.ts';
import { runStatusOf } from '../kubernetes/run/run-store.ts';
import { createBoard, readBoard } from '../kubernetes/run/shard-board.ts';
import { getRestore } from '../kubernetes/velero/restores.ts';
import { pause } from '../ports/pause.ts';
import type { Clock } from '../ports/ports.ts';
import type { TakenShard } from './shards.ts';
import { awaitFirstShard, inputOf, POLL_MS, statusOfShard, takeShard } from './shards.ts';

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
  /** Which shard of the run this runner carries out; absent: the run has one. */
  readonly shard?: Shard | undefined;
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
  /** Absent: the run has one shard. */
  readonly shard?: TakenShard | undefined;
}

export type Client = Pick<KubeClient, 'get' | 'create' | 'patch'>;

/**
 * Make a run, or a shard of it, this runner's own before it starts anything (R6.13): first the Lease, then the journal,
 * which fences off whoever had it, then the status. A run that has ended meanwhile is answered with its status.
 */
export async function takeRun(
  client: Client,
  clock: Clock,
  run: RunToTake,
): Promise<TakenRun | { readonly ended: RunStatus }> {
  const { runID, claimant, shard } = run;
  const { restore: reference } = run.input.plan;
  const input = shard === undefined ? run.input : inputOf(run.input, shard);
  if (isFollower(shard)) {
    const first = await awaitFirstShard(client, clock, { restore: reference, runID }, { ...run, restore: reference });
    if (first === 'asked') throw notTaken(run);
    if (first !== 'begun') return { ended: first };
  }
  const taken = await lease(client, clock, run);
  if ('ended' in taken) return taken;
  try {
    const ended = await endedHere(client, run);
    if (ended !== undefined) {
      await taken.lease.release();
      return { ended };
    }
    const standing = await statusNow(client, run);
    requireNotAsked(run);
    const journal = await takeJournal(client, clock, run, input, standing);
    requireNotAsked(run);
    const { restore, status } = isFollower(shard)
      ? await runOfFollower(client, clock, run)
      : await claimRun(client, { ...at(run), runID }, claimant.id, run.unwritten);
    const own = { restore, input, lease: taken.lease, ...journal };
    if (shard === undefined) return { ...own, status };
    const about = { input: run.input, shard, attempt: status.attempt };
    const place = await takeShard(client, clock, { restore: reference, runID }, about);
    return { ...own, status: statusOfShard(status, place), shard: place };
  } catch (error) {
    // While the Lease is held nobody else is at work, but for other shards.
    const why = await failed(client, run, error, shard === undefined).catch((reason: unknown) => reason);
    await taken.lease.release();
    throw why;
  }
}

const at = ({ input }: RunToTake) => ({ namespace: input.plan.restore.namespace, name: input.plan.restore.name });

async function statusNow(client: Client, run: RunToTake): Promise<RunStatus | undefined> {
  const { namespace, name } = at(run);
  return runStatusOf(await getRestore(client, namespace, name));
}

async function endedHere(client: Client, run: RunToTake): Promise<RunStatus | undefined> {
  const status = await statusNow(client, run);
  return status?.runID === run.runID && hasEnded(status) ? status : undefined;
}

async function lease(
  client: Client,
  clock: Clock,
  run: RunToTake,
): Promise<{ readonly lease: HeldLease } | { readonly ended: RunStatus }> {
  const { runID, input, claimant, shard } = run;
  let ended: RunStatus | undefined;
  const taken = await takeLease(
    client,
    clock,
    { restore: input.plan.restore, runID, holder: claimant.name, shard },
    {
      isOver: async () => {
        if (run.giveUpAt !== undefined && clock.now() >= run.giveUpAt) {
          throw new RestoreHooksError('TIMEOUT', `another runner of run ${runID} is still at work`);
        }
        ended = await endedHere(client, run);
        return ended !== undefined;
      },
      ...(run.warn && { warn: run.warn }),
      signal: run.signal,
    },
  ).catch((error: unknown) => failed(client, run, error, false));
  if (taken !== undefined) return { lease: taken };
  if (ended !== undefined) return { ended };
  throw notTaken(run);
}

/** The run as the first shard has claimed it, which also writes a status again that somebody has removed. */
async function runOfFollower(
  client: Client,
  clock: Clock,
  run: RunToTake,
): Promise<Pick<TakenRun, 'restore' | 'status'>> {
  const { namespace, name } = at(run);
  for (;;) {
    const restore = await getRestore(client, namespace, name);
    const status = runStatusOf(restore);
    if (status?.runID === run.runID && !hasEnded(status)) return { restore, status };
    if (status !== undefined) {
      throw new RestoreHooksError('RUN_BY_ANOTHER', `run ${run.runID} of Restore ${name} is over; nothing is started`);
    }
    await pause(clock, POLL_MS);
    requireNotAsked(run);
  }
}

const notTaken = ({ runID }: RunToTake): RestoreHooksError =>
  new RestoreHooksError('INTERRUPTED', `asked to end before run ${runID} was begun; nothing is started`);

function requireNotAsked(run: RunToTake): void {
  if (run.signal?.aborted) throw notTaken(run);
}

const empty = (hooks: RunInput['hooks'], shard: Shard): Pick<JournalHead, 'withoutPods'> =>
  isFollower(shard) ? {} : { withoutPods: shardsWithoutPods(hooks, shard.of) };

export const journalPlace = (
  { plan, hooks }: Pick<RunInput, 'plan' | 'hooks'>,
  runID: string,
  shard?: Shard,
): JournalPlace => ({
  restore: plan.restore,
  head: { runID, planDigest: plan.digest, hooks: hooks.length, ...(shard && { shard, ...empty(hooks, shard) }) },
});

async function takeJournal(
  client: Client,
  clock: Clock,
  { runID, input: whole, onUnknown, shard }: RunToTake,
  input: RunInput,
  standing: RunStatus | undefined,
): Promise<{ journal: KubernetesJournal; runner: number; resumed: Resumed }> {
  const { hooks } = whole;
  const place = journalPlace(whole, runID, shard);
  const read = await readJournal(client, place);
  if (read === undefined) {
    const wasClaimed = isFollower(shard)
      ? (await readBoard(client, { restore: input.plan.restore, runID }))?.taken.has(shard?.index ?? 0)
      : standing?.runID === runID && standing.runner.claimedBy !== undefined;
    if (wasClaimed) {
      throw new RestoreHooksError('RUN_FAILED', `the journal of run ${runID} is gone: what has been run isn't known`);
    }
    // A journal without a board means that somebody has deleted the board: it isn't made anew.
    if (shard?.index === 0) await createBoard(client, { restore: input.plan.restore, runID }, shard.of);
    // The first shard begins the run: it closes the dead run for all.
    if (input.takesOver !== undefined && !isFollower(shard)) {
      await takeOver(client, clock, input, input.takesOver, runID);
    }
    // What earlier runs have left in a shard that no runner ever takes stands in the first one's journal (R3.88).
    const { resumed, entries } = begin(isFollower(shard) ? input : whole, hooks, clock.now());
    const journal = await KubernetesJournal.take(client, clock, place, hooks, undefined, entries);
    return { journal, runner: 1, resumed: ofShard(resumed, input) };
  }
  if (read.replay.closedBy !== undefined) {
    throw new RestoreHooksError('RUN_BY_ANOTHER', `run ${read.replay.closedBy} has taken over from run ${runID}`);
  }
  const { resumed, entries } = resume(read.replay, hooks, onUnknown, clock.now());
  const journal = await KubernetesJournal.take(client, clock, place, hooks, read, entries);
  return { journal, runner: read.replay.claims + 1, resumed: ofShard(resumed, input) };
}

/** Of what earlier runs have left, that which this shard goes on with. */
function ofShard(resumed: Resumed, { hooks }: RunInput): Resumed {
  const ids = new Set(hooks.map(({ id }) => id));
  const own = <T>(left: ReadonlyMap<HookId, T> = new Map()): ReadonlyMap<HookId, T> =>
    new Map([...left].filter(([id]) => ids.has(id)));
  return { ...resumed, lost: own(resumed.lost), begun: own(resumed.begun) };
}

/** A new run, which may know of commands that an earlier one has left. */
function begin({ lost = [], begun = [] }: RunInput, hooks: readonly JournaledHook[], now: Instant) {
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
  { plan: { restore } }: RunInput,
  { runID, shards = 1, batches, ...of }: NonNullable<RunInput['takesOver']>,
  by: string,
): Promise<void> {
  const places = journalsOf(restore, { runID, ...of }, shards);
  await requireNoShard(client, clock, restore, runID, shards);
  const journals = await Promise.all(places.map(async (place) => ({ place, read: await readJournal(client, place) })));
  const isDone = (read: ReadJournal | undefined): boolean => read?.replay.closedBy === by;
  const now = journals.reduce((sum, { read }) => sum + (read?.end.batches ?? 0) - Number(isDone(read)), 0);
  if (now !== batches && !journals.every(({ read }) => isDone(read))) {
    throw new RestoreHooksError('RUN_BY_ANOTHER', `run ${runID} has gone on meanwhile; nothing is started`, {
      hint: 'decide again: kubectl restorehooks apply, or retry',
    });
  }
  for (const { place, read } of journals) {
    // A run that took over, and never began, has closed it for good.
    if (read?.replay.closedBy === undefined) await KubernetesJournal.close(client, clock, place, read, by);
  }
}

/** The first shard's Lease is this runner's by now; the others may outlive it while their pods end (R8.50). */
async function requireNoShard(
  client: Client,
  clock: Clock,
  restore: RestoreReference,
  runID: string,
  shards: number,
): Promise<void> {
  const followers = Array.from({ length: shards - 1 }, (_, index) => ({ index: index + 1, of: shards }));
  const holders = await Promise.all(followers.map((shard) => holderOf(client, clock, restore, true, shard)));
  const alive = holders.find((holder) => holder?.runID === runID);
  if (alive === undefined) return;
  throw new RestoreHooksError('RUN_BY_ANOTHER', `${alive.name} still works on run ${runID}; nothing is started`, {
    hint: 'it may be waiting for running hooks to end; try again in a minute',
  });
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
