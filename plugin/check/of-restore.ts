import { decideApply } from '../../shared/core/ledger/decide-apply.ts';
import type { Decision } from '../../shared/core/ledger/decision.ts';
import type { Ledger } from '../../shared/core/ledger/ledger.ts';
import { ledgerOf } from '../../shared/core/ledger/ledger.ts';
import type { HookEntrySpec, Restore } from '../../shared/core/model/restore.ts';
import { nothingToRun, refuseAfterGivingUp } from '../../shared/core/plan/nothing-to-run.ts';
import type { PlannedRun } from '../../shared/core/plan/plan-run.ts';
import { planRun, refuseWhileBusy } from '../../shared/core/plan/plan-run.ts';
import { phaseNotices } from '../../shared/core/plan/velero.ts';
import { isOverdue } from '../../shared/core/report/run-status.ts';
import { holderOf } from '../../shared/kubernetes/run/lease.ts';
import { runsOf } from '../../shared/kubernetes/run/run-place.ts';
import { readRuns } from '../../shared/kubernetes/run/runs-of-restore.ts';
import type { Session } from '../command-line/session.ts';
import type { PlanFlags } from '../input/plan-input.ts';
import { liveInput } from '../input/plan-input.ts';
import { count, summary } from '../output/plan-view.ts';
import type { Context } from '../process/context.ts';
import { requirePodRights, runnerNamespaces } from '../run/preconditions.ts';
import { insteadText } from '../run/run-teller.ts';
import type { Check, Found } from './checks.ts';
import { check, ok, problem, warning } from './checks.ts';

export interface RestoreArguments extends PlanFlags {
  readonly serviceAccount: string;
}

/** What stands in the way of a run of this Restore: Velero, earlier runs, its pods and hooks. */
export async function restoreChecks(
  session: Session,
  restore: Restore,
  args: RestoreArguments,
  hookFiles: readonly HookEntrySpec[] | undefined,
  context: Context,
): Promise<Check[]> {
  const { client, namespace } = session;
  const { clock } = context;
  const reference = runsOf(restore, session);
  const at = `${restore.metadata.name} -n ${namespace}`;
  const ledger = readRuns(client, clock, reference, restore);
  // Each check that needs it tells its error.
  ledger.catch(() => undefined);
  return Promise.all([
    check('restore', async () => phaseOf(restore, args.force)),
    check('earlier-runs', async () => lastRun(ledgerOf(await ledger, clock.now()), at)),
    check('lease', async () => {
      const holder = await holderOf(client, clock, reference, false);
      if (holder === undefined) return ok('nobody holds the Lease of this Restore');
      return ok(`${holder.name} holds the Lease, for run ${holder.runID ?? 'of an unknown id'}`);
    }),
    check('plan', async () => {
      const namespaces = await runnerNamespaces(session);
      const request = await liveInput(session, restore.metadata.name, args, hookFiles, namespaces);
      const planned = planRun(request);
      refuseAfterGivingUp(planned, request);
      const plan = { digest: planned.document.digest, hooks: planned.hooks };
      const runs = ledgerOf(await ledger, clock.now(), plan);
      if (planned.hooks.length === 0) {
        const why = nothingToRun(planned, request, false);
        if (why !== undefined && runs.last === undefined) throw why;
        return ok(why?.message ?? 'the Restore has no hooks: apply creates nothing');
      }
      const notes = await requirePodRights(session, reference, args.serviceAccount, planned.hooks);
      return planOf(planned, decideApply(runs, plan), runs, { at, notes });
    }),
  ]);
}

function phaseOf(restore: Restore, force: boolean): Found {
  const { name, deletionTimestamp } = restore.metadata;
  if (deletionTimestamp) return problem(`Restore ${name} is being deleted`, 'make it again when it is gone');
  refuseWhileBusy(restore, force);
  const [notice] = phaseNotices(restore);
  const phase = restore.status?.phase || 'none';
  return notice === undefined ? ok(`Restore ${name}: phase ${phase}`) : warning(notice.message);
}

function lastRun({ last, attempts }: Ledger, at: string): Found {
  if (last === undefined) return ok('there was no run yet');
  const { status, standing } = last;
  const { runID, phase, runner } = status;
  const said = `${count(attempts, 'run')}; the last is ${runID}: ${phase}`;
  if (standing.state === 'going') return ok(`${said}, at work (${runner.kind} ${runner.name})`);
  if (standing.state === 'ended') return ok(said);
  const why = isOverdue(status) ? 'its deadline has passed' : 'its runner died';
  return warning(`${said}, but ${why}`, `go on with it: kubectl restorehooks retry ${at}`);
}

function planOf(
  { document }: PlannedRun,
  decision: Decision,
  { last }: Ledger,
  { at, notes }: { readonly at: string; readonly notes: readonly string[] },
): Found {
  const planned = summary(document);
  const runID = last?.status.runID;
  switch (decision.action) {
    case 'start': {
      const more = [
        ...(decision.kept.length > 0 ? [`${decision.kept.length} of them kept from earlier runs`] : []),
        ...decision.quiet.map(({ namespace, pod, until = 'ever' }) => `${namespace}/${pod} is quiet until ${until}`),
        ...(document.notices.length > 0 ? [`${count(document.notices.length, 'notice')}: see plan`] : []),
        ...notes,
      ];
      return ok(`apply would run ${[planned, ...more].join('; ')}`);
    }
    case 'follow':
      return ok(`${planned}; run ${runID} of this plan is going, and apply would follow it`);
    case 'show':
      return ok(`${planned}; run ${runID} has run this plan, and apply would show it`);
    case 'write-down-dead-run':
      return warning(
        `${planned}; nothing is left to run of run ${runID}, whose runner died`,
        `see it: kubectl restorehooks status ${at}`,
      );
    case 'refuse':
      return problem(decision.why, insteadText(decision.instead, at));
    case 'unclear': {
      const which = decision.runs.map(({ record }) => record.runID).join(', ');
      const startOver = `if its hooks may run again: kubectl restorehooks apply ${at} --again`;
      return problem(`what run ${which} did isn't known, so apply would start nothing`, startOver);
    }
  }
}
