import { decideApply } from '../../shared/core/ledger/decide-apply.ts';
import type { Ledger } from '../../shared/core/ledger/ledger.ts';
import { ledgerOf } from '../../shared/core/ledger/ledger.ts';
import { API_VERSION } from '../../shared/core/names.ts';
import { hookDocument } from '../../shared/core/plan/make-plan-document.ts';
import type { PlanDocument } from '../../shared/core/plan/plan-document.ts';
import type { PlannedRun, PlanRequest } from '../../shared/core/plan/plan-run.ts';
import type { HookRow } from '../../shared/core/report/hook-row.ts';
import type { HookChange, PlanDifference } from '../../shared/core/report/plan-difference.ts';
import { hookChanges } from '../../shared/core/report/plan-difference.ts';
import { readInput } from '../../shared/input/files.ts';
import { runsOf } from '../../shared/kubernetes/run/run-place.ts';
import { readRuns } from '../../shared/kubernetes/run/runs-of-restore.ts';
import type { Session } from '../command-line/session.ts';
import { usage } from '../command-line/session.ts';
import { savedPlanIn } from '../input/plan-input.ts';
import { differenceView } from '../output/difference-view.ts';
import type { View } from '../output/view.ts';
import type { Context } from '../process/context.ts';

/** What has changed since a plan was saved in `file` (R7.52). Both must be of the same Restore. */
export async function diffAgainstFile(plan: PlanDocument, file: string, context: Context): Promise<View> {
  const { objects } = await readInput([file], context);
  const saved = await savedPlanIn(objects);
  if (saved === undefined || objects.length > 1) {
    throw usage(`--diff ${file} is not one saved plan`, 'make it with: kubectl restorehooks plan RESTORE -o json');
  }
  const nameOf = ({ restore: { namespace, name } }: PlanDocument): string => `${namespace}/${name}`;
  if (nameOf(saved) !== nameOf(plan)) {
    throw usage(`${file} is a plan of Restore ${nameOf(saved)}, not of ${nameOf(plan)}`, 'give a plan of this Restore');
  }
  return differenceView(differenceOf(plan, { digest: saved.digest }, hookChanges(saved.hooks, plan.hooks)), file);
}

/** What has changed since the last run, and which results stand, so that `apply` would not run their hooks again. */
export async function diffAgainstLastRun(
  { hooks, document }: PlannedRun,
  { restore }: PlanRequest,
  session: Session,
  { clock }: Context,
): Promise<View> {
  const now = clock.now();
  const plan = { digest: document.digest, hooks };
  const ledger = ledgerOf(await readRuns(session.client, clock, runsOf(restore, session), restore), now, plan);
  const run = ledger.runs.at(-1);
  if (run === undefined) return differenceView(differenceOf(document, {}, hookChanges([], document.hooks)));
  const kept = keptRows(ledger, plan, run.rows);
  const changes = hookChanges(earlierHooks(ledger), document.hooks).map((change) => {
    const row = kept.get(change.id);
    if (row === undefined) return change;
    const { state, reason, run: number } = row;
    return { ...change, kept: { state, ...(reason !== undefined && { reason }), run: number } };
  });
  const { runID, planDigest } = run.record;
  const last = new Set<string>(run.rows.map(({ hook }) => hook.id));
  return differenceView(
    differenceOf(
      document,
      { runID, ...(planDigest !== undefined && { digest: planDigest }) },
      changes.filter(({ id, change }) => change !== 'gone' || last.has(id)),
    ),
  );
}

/** Each hook as the last run that had it has planned it. */
function earlierHooks({ runs }: Ledger) {
  const rows = runs.flatMap((run) => run.rows);
  return [...new Map(rows.map(({ hook }) => [hook.id, hookDocument(hook)])).values()];
}

/** The rows that `apply` would keep, as `apply` itself decides that. */
function keptRows(
  ledger: Ledger,
  plan: Parameters<typeof decideApply>[1],
  rows: readonly HookRow[],
): ReadonlyMap<string, HookRow> {
  const decision = decideApply(ledger, plan);
  const kept = decision.action === 'start' ? decision.kept : decision.action === 'unclear' ? [] : rows;
  return new Map(kept.map((row) => [row.hook.id, row]));
}

const differenceOf = (
  { restore, digest }: PlanDocument,
  against: PlanDifference['against'],
  hooks: HookChange[],
): PlanDifference => ({ apiVersion: API_VERSION, kind: 'RestoreHookPlanDifference', restore, digest, against, hooks });
