import { RestoreHooksError } from '../../shared/core/errors.ts';
import { nothingToRun, refuseAfterGivingUp } from '../../shared/core/plan/nothing-to-run.ts';
import type { PlannedRun, PlanRequest } from '../../shared/core/plan/plan-run.ts';
import { planRun, refuseWhileBusy } from '../../shared/core/plan/plan-run.ts';
import type { CommandResult } from '../command-line/command.ts';
import type { Session } from '../command-line/session.ts';
import { usage } from '../command-line/session.ts';
import { planView } from '../output/plan-view.ts';
import type { View } from '../output/view.ts';
import type { Context } from '../process/context.ts';

export interface ShowFlags {
  readonly explain: readonly string[];
  /** The file of a saved plan; empty: the last run. */
  readonly diff: string | undefined;
  readonly force: boolean;
}

/** The plan, or with `--explain` what gives these pods their hooks, and why `apply` would refuse the plan if it would. */
export async function showPlan(
  request: PlanRequest,
  flags: ShowFlags,
  context: Context,
  session?: Session,
): Promise<CommandResult> {
  const planned = planRun(request);
  const view = await viewOf(planned, request, flags, context, session);
  const refusal = whyApplyRefuses(planned, request, flags.force);
  // A plan changes nothing, so it is always shown. That apply would refuse it is a part of it (R7.1).
  if (refusal === undefined || view.kind !== 'document') return { view };
  const told = new Set(planned.document.notices.map(({ message }) => message));
  const untold = (text = '') => text.split('\n').filter((line) => !told.has(line));
  const lines = `apply would refuse: ${untold(refusal.message).join('\n')} (${untold(refusal.hint).join('\n')})`;
  return { view: { ...view, human: [...view.human, ...lines.split('\n')] } };
}

async function viewOf(
  planned: PlannedRun,
  request: PlanRequest,
  { explain, diff }: ShowFlags,
  context: Context,
  session: Session | undefined,
): Promise<View> {
  if (explain.length > 0) return explained(request, explain, session);
  if (diff === undefined) return planView(planned.document);
  const { diffAgainstFile, diffAgainstLastRun } = await import('./diff-plan.ts');
  if (diff !== '') return diffAgainstFile(planned.document, diff, context);
  if (session !== undefined) return diffAgainstLastRun(planned, request, session, context);
  throw usage('--diff compares with the last run, and without RESTORE none is known', 'give a saved plan: --diff=FILE');
}

/** R7.2 */
async function explained(request: PlanRequest, names: readonly string[], session: Session | undefined): Promise<View> {
  const [{ explain }, { explainView }, { podsToExplain }] = await Promise.all([
    import('../../shared/core/plan/explain.ts'),
    import('../output/explain-view.ts'),
    import('./find-pods.ts'),
  ]);
  return explainView(explain(request, await podsToExplain(request, names, session?.client)));
}

function whyApplyRefuses(planned: PlannedRun, request: PlanRequest, force: boolean): RestoreHooksError | undefined {
  try {
    refuseWhileBusy(request.restore, force);
    refuseAfterGivingUp(planned, request);
  } catch (error) {
    if (error instanceof RestoreHooksError) return error;
    throw error;
  }
  return nothingToRun(planned, request, false);
}
