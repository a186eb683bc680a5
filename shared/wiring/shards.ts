import { RestoreHooksError } from '../core/errors.ts';
import type { Counts } from '../core/execute/state.ts';
import { rowsOfDeadRun } from '../core/ledger/rows-of-run.ts';
import { podKey } from '../core/model/hook.ts';
import type { Instant } from '../core/model/instant.ts';
import { planEntries } from '../core/model/position.ts';
import type { Shard } from '../core/model/shard.ts';
import { isFollower, shardOfPods, shardsWithoutPods } from '../core/model/shard.ts';
import { countRows } from '../core/report/dead-run.ts';
import type { HookRow } from '../core/report/hook-row.ts';
import { rowDocuments } from '../core/report/hook-row.ts';
import { wavesOf } from '../core/report/open-wave.ts';
import type { RunHook } from '../core/report/run-document.ts';
import type { RunInput } from '../core/report/run-input.ts';
import type { RunStatus } from '../core/report/run-status.ts';
import { hasEnded } from '../core/report/run-status.ts';
import type { ShardStatus } from '../core/report/shard-status.ts';
import { unbegunShards } from '../core/report/shard-status.ts';
import type { KubeClient } from '../kubernetes/api/client.ts';
import type { ReportOfShard } from '../kubernetes/run/run-store.ts';
import { runStatusOf } from '../kubernetes/run/run-store.ts';
import type { BoardPlace } from '../kubernetes/run/shard-board.ts';
import { KubernetesShardBoard, readBoard } from '../kubernetes/run/shard-board.ts';
import { getRestore } from '../kubernetes/velero/restores.ts';
import { pause } from '../ports/pause.ts';
import type { Clock } from '../ports/ports.ts';
import { ROWS_AT_ONCE } from '../runtime/rows.ts';
import type { ShardOfRun } from '../runtime/shards.ts';

export const POLL_MS = 1_000;

type Client = Pick<KubeClient, 'get' | 'create' | 'patch'>;

/** What of a run one shard carries out. The pods to create stay whole: their Secrets have the numbers that pods have there. */
export function inputOf(input: RunInput, { index, of }: Shard): RunInput {
  const shards = shardOfPods(input.hooks, of);
  const isOwn = ({ namespace, pod }: { readonly namespace: string; readonly pod: string }): boolean =>
    shards.get(podKey(namespace, pod)) === index;
  const hooks = input.hooks.filter(isOwn);
  const ids = new Set<string>(hooks.map(({ id }) => id));
  const isOwnHook = ({ id }: { readonly id: string }): boolean => ids.has(id);
  return {
    ...input,
    hooks,
    kept: input.kept.filter(({ hook }) => ids.has(hook.id)),
    ...(input.lost && { lost: input.lost.filter(isOwnHook) }),
    ...(input.begun && { begun: input.begun.filter(isOwnHook) }),
  };
}

/** A shard that a runner has taken. */
export interface TakenShard extends ShardOfRun, ReportOfShard {
  readonly shard: Shard;
}

/** Take a shard's place on the board: from now on this runner speaks for it. */
export async function takeShard(
  client: Client,
  clock: Clock,
  place: BoardPlace,
  { input, shard, attempt }: { readonly input: RunInput; readonly shard: Shard; readonly attempt: number },
): Promise<TakenShard> {
  const { board, read } = await KubernetesShardBoard.take(client, clock, place, shard);
  const kept = new Set<string>(input.kept.map(({ hook }) => hook.id));
  const open = input.hooks.filter(({ id }) => !kept.has(id));
  return {
    shard,
    index: shard.index,
    outline: isFollower(shard) ? undefined : () => outlineOf(input, shard.of, attempt),
    ifUntaken: () => countsIfUntaken(input, shard.of, clock.now()),
    standing: unbegunShards(input, shard.of).map((unbegun, index) => read.standing.get(index) ?? unbegun),
    waves: wavesOf(input.hooks),
    openPods: new Set(open.map(({ namespace, pod }) => podKey(namespace, pod))).size,
    board,
  };
}

/** The rows of all hooks, before any shard has begun. */
function* outlineOf(input: RunInput, of: number, run: number): Generator<RunHook[]> {
  const rows = rowsBefore(input, of, run);
  for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
    yield rowDocuments(rows.slice(from, from + ROWS_AT_ONCE));
  }
}

function rowsBefore({ hooks, kept, starts = {} }: RunInput, of: number, run: number): HookRow[] {
  const shards = shardOfPods(hooks, of);
  const rows = new Map(kept.map((row) => [row.hook.id, row]));
  return hooks.map((hook): HookRow => {
    const message = `waiting for shard ${shards.get(podKey(hook.namespace, hook.pod))} of ${of} to begin`;
    return rows.get(hook.id) ?? { hook, state: 'Waiting', message, run, attempt: (starts[hook.id] ?? 0) + 1 };
  });
}

/** Readers of a run that is over tell so of rows that have not ended. */
function countsIfUntaken(input: RunInput, of: number, now: Instant): Counts[] {
  const shards = shardOfPods(input.hooks, of);
  const left = new Set([...(input.lost ?? []), ...(input.begun ?? [])].map(({ id }) => id));
  const lost = new Map([...planEntries(input.hooks)].flatMap(([at, { id }]) => (left.has(id) ? [[at, now]] : [])));
  const rows = rowsOfDeadRun(rowsBefore(input, of, 1), { hooks: new Map(), lost }, true, now);
  const byShard = Map.groupBy(rows, ({ hook: { namespace, pod } }) => shards.get(podKey(namespace, pod)));
  return Array.from({ length: of }, (_, index) => countRows(byShard.get(index) ?? []));
}

/** How the shard stood when this runner took it. */
export const takenFrom = ({ index, standing }: ShardOfRun): ShardStatus | undefined => standing[index];

/** The status of this run with what this shard's runners before have reported. */
export function statusOfShard(status: RunStatus, taken: ShardOfRun): RunStatus {
  const { outputBytes: _, notices: __, ...run } = status;
  const { reportParts = 0, outputBytes, notices } = takenFrom(taken) ?? {};
  return {
    ...run,
    reportParts,
    ...(outputBytes !== undefined && { outputBytes }),
    ...(notices && { notices }),
  };
}

export interface RunOfShard {
  readonly runID: string;
  readonly restore: { readonly namespace: string; readonly name: string };
  readonly signal?: AbortSignal | undefined;
}

/** The status of this run if it has ended. Rejects if the Restore has another run. */
export async function endOfRun(
  client: Pick<KubeClient, 'get'>,
  { runID, restore }: RunOfShard,
): Promise<RunStatus | undefined> {
  const status = runStatusOf(await getRestore(client, restore.namespace, restore.name));
  if (status !== undefined && status.runID !== runID) {
    throw new RestoreHooksError(
      'RUN_BY_ANOTHER',
      `Restore ${restore.name} has run ${status.runID} now; nothing is started`,
    );
  }
  return status !== undefined && hasEnded(status) ? status : undefined;
}

/**
 * Wait until the first shard has begun the run (R8.43): then its journal and its report tell of all shards. Answers the
 * status of a run that has ended meanwhile; `asked`: this runner was asked to end.
 */
export async function awaitFirstShard(
  client: Pick<KubeClient, 'get'>,
  clock: Clock,
  place: BoardPlace,
  run: RunOfShard,
): Promise<'begun' | 'asked' | RunStatus> {
  for (;;) {
    if (run.signal?.aborted) return 'asked';
    try {
      const ended = await endOfRun(client, run);
      if (ended !== undefined) return ended;
      if ((await readBoard(client, place))?.standing.has(0)) return 'begun';
    } catch (error) {
      if (!(error instanceof RestoreHooksError) || error.code !== 'CLUSTER_UNREACHABLE') throw error;
    }
    await pause(clock, POLL_MS);
  }
}

/** A shard without pods has nothing to do; the first one still tells of the run. */
export const hasNothing = ({ hooks }: RunInput, { index, of }: Shard): boolean =>
  shardsWithoutPods(hooks, of).includes(index);
