import * as z from 'zod';
import { RestoreHooksError } from '../core/errors.ts';
import type { Restore } from '../core/model/restore.ts';
import type { Earlier } from '../core/report/decide.ts';
import { rowsOfDeadRun } from '../core/report/decide.ts';
import type { RunStatus } from '../core/report/run-status.ts';
import { hasEnded } from '../core/report/run-status.ts';
import { sanitizeLine } from '../core/sanitize.ts';
import type { KubeClient } from './client.ts';
import { paths } from './paths.ts';
import { readReport, runStatusOf } from './run-store.ts';

/** How long a launcher may need between writing the run down and creating its Job. */
const LAUNCH_MS = 60_000;

/** The Restore's last run with what is known of each hook, or undefined where there has been none. */
export async function earlierRun(
  client: Pick<KubeClient, 'get'>,
  namespace: string,
  restore: Restore,
  now: number,
): Promise<Earlier | undefined> {
  const status = runStatusOf(restore);
  if (status === undefined) return undefined;
  const [rows, died] = await Promise.all([
    readReport(client, { namespace, name: restore.metadata.name }, status),
    hasDied(client, namespace, status, now),
  ]);
  // What has no end in the report of a run that is over never got one: its runner died.
  const isOver = died || hasEnded(status);
  // One that never began (its Job could not start) changes nothing of what is known from before.
  if (isOver && status.reportParts === 0 && status.before !== undefined) {
    const known = await readReport(client, { namespace, name: restore.metadata.name }, status.before);
    return { status, died: false, neverBegan: true, rows: rowsOfDeadRun(known, true) };
  }
  return { status, died, rows: isOver ? rowsOfDeadRun(rows, status.runner.claimedBy !== undefined) : rows };
}

/** Whether a run's Job is over although the run is not (contract §5). Of a local run nobody can tell. */
export async function hasDied(
  client: Pick<KubeClient, 'get'>,
  namespace: string,
  status: RunStatus,
  now: number,
): Promise<boolean> {
  if (hasEnded(status) || status.runner.kind === 'local') return false;
  try {
    const job = await client.get(paths.jobs(namespace, status.runner.name));
    const { conditions = [] } = (job['status'] ?? {}) as { conditions?: { type: string; status: string }[] };
    return conditions.some(({ type, status: is }) => (type === 'Failed' || type === 'Complete') && is === 'True');
  } catch (error) {
    if (!(error instanceof RestoreHooksError) || error.code !== 'NOT_FOUND') throw error;
    return status.runner.claimedBy !== undefined || now - Date.parse(status.createdAt) > LAUNCH_MS;
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
