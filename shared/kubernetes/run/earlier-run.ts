import * as z from 'zod';
import { RestoreHooksError, SUSPENDED_EXIT_CODE } from '../../core/errors.ts';
import { rowsOfDeadRun } from '../../core/ledger/rows-of-run.ts';
import { objectsNamespace } from '../../core/manifests/run-objects.ts';
import { COMPLETION_INDEX } from '../../core/names.ts';
import type { RunPlace } from '../../core/plan/make-plan-document.ts';
import type { RestoreReference } from '../../core/plan/plan-document.ts';
import type { HookRow } from '../../core/report/hook-row.ts';
import { outputOf, parseRow, rowDocuments } from '../../core/report/hook-row.ts';
import type { RunHook } from '../../core/report/run-document.ts';
import type { RunStatus } from '../../core/report/run-status.ts';
import { hasEnded } from '../../core/report/run-status.ts';
import { sanitizeLine } from '../../core/sanitize.ts';
import type { Clock } from '../../ports/ports.ts';
import type { KubeClient } from '../api/client.ts';
import { paths } from '../api/paths.ts';
import { holderOf } from './lease.ts';
import { readRunJournal } from './run-journal.ts';

/** How long a launcher may need between writing the run down and creating its Job. */
const LAUNCH_MS = 60_000;

/** What is needed to find the journal of a run that is over. */
interface LastRun {
  readonly runID: string;
  readonly planDigest: string;
  readonly planned: number;
  readonly shards: number;
  readonly wasClaimed: boolean;
}

const lastRun = ({ runID, planDigest, counts, runner, shards }: RunStatus): LastRun => ({
  runID,
  shards: shards?.length ?? 1,
  planDigest,
  planned: counts.planned,
  wasClaimed: runner.claimedBy !== undefined,
});

/** The rows of a run that is over, also where its report is incomplete. What hooks have printed stays with them. */
export async function knownRows(
  client: Pick<KubeClient, 'get'>,
  clock: Clock,
  reference: RestoreReference,
  status: RunStatus,
  rows: readonly RunHook[],
): Promise<RunHook[]> {
  const printed = new Map(rows.map((row) => [row.id, outputOf(row)]));
  const known = await journaledRows(client, clock, reference, lastRun(status), rows.map(parseRow));
  return rowDocuments(known).map((row) => ({ ...row, ...printed.get(row.id) }));
}

/** The rows of a run that is over: those of its report, and what the journal adds to them, if it can be read. */
async function journaledRows(
  client: Pick<KubeClient, 'get'>,
  clock: Clock,
  reference: RestoreReference,
  { runID, planDigest, planned, shards, wasClaimed }: LastRun,
  rows: readonly HookRow[],
): Promise<HookRow[]> {
  // A journal names hooks by their position in the plan, so it can't be matched with an incomplete report.
  if (rows.length < planned) return rowsOfDeadRun(rows, undefined, wasClaimed, clock.now());
  try {
    const head = { runID, planDigest, hooks: planned };
    const journal = await readRunJournal(client, reference, head, shards);
    return rowsOfDeadRun(rows, journal, wasClaimed, clock.now());
  } catch (error) {
    const isUnreadable = error instanceof RestoreHooksError && ['FORBIDDEN', 'RUN_FAILED'].includes(error.code);
    if (!isUnreadable) throw error;
    return rowsOfDeadRun(rows, undefined, wasClaimed, clock.now());
  }
}

/**
 * Whether a run has stopped without an end (R5.21): its Job is over or gone, or nobody holds the Lease of a local run.
 * `patient`: watch the holder of the Lease until it is clear whether it is alive.
 */
export async function hasDied(
  client: Pick<KubeClient, 'get' | 'listAll'>,
  clock: Clock,
  restore: RestoreReference,
  status: RunStatus,
  patient = false,
): Promise<boolean> {
  if (hasEnded(status)) return false;
  const mayBeLaunching =
    status.runner.claimedBy === undefined && clock.now() - Date.parse(status.createdAt) <= LAUNCH_MS;
  if (status.runner.kind === 'local') {
    if (mayBeLaunching) return false;
    try {
      return (await holderOf(client, clock, restore, patient))?.runID !== status.runID;
    } catch (error) {
      if (error instanceof RestoreHooksError && error.code === 'FORBIDDEN') return false;
      throw error;
    }
  }
  const isGoing = await isJobGoing(client, restore, status.runner.name);
  if (isGoing === undefined) return !mayBeLaunching;
  return !isGoing || (await isLeftToOthers(client, clock, restore, status.runner.name));
}

/** How long all containers of a runner's pod may take to end, once they are asked to; and more, as clocks differ. */
const ALL_END_MS = 90_000;

/**
 * Whether a Job's runner is dead while a container beside it lives on. The Job starts another pod only when that one has
 * ended, which may be never (R8.27). A caller who may not list pods can't tell; then the runner is taken to be alive.
 */
async function isLeftToOthers(
  client: Pick<KubeClient, 'listAll'>,
  clock: Clock,
  restore: RunPlace,
  job: string,
): Promise<boolean> {
  try {
    const { items } = await client.listAll(paths.pods(objectsNamespace(restore)), { labelSelector: ofJob(job) });
    const pods = items.flatMap((pod) => RunnerPod.safeParse(pod).data ?? []);
    const alive = pods.filter(
      (pod) => (pod.status.phase === 'Pending' || pod.status.phase === 'Running') && !isShardDone(pod),
    );
    return (
      alive.length > 0 &&
      alive.every(({ metadata, status: { containerStatuses } }) => {
        const runner = runnerEnd(containerStatuses);
        const isBeside = containerStatuses?.some(({ name, state }) => name !== 'runner' && state.running) ?? false;
        const endedAt = Date.parse(runner?.finishedAt ?? '');
        return !metadata.deletionTimestamp && isBeside && clock.now() - endedAt > ALL_END_MS;
      })
    );
  } catch (error) {
    if (error instanceof RestoreHooksError && error.code === 'FORBIDDEN') return false;
    throw error;
  }
}

const runnerEnd = (containers: RunnerPod['status']['containerStatuses']) =>
  containers?.find(({ name }) => name === 'runner')?.state.terminated;

/** One of several shards has come to its end, and says nothing of the others, whatever lives on beside its runner. */
const isShardDone = ({ metadata: { annotations }, status: { containerStatuses } }: RunnerPod): boolean =>
  annotations?.[COMPLETION_INDEX] !== undefined && runnerEnd(containerStatuses)?.exitCode === 0;

const ofJob = (job: string): string => `batch.kubernetes.io/job-name=${job}`;

/** Whether a Job is neither complete nor failed; undefined: there is no such Job. */
export async function isJobGoing(
  client: Pick<KubeClient, 'get'>,
  restore: RunPlace,
  name: string,
): Promise<boolean | undefined> {
  try {
    const job = await client.get(paths.jobs(objectsNamespace(restore), name));
    const { conditions = [] } = (job['status'] ?? {}) as { conditions?: { type: string; status: string }[] };
    return !conditions.some(({ type, status: is }) => (type === 'Failed' || type === 'Complete') && is === 'True');
  } catch (error) {
    if (!(error instanceof RestoreHooksError) || error.code !== 'NOT_FOUND') throw error;
    return undefined;
  }
}

/** Why a runner ended, by its pod's status: `exit code 2: …`, `OOMKilled, exit code 137`; undefined: unknown. */
export async function causeOfDeath(
  client: Pick<KubeClient, 'listAll'>,
  restore: RunPlace,
  { runner }: RunStatus,
): Promise<string | undefined> {
  try {
    const { items } = await client.listAll(paths.pods(objectsNamespace(restore)), {
      labelSelector: ofJob(runner.name),
    });
    const containers = items.flatMap((pod) => RunnerPod.safeParse(pod).data?.status.containerStatuses ?? []);
    const ends = containers.flatMap(({ name, state }) => (state.terminated ? [{ name, ...state.terminated }] : []));
    // A Job by hand may call it otherwise. One of several shards may have done its part, or was asked to end with the Job.
    const isOwn = ({ name }: { readonly name: string }): number => Number(name === 'runner');
    const terminated = ends.sort((one, other) => isOwn(other) - isOwn(one) || blame(other) - blame(one))[0];
    if (!terminated) return undefined;
    const { exitCode, reason, message } = terminated;
    const words = lastReason(message ?? '');
    const how = reason && reason !== 'Error' ? `${reason}, exit code ${exitCode}` : `exit code ${exitCode}`;
    return words === undefined ? how : `${how}: ${words}`;
  } catch (error) {
    // The cause only adds to the result, so the result is shown without it.
    if (error instanceof RestoreHooksError) return undefined;
    throw error;
  }
}

const blame = ({ exitCode }: { readonly exitCode: number }): number =>
  exitCode === 0 ? 0 : exitCode === SUSPENDED_EXIT_CODE ? 1 : 2;

/** The reason in the last JSON line of the runner's log. */
function lastReason(log: string): string | undefined {
  for (const line of log.trimEnd().split('\n').reverse()) {
    try {
      const { reason } = LogLine.parse(JSON.parse(line));
      return sanitizeLine(reason.split('\n')[0] ?? '');
    } catch {
      // Cut off, or not a line of our log: try the line before.
    }
  }
  return undefined;
}

const LogLine = z.object({ reason: z.string() });
const RunnerPod = z.object({
  metadata: z.object({
    deletionTimestamp: z.string().nullish(),
    annotations: z.record(z.string(), z.string()).nullish(),
  }),
  status: z.object({
    phase: z.string().nullish(),
    containerStatuses: z
      .array(
        z.object({
          name: z.string(),
          state: z.object({
            running: z.looseObject({}).nullish(),
            terminated: z
              .object({
                exitCode: z.number(),
                reason: z.string().nullish(),
                message: z.string().nullish(),
                finishedAt: z.string().nullish(),
              })
              .nullish(),
          }),
        }),
      )
      .nullish(),
  }),
});
type RunnerPod = z.infer<typeof RunnerPod>;
