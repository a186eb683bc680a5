import * as z from 'zod';
import { RestoreHooksError } from '../core/errors.ts';
import type { Restore } from '../core/model/restore.ts';
import { rowsOfDeadRun } from '../core/report/dead-run.ts';
import type { Earlier } from '../core/report/decide.ts';
import type { RestoreReference } from '../core/report/plan-document.ts';
import type { ReportPart, RunHook } from '../core/report/run-document.ts';
import { joinReport } from '../core/report/run-document.ts';
import type { RunStatus } from '../core/report/run-status.ts';
import { hasEnded } from '../core/report/run-status.ts';
import { sanitizeLine } from '../core/sanitize.ts';
import type { Clock } from '../ports/ports.ts';
import type { KubeClient } from './client.ts';
import { readJournal } from './journal-reader.ts';
import { holderOf } from './lease.ts';
import { paths } from './paths.ts';
import { readReportParts, runStatusOf } from './run-store.ts';

/** How long a launcher may need between writing the run down and creating its Job. */
const LAUNCH_MS = 60_000;

/** The Restore's last run with what is known of each hook, or undefined where there has been none. */
export async function earlierRun(
  client: Pick<KubeClient, 'get'>,
  clock: Clock,
  reference: RestoreReference,
  restore: Restore,
): Promise<(Earlier & { readonly selector: ReportPart['selector'] }) | undefined> {
  const status = runStatusOf(restore);
  if (status === undefined) return undefined;
  const [report, died] = await Promise.all([
    readReportParts(client, reference, status),
    hasDied(client, clock, reference, status, true),
  ]);
  const { before } = status;
  // One that never began (its Job could not start) changes nothing of what is known from before.
  if ((died || hasEnded(status)) && status.reportParts === 0 && before !== undefined) {
    const known = await readReportParts(client, reference, before);
    const { attempt = status.attempt - 1, planDigest = status.planDigest, planned = 0 } = before;
    const last = { runID: before.runID, attempt, planDigest, planned, wasClaimed: true };
    const earlier = await overRows(client, clock, reference, last, joinReport(known));
    return { status, ...earlier, neverBegan: true, selector: known[0]?.selector };
  }
  const rows = joinReport(report);
  const selector = report[0]?.selector;
  if (!died && !hasEnded(status)) return { status, died, rows, selector };
  const earlier = await overRows(client, clock, reference, lastRun(status), rows);
  return { status, ...earlier, died, selector };
}

/** A run that is over, as far as its journal needs to be found. */
interface LastRun {
  readonly runID: string;
  readonly attempt: number;
  readonly planDigest: string;
  readonly planned: number;
  readonly wasClaimed: boolean;
}

const lastRun = ({ runID, attempt, planDigest, counts, runner }: RunStatus): LastRun => ({
  runID,
  attempt,
  planDigest,
  planned: counts.planned,
  wasClaimed: runner.claimedBy !== undefined,
});

/** What has no end in the report of a run that is over never got one: its runner died. */
async function overRows(
  client: Pick<KubeClient, 'get'>,
  clock: Clock,
  reference: RestoreReference,
  last: LastRun,
  report: readonly RunHook[],
): Promise<Pick<Earlier, 'rows' | 'died' | 'attempt' | 'takesOver'>> {
  const { runID, attempt, planDigest, planned } = last;
  const died = report.some(isOpen);
  const { rows, batches } = await journaledRows(client, clock, reference, last, report);
  const takesOver = batches === undefined ? {} : { takesOver: { runID, planDigest, hooks: planned, batches } };
  return { rows, died, attempt, ...takesOver };
}

const isOpen = ({ state }: RunHook): boolean => state === 'Waiting' || state === 'Running';

/** The rows of a run that is over, whatever its report has of them. */
export const knownRows = async (
  client: Pick<KubeClient, 'get'>,
  clock: Clock,
  reference: RestoreReference,
  status: RunStatus,
  rows: readonly RunHook[],
): Promise<RunHook[]> => (await journaledRows(client, clock, reference, lastRun(status), rows)).rows;

/** The rows of a run that is over: by its report, and where that ends by its journal, if it can be read. */
async function journaledRows(
  client: Pick<KubeClient, 'get'>,
  clock: Clock,
  reference: RestoreReference,
  { runID, planDigest, planned, wasClaimed }: LastRun,
  rows: readonly RunHook[],
): Promise<{ readonly rows: RunHook[]; readonly batches: number | undefined }> {
  try {
    const head = { runID, planDigest, hooks: planned };
    const journal = await readJournal(client, { restore: reference, head });
    // A claimed run without one has lost it.
    const batches = journal?.end.batches ?? (wasClaimed ? undefined : 0);
    return { rows: rowsOfDeadRun(rows, journal?.replay, wasClaimed, clock.now()), batches };
  } catch (error) {
    const isUnreadable = error instanceof RestoreHooksError && ['FORBIDDEN', 'RUN_FAILED'].includes(error.code);
    if (!isUnreadable) throw error;
    return { rows: rowsOfDeadRun(rows, undefined, wasClaimed, clock.now()), batches: undefined };
  }
}

/**
 * Whether a run is not going on although it hasn't ended (contract §5): its Job is over or gone; of a local run nobody
 * holds the Lease. `patient`: a local holder is watched until it is clear whether it lives.
 */
export async function hasDied(
  client: Pick<KubeClient, 'get'>,
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
  try {
    const job = await client.get(paths.jobs(restore.namespace, status.runner.name));
    const { conditions = [] } = (job['status'] ?? {}) as { conditions?: { type: string; status: string }[] };
    return conditions.some(({ type, status: is }) => (type === 'Failed' || type === 'Complete') && is === 'True');
  } catch (error) {
    if (!(error instanceof RestoreHooksError) || error.code !== 'NOT_FOUND') throw error;
    return !mayBeLaunching;
  }
}

/** The last words of a dead runner, as far as its pod still stands: `exit code 2: …`, `OOMKilled`; undefined: unknown. */
export async function causeOfDeath(
  client: Pick<KubeClient, 'listAll'>,
  namespace: string,
  { runner }: RunStatus,
): Promise<string | undefined> {
  const labelSelector = `batch.kubernetes.io/job-name=${runner.name}`;
  try {
    const { items } = await client.listAll(paths.pods(namespace), { labelSelector });
    const terminated = items
      .flatMap((pod) => DeadPod.safeParse(pod).data?.status.containerStatuses ?? [])
      .map(({ state }) => state.terminated)
      .find((end) => end !== undefined && end !== null);
    if (!terminated) return undefined;
    const { exitCode, reason, message } = terminated;
    const words = lastReason(message ?? '');
    const how = reason && reason !== 'Error' ? `${reason}, exit code ${exitCode}` : `exit code ${exitCode}`;
    return words === undefined ? how : `${how}: ${words}`;
  } catch (error) {
    // It is said beside the result: that it can't be learned is no reason to hide that.
    if (error instanceof RestoreHooksError) return undefined;
    throw error;
  }
}

/** The reason in the last JSON line of the runner's log. */
function lastReason(log: string): string | undefined {
  for (const line of log.trimEnd().split('\n').reverse()) {
    try {
      const { reason } = LogLine.parse(JSON.parse(line));
      return sanitizeLine(reason.split('\n')[0] ?? '');
    } catch {
      // Cut off at its beginning, or not one of ours: an earlier line may say more.
    }
  }
  return undefined;
}

const LogLine = z.object({ reason: z.string() });
const DeadPod = z.object({
  status: z.object({
    containerStatuses: z.array(
      z.object({
        state: z.object({
          terminated: z
            .object({ exitCode: z.number(), reason: z.string().nullish(), message: z.string().nullish() })
            .nullish(),
        }),
      }),
    ),
  }),
});
