import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { RunDocument } from '../../shared/core/report/run-document.ts';
import { readPlan } from '../../shared/kubernetes/run/read-plan.ts';
import type { KubeArguments } from '../command-line/session.ts';
import { withCluster } from '../command-line/session.ts';
import type { Context } from '../process/context.ts';
import type { ReportInput } from './report.ts';

/** The plan of a run as it stands in the cluster, or why it isn't there: the report is made without it (R7.41). */
export async function planOfRun(
  { restore, runID, runner }: RunDocument,
  args: KubeArguments,
  context: Context,
): Promise<Pick<ReportInput, 'plan' | 'noPlan'>> {
  if (runID === undefined) return {};
  if (runner?.kind === 'local') return { noPlan: 'a local run leaves no plan in the cluster' };
  try {
    const plan = await withCluster(args, context, ({ client }) => readPlan(client, restore, runID));
    return plan === undefined ? { noPlan: 'it is gone from the cluster, where it stays as long as the Job' } : { plan };
  } catch (error) {
    if (!(error instanceof RestoreHooksError)) throw error;
    return { noPlan: error.message };
  }
}
