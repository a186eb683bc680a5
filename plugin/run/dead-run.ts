import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import type { RestoreReference } from '../../shared/core/plan/plan-document.ts';
import { countRows, failedStatus } from '../../shared/core/report/dead-run.ts';
import type { RunHook } from '../../shared/core/report/run-document.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { causeOfDeath, hasDied, knownRows } from '../../shared/kubernetes/run/earlier-run.ts';
import { runsOf } from '../../shared/kubernetes/run/run-place.ts';
import type { Session } from '../command-line/session.ts';
import type { Context } from '../process/context.ts';

/** Whether the runner has died. A user who may not read Jobs can't tell; then the runner is taken to be alive. */
export async function hasDiedAsSeen(
  session: Session,
  clock: Context['clock'],
  restore: Restore,
  status: RunStatus,
  patient = false,
): Promise<boolean> {
  try {
    return await hasDied(session.client, clock, runsOf(restore, session), status, patient);
  } catch (error) {
    if (error instanceof RestoreHooksError && error.code === 'FORBIDDEN') return false;
    throw error;
  }
}

/**
 * The status and rows of a run whose runner died, as its journal tells them. Nothing is written (R5.21). A local run that was
 * suspended on purpose has not failed, and is not over until a next runner finds nothing to go on with (`isOver`).
 */
export async function asDead(
  { client }: Session,
  context: Context,
  restore: RestoreReference,
  status: RunStatus,
  rows: readonly RunHook[],
  isOver = false,
): Promise<{ status: RunStatus; rows: RunHook[] }> {
  const isSuspended = status.suspendedAt !== undefined && status.runner.kind === 'local';
  if (isSuspended && !isOver) return { status, rows: [...rows] };
  const known = await knownRows(client, context.clock, restore, status, rows);
  const cause = status.runner.kind === 'job' ? await causeOfDeath(client, restore, status) : undefined;
  const what =
    status.runner.kind === 'job'
      ? `its Job ${status.runner.name} is over, the run is not`
      : 'nobody holds the Lease of the Restore';
  const message = isSuspended
    ? `it was suspended at ${status.suspendedAt}, and what it left is for retry to run`
    : `the runner died${cause === undefined ? '' : ` (${cause})`}: ${what}`;
  const failed = failedStatus(status, { code: 'job', message });
  const counts = known.length === status.counts.planned ? countRows(known) : failed.counts;
  const finishedAt = known
    .flatMap((row) => row.finishedAt ?? [])
    .sort()
    .at(-1);
  return { status: { ...failed, counts, ...(finishedAt === undefined ? {} : { finishedAt }) }, rows: known };
}
