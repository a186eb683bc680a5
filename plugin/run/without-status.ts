import { ledgerOf } from '../../shared/core/ledger/ledger.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import { rowDocuments } from '../../shared/core/report/hook-row.ts';
import type { RunHook } from '../../shared/core/report/run-document.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { sanitizeLine } from '../../shared/core/sanitize.ts';
import { runsOf } from '../../shared/kubernetes/run/run-place.ts';
import { readRuns } from '../../shared/kubernetes/run/runs-of-restore.ts';
import type { Session } from '../command-line/session.ts';
import type { Context } from '../process/context.ts';
import { asDead } from './dead-run.ts';

/** The last run of a Restore that has lost its annotations, as its report and its journal tell it (R6.1.2, R7.29). */
export async function withoutStatus(
  session: Session,
  context: Context,
  restore: Restore,
): Promise<{ readonly status: RunStatus; readonly rows: readonly RunHook[] } | undefined> {
  const reference = runsOf(restore, session);
  const { clock, stderr } = context;
  const { last } = ledgerOf(await readRuns(session.client, clock, reference, restore), clock.now());
  if (last === undefined) return undefined;
  const { run, standing } = last;
  const { runNamespace } = reference;
  const status = { ...last.status, ...(runNamespace && { runNamespace }) };
  stderr.write(`warning: the annotations of run ${status.runID} are gone: it is told by its report and its journal\n`);
  for (const line of run?.record.unreadable ?? []) stderr.write(`warning: ${sanitizeLine(line)}\n`);
  const rows = rowDocuments(run?.rows);
  if (standing.state === 'going') return { status, rows: rowDocuments(run?.record.report) };
  return standing.state === 'died' ? asDead(session, context, reference, status, rows) : { status, rows };
}
