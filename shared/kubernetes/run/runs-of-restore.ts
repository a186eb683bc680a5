import type { RunStanding } from '../../core/ledger/last-run.ts';
import type { RunsOfRestore } from '../../core/ledger/ledger.ts';
import type { RunRecord } from '../../core/ledger/run-record.ts';
import type { Restore } from '../../core/model/restore.ts';
import { runName } from '../../core/names.ts';
import type { RestoreReference } from '../../core/plan/plan-document.ts';
import type { RunHook } from '../../core/report/run-document.ts';
import { joinReport } from '../../core/report/run-document.ts';
import type { RunStatus } from '../../core/report/run-status.ts';
import { hasEnded, isOverdue } from '../../core/report/run-status.ts';
import type { Clock } from '../../ports/ports.ts';
import { sideBySide } from '../api/side-by-side.ts';
import { hasDied, isJobGoing } from './earlier-run.ts';
import { findRuns } from './find-runs.ts';
import { holderOf } from './lease.ts';
import type { RunsClient } from './own-objects.ts';
import { unlessForbidden } from './own-objects.ts';
import type { DatedRun } from './read-run.ts';
import { readReport, readRun } from './read-run.ts';
import { runStatusOf } from './run-store.ts';

/**
 * All runs of a Restore, as their journals and reports stand in the cluster, in the order in which they were made, and
 * how the last one stands (R6.1.2). They are found also where the Restore's annotations are gone, or were copied from
 * another Restore. A runner may read journals, but no Secret: for it `journalsAlone` leaves the reports out.
 */
export async function readRuns(
  client: RunsClient,
  clock: Clock,
  reference: RestoreReference,
  restore: Restore,
  { journalsAlone = false }: { readonly journalsAlone?: boolean } = {},
): Promise<RunsOfRestore> {
  const status = runStatusOf(restore);
  const found = await findRuns(client, reference, status, !journalsAlone);
  const source = { client, reference, status, found, journalsAlone };
  const runs = await sideBySide(found.runIDs, (runID) => readRun(source, runID));
  const standing = runs.filter(({ record }) => found.inStatus.includes(record.runID) || leftAnything(record));
  standing.sort(byAge(status?.runID));
  const newest = standing.at(-1)?.record;
  const last = await standingOf(client, clock, reference, status, newest, !journalsAlone);
  return { records: standing.map(({ record }) => record), last };
}

/** The rows of one run's report, with what the hooks printed. */
export async function readReportOf(
  client: RunsClient,
  reference: RestoreReference,
  restore: Restore,
  runID: string,
): Promise<RunHook[]> {
  const status = runStatusOf(restore);
  const found = await findRuns(client, reference, status, true);
  const expected = [status, status?.before].find((each) => each?.runID === runID);
  return joinReport(
    (await readReport({ client, reference, status, found, journalsAlone: false }, runID, expected)).parts,
  );
}

/** The Lease also names runs whose objects have been removed since. */
const leftAnything = ({ journal, report, unreadable }: RunRecord): boolean =>
  journal !== undefined || report.length + unreadable.length > 0;

/**
 * The run that the status names is the last. The others are ordered by when their first object was created; those of
 * the same second, in which the API server counts, by their attempt.
 */
const byAge =
  (last: string | undefined) =>
  (one: DatedRun, other: DatedRun): number => {
    const isLast = Number(one.record.runID === last) - Number(other.record.runID === last);
    if (isLast !== 0) return isLast;
    if (one.createdAt !== other.createdAt) return one.createdAt < other.createdAt ? -1 : 1;
    return one.record.attempt - other.record.attempt || one.place - other.place;
  };

/** The state of the last run: by its status, or without a status by its Job and the Restore's Lease. */
async function standingOf(
  client: RunsClient,
  clock: Clock,
  reference: RestoreReference,
  status: RunStatus | undefined,
  newest: RunRecord | undefined,
  patient: boolean,
): Promise<RunStanding | undefined> {
  if (status !== undefined) {
    const { runID } = status;
    // What a run left at its deadline is gone on with as after a runner that died (R7.83).
    if (hasEnded(status)) return { runID, status, state: isOverdue(status) ? 'died' : 'ended' };
    return { runID, status, state: (await hasDied(client, clock, reference, status, patient)) ? 'died' : 'going' };
  }
  if (newest === undefined) return undefined;
  const { runID, planned, report } = newest;
  const isOpen = report.some(({ state }) => state === 'Waiting' || state === 'Running');
  // The report is complete. Its runner and Job may still exist for some seconds.
  if (!isOpen && report.length > 0 && report.length === planned) return { runID, state: 'ended' };
  const [holder, hasJob] = await Promise.all([
    unlessForbidden(holderOf(client, clock, reference), undefined),
    unlessForbidden(isJobGoing(client, reference, runName(reference.name, runID)), false),
  ]);
  if (holder?.runID === runID || hasJob) return { runID, state: 'going' };
  return { runID, state: isOpen ? 'died' : 'ended' };
}
