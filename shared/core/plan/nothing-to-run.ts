import { RestoreHooksError } from '../errors.ts';
import type { NoticeCode } from './notice.ts';
import type { PlannedRun, PlanRequest } from './plan-run.ts';
import { has, isByLabel } from './plan-run.ts';
import { hookEntriesOf } from './sources.ts';

/** Refuse to run anything beside a Velero that has given up waiting for its hooks (R1.24). */
export function refuseAfterGivingUp(planned: PlannedRun, request: PlanRequest): void {
  if (!request.force && has(planned.document.notices, 'velero-gave-up')) throw gaveUpError(planned, request);
}

/** Why there is nothing to run, as an error with its exit code; undefined where that is in order (R1.15). */
export function nothingToRun(
  planned: PlannedRun,
  request: PlanRequest,
  allowNoMatch: boolean,
): RestoreHooksError | undefined {
  if (planned.hooks.length > 0) return undefined;
  const { notices } = planned.document;
  const { pods, restore, hookFiles } = request;
  if (pods.length > 0 && has(notices, 'velero-has-run')) return hasRunError(planned, request); // R1.21
  if (allowNoMatch) return undefined;
  if (pods.length === 0) return noPodError(planned, request);
  const commands = commandsOf(request);
  if (has(notices, 'pod-not-restored')) {
    const count = notices.filter(({ code }) => code === 'pod-not-restored').length;
    const which = count === 1 ? 'the pod that has hooks was' : `the ${count} pods that have hooks were`;
    return new RestoreHooksError(
      'NO_POD_MATCHED',
      `${which} there before Restore ${restore.metadata.name}, which has restored nothing in ${count === 1 ? 'it' : 'them'}`,
      { hint: `take ${count === 1 ? 'it' : 'them'} in: ${commands.apply} --include-existing; or add --allow-no-match` },
    );
  }
  const entries = hookEntriesOf(restore, hookFiles, request.sources).entries.map(({ spec }) => spec);
  const hasHooks = entries.some(({ postHooks }) => postHooks.some(({ exec, init }) => exec || init));
  if (!hasHooks) return undefined;
  return new RestoreHooksError(
    'NO_POD_MATCHED',
    `Restore ${restore.metadata.name} has hooks, but none of them matches a pod (${request.selector.labelSelector})`,
    { hint: `see why: ${commands.plan} --explain POD; or add --allow-no-match` },
  );
}

/** The commands that go on with a request, with the pods that it has selected. */
function commandsOf(request: PlanRequest): { readonly plan: string; readonly apply: string } {
  const { restore, namespace, selector } = request;
  const places = selector.namespaces?.map((each) => ` --pod-namespace ${each}`).join('') ?? ' -A';
  const pods = isByLabel(request) ? '' : ` -l '${selector.labelSelector}'${places}`;
  const at = `${restore.metadata.name} -n ${namespace}${pods}`;
  return { plan: `kubectl restorehooks plan ${at}`, apply: `kubectl restorehooks apply ${at}` };
}

function hasRunError({ document }: PlannedRun, request: PlanRequest): RestoreHooksError {
  const ran = document.notices.filter(({ code }) => code === 'velero-has-run').length;
  const { plan, apply } = commandsOf(request);
  return new RestoreHooksError(
    'RUN_BY_ANOTHER',
    `Velero has worked on Restore ${request.restore.metadata.name} and may have run its ${ran === 1 ? 'hook' : `${ran} hooks`}`,
    { hint: `see them: ${plan} --rerun\nrun them again: ${apply} --rerun [--only HOOK|POD]` },
  );
}

const MOST_NAMED = 5;

function gaveUpError({ document }: PlannedRun, request: PlanRequest): RestoreHooksError {
  const { metadata, status } = request.restore;
  const gaveUp = document.notices.filter(({ code }) => code === 'velero-gave-up');
  const lines = gaveUp
    .slice(0, MOST_NAMED)
    .map(({ namespace, pod, message }) => (pod === undefined ? message : `${namespace}/${pod}: ${message}`));
  if (gaveUp.length > lines.length) lines.push(`${gaveUp.length - lines.length} more pods: plan lists them`);
  const { plan, apply } = commandsOf(request);
  return new RestoreHooksError(
    'RUN_BY_ANOTHER',
    `Velero has given up waiting for the hooks of Restore ${metadata.name} (${status?.phase} at ${status?.completionTimestamp}, no hookStatus): they may be running, or be started, right now\n${lines.join('\n')}`,
    {
      hint: `wait until then and look into the pods for what runs; then see what is left: ${plan} --force --rerun\nand run it: ${apply} --force [--rerun] [--only HOOK|POD]`,
    },
  );
}

const WHY_NOTHING: readonly string[] = [
  'restore-refused',
  'restore-failed',
  'velero-is-stopped',
] satisfies NoticeCode[];

/** No pod is never in order by itself: what hooks a Restore's pods have in annotations can't be known without them. */
function noPodError({ document }: PlannedRun, request: PlanRequest): RestoreHooksError {
  const { restore, selector } = request;
  const { name } = restore.metadata;
  const where = selector.namespaces === undefined ? 'any namespace' : `namespace ${selector.namespaces.join(', ')}`;
  const refused = document.notices.find(({ code }) => WHY_NOTHING.some((why) => why === code));
  const without = document.notices.filter(({ code }) => code === 'pods-without-label');
  const { plan } = commandsOf(request);
  const { backupName } = restore.spec;
  const hints = [
    ...without.map(({ message }) => message),
    ...(isByLabel(request)
      ? ['to select pods without the label: -l SELECTOR with -A or --pod-namespace NAMESPACE']
      : []),
    ...(backupName && isByLabel(request) ? [`the pods of its backup: ${plan} --from-backup ${backupName}`] : []),
    'if the Restore is meant to have no pods: --allow-no-match',
  ];
  return new RestoreHooksError(
    'NO_POD_MATCHED',
    `no pod of Restore ${name} was found: none in ${where} has ${selector.labelSelector}${refused === undefined ? '' : `\n${refused.message}`}`,
    { hint: hints.join('\n') },
  );
}
