import { RestoreHooksError } from '../core/errors.ts';
import type { Restore } from '../core/model/restore.ts';
import type { Earlier } from '../core/report/decide.ts';
import { rowsOfDeadRun } from '../core/report/decide.ts';
import type { RunStatus } from '../core/report/run-status.ts';
import { hasEnded } from '../core/report/run-status.ts';
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
