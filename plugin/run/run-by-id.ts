import { statusOfRecord } from '../../shared/core/ledger/last-run.ts';
import type { Ledger } from '../../shared/core/ledger/ledger.ts';
import { ledgerOf } from '../../shared/core/ledger/ledger.ts';
import type { RunRecord } from '../../shared/core/ledger/run-record.ts';
import { neverBegan } from '../../shared/core/ledger/run-record.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import { rowDocuments } from '../../shared/core/report/hook-row.ts';
import type { RunDocument, RunHook } from '../../shared/core/report/run-document.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { sanitizeLine } from '../../shared/core/sanitize.ts';
import { runsOf } from '../../shared/kubernetes/run/run-place.ts';
import { readReportOf, readRuns } from '../../shared/kubernetes/run/runs-of-restore.ts';
import type { Session } from '../command-line/session.ts';
import { usage } from '../command-line/session.ts';
import type { Context } from '../process/context.ts';
import { runDocument } from './follow.ts';
import { withOutput } from './row-output.ts';

export interface FoundRun {
  readonly status: RunStatus;
  readonly rows: readonly RunHook[];
}

/**
 * A run of the Restore, as its report and its journal tell it (R7.54). Rejects with exit code 2 and the runs that there are
 * if nothing of such a run stands.
 */
export async function findRun(
  session: Session,
  { clock, stderr }: Context,
  restore: Restore,
  runID: string,
): Promise<FoundRun> {
  const reference = runsOf(restore, session);
  const ledger = ledgerOf(await readRuns(session.client, clock, reference, restore), clock.now());
  const record = ledger.records.find((each) => each.runID === runID);
  if (record === undefined) throw noSuchRun(restore, runID, ledger);
  for (const line of record.unreadable) stderr.write(`warning: ${sanitizeLine(line)}\n`);
  const rows = rowDocuments(ledger.runs.find((run) => run.record === record)?.rows ?? record.report);
  const { runNamespace } = reference;
  return { status: { ...statusOf(record, ledger), ...(runNamespace && { runNamespace }) }, rows };
}

export async function runById(
  session: Session,
  context: Context,
  restore: Restore,
  runID: string,
): Promise<RunDocument> {
  const { client, namespace } = session;
  const { status, rows } = await findRun(session, context, restore, runID);
  const reference = runsOf(restore, session);
  const shown = await withOutput(rows, () => readReportOf(client, reference, restore, runID));
  return runDocument(restore, namespace, status, shown);
}

function statusOf(record: RunRecord, { last, runs }: Ledger): RunStatus {
  if (last?.standing.runID === record.runID) return last.status;
  const rows = runs.find((run) => run.record === record)?.rows ?? [];
  const status = statusOfRecord(record, rows, 'ended');
  if (!neverBegan(record)) return status;
  const message = 'it started nothing, and left no report';
  return { ...status, phase: 'Failed', failure: { code: 'job', message } };
}

function noSuchRun(restore: Restore, runID: string, { records }: Ledger) {
  const { name } = restore.metadata;
  const runs = records.map(
    ({ runID: id, attempt, about }) => `${id} (attempt ${attempt}${about ? `, ${about.createdAt}` : ''})`,
  );
  return usage(
    `Restore ${name} has no run ${runID} of which anything is left`,
    runs.length === 0 ? 'nothing is left of any run' : `its runs, the oldest first: ${runs.join(', ')}`,
  );
}
