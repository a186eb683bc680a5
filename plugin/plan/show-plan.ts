import { RestoreHooksError } from '../../shared/core/errors.ts';
import { nothingToRun, refuseAfterGivingUp } from '../../shared/core/plan/nothing-to-run.ts';
import type { NoticeCode } from '../../shared/core/plan/notice.ts';
import { explainPod } from '../../shared/core/plan/plan-restore-hooks.ts';
import type { PlannedRun, PlanRequest } from '../../shared/core/plan/plan-run.ts';
import { planRun, refuseWhileBusy } from '../../shared/core/plan/plan-run.ts';
import { hasWorkedOn } from '../../shared/core/plan/velero.ts';
import type { CommandResult } from '../command-line/command.ts';
import { usage } from '../command-line/session.ts';
import { planView } from '../output/plan-view.ts';

/** The plan and, if `apply` would refuse it, why; or, with `--explain`, why hooks match one pod or don't. */
export function showPlan(
  request: PlanRequest,
  { explain, force }: { explain: string | undefined; force: boolean },
): CommandResult {
  if (explain !== undefined) return { view: { kind: 'text', text: explanation(request, explain) } };
  const planned = planRun(request);
  const view = planView(planned.document);
  const refusal = whyApplyRefuses(planned, request, force);
  // A plan changes nothing, so it is always shown. That apply would refuse it is a part of it (R7.1).
  if (refusal === undefined || view.kind !== 'document') return { view };
  const told = new Set(planned.document.notices.map(({ message }) => message));
  const untold = (text = '') => text.split('\n').filter((line) => !told.has(line));
  const lines = `apply would refuse: ${untold(refusal.message).join('\n')} (${untold(refusal.hint).join('\n')})`;
  return { view: { ...view, human: [...view.human, ...lines.split('\n')] } };
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

const LEAVES_OUT: ReadonlySet<string> = new Set(['pod-not-restored', 'velero-gave-up'] satisfies NoticeCode[]);

function explanation(request: PlanRequest, wanted: string): string {
  const pods = request.pods.filter(
    ({ metadata: { namespace, name } }) => wanted === name || wanted === `${namespace}/${name}`,
  );
  const skipped = request.skipped?.find(({ namespace, pod }) => wanted === pod || wanted === `${namespace}/${pod}`);
  if (pods.length === 0) {
    const why =
      skipped === undefined
        ? `is not among the pods that ${request.selector.labelSelector} finds`
        : `is skipped: ${skipped.reason}`;
    throw usage(`pod ${wanted} ${why}`, 'give it as NAMESPACE/POD; is it labelled, and in the Restore at all?');
  }
  const withoutVelerosHooks = hasWorkedOn(request.restore) && !request.rerun;
  const { hooks, document } = planRun({ ...request, only: [] });
  const lines = pods.flatMap((pod) => {
    const { namespace, name } = pod.metadata;
    const isIt = (of: { readonly namespace?: string | undefined; readonly pod?: string | undefined }) =>
      of.namespace === namespace && of.pod === name;
    const why = document.notices.find((notice) => isIt(notice) && LEAVES_OUT.has(notice.code));
    const explained =
      why === undefined || hooks.some(isIt)
        ? explainPod({ ...request, withoutVelerosHooks }, pod)
        : [why.message, 'planned: nothing'];
    return [`${namespace}/${name}`, ...explained.map((line) => `  ${line}`)];
  });
  return `${lines.join('\n')}\n`;
}
