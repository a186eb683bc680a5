import { RestoreHooksError } from '../../shared/core/errors.ts';
import { nothingToRun, refuseAfterGivingUp } from '../../shared/core/plan/nothing-to-run.ts';
import type { NoticeCode } from '../../shared/core/plan/notice.ts';
import { explainPod } from '../../shared/core/plan/plan-restore-hooks.ts';
import type { PlannedRun, PlanRequest } from '../../shared/core/plan/plan-run.ts';
import { planRun, refuseWhileBusy } from '../../shared/core/plan/plan-run.ts';
import { hasWorkedOn } from '../../shared/core/plan/velero.ts';
import { readInput } from '../../shared/input/files.ts';
import { readHookFiles } from '../../shared/input/hooks.ts';
import { planFlags } from '../../shared/input/run-flags.ts';
import { filenameArg, kubeArgs, outputArg } from '../command-line/args.ts';
import { backupArgs, namesBackup } from '../command-line/backup-args.ts';
import type { CommandResult } from '../command-line/command.ts';
import { defineCommand } from '../command-line/command.ts';
import { namespaceOf, usage, withCluster } from '../command-line/session.ts';
import { givenPods, requireOneOrigin } from '../input/given.ts';
import { fileInput, liveInput } from '../input/plan-input.ts';
import { planView } from '../output/plan-view.ts';

export const plan = defineCommand({
  args: {
    ...planFlags,
    explain: { type: 'string', value: 'POD', description: "Explain for each hook why it matches this pod or doesn't" },
    ...filenameArg,
    ...backupArgs,
    ...outputArg(['json', 'yaml', 'wide', 'name']),
    ...kubeArgs,
  },
  positionals: { restore: { description: 'Name of the Restore', optional: true } },
  examples: [
    ['plan nightly', 'the hooks that apply would run for the Restore nightly'],
    ['plan nightly --explain shop/web-0', "why hooks match a pod or don't"],
    ['plan nightly -o json > plan.json', 'a plan to review, and to run with apply -f plan.json'],
    ['plan nightly -f pods.yaml', 'the same, with the pods that apply would create from a file'],
    ['plan -f restore.yaml -f pods/', 'without a cluster: a Restore and the pods of its backup'],
    [
      'plan -f restore.yaml --backup-archive nightly-data.tar.gz',
      'the same, with the archive that velero backup download has fetched',
    ],
    ['plan nightly --from-backup nightly', 'before the restore has created pods: with those of its Backup'],
  ],
  details: 'Changes nothing. The timeouts are those that will count; (default) marks those that nobody has set.',
  exitCodes: [0, 2, 4, 5, 6],
  docs: 'docs/runs.md',

  async run(args, context): Promise<CommandResult> {
    const { restore } = args;
    const isOfBackup = namesBackup(args, [...args.filename, ...args.hooks]);
    const isOffline = restore === undefined && (isOfBackup || args.filename.length > 0);
    if (isOffline) {
      if (args.selector !== undefined || args.allNamespaces || args.podNamespace.length > 0) {
        throw usage('--selector, --all-namespaces and --pod-namespace find pods in a cluster; here they are given');
      }
    }
    if (isOffline && isOfBackup) {
      const { backupInput } = await import('../input/backup-input.ts');
      return show(await backupInput(args, context), args);
    }
    if (isOffline) {
      const input = await fileInput(args.filename, args, namespaceOf(args, context), context);
      if (input.kind === 'plan') return { view: planView(input.plan) };
      return show(input.request, args);
    }
    if (restore === undefined)
      throw usage('RESTORE is missing', 'usage: kubectl restorehooks plan RESTORE, or plan -f FILE');
    const hookFiles = await readHookFiles(args.hooks, context);
    const input = await readInput(args.filename, context);
    requireOneOrigin(input.objects, isOfBackup);
    const request = await withCluster(args, context, async (session) => {
      const { runnerNamespaces } = await import('../run/preconditions.ts');
      const live = await liveInput(session, restore, args, hookFiles, await runnerNamespaces(session));
      const given = await givenPods({ args, input, isOfBackup }, session, live.restore, context);
      if (given === undefined) return live;
      const { withGivenPods } = await import('../input/given-pods.ts');
      return withGivenPods(session.client, live, given);
    });
    return show(request, args);
  },
});

function show(
  request: PlanRequest,
  { explain, force }: { explain: string | undefined; force: boolean },
): CommandResult {
  if (explain !== undefined) return { view: { kind: 'text', text: explanation(request, explain) } };
  const planned = planRun(request);
  const view = planView(planned.document);
  const refusal = whyApplyRefuses(planned, request, force);
  // A plan changes nothing, so it can always be shown; that apply would refuse it belongs to it (R7.1).
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
