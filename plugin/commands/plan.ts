import type { PlanDocument } from '../../shared/core/plan/plan-document.ts';
import { readInput } from '../../shared/input/files.ts';
import { readHookFiles } from '../../shared/input/hooks.ts';
import { planFlags } from '../../shared/input/run-flags.ts';
import { filenameArg, kubeArgs, outputArg, runNamespaceArg } from '../command-line/args.ts';
import { backupArgs, namesBackup } from '../command-line/backup-args.ts';
import type { CommandResult } from '../command-line/command.ts';
import { defineCommand } from '../command-line/command.ts';
import { namespaceOf, usage, withCluster } from '../command-line/session.ts';
import { givenPods, requireOneOrigin } from '../input/given.ts';
import { fileInput, liveInput } from '../input/plan-input.ts';
import { planView } from '../output/plan-view.ts';
import type { View } from '../output/view.ts';
import type { ShowFlags } from '../plan/show-plan.ts';
import { showPlan } from '../plan/show-plan.ts';
import type { Context } from '../process/context.ts';

export const plan = defineCommand({
  args: {
    ...planFlags,
    explain: {
      type: 'strings',
      value: 'POD',
      description: 'Explain what gives this pod (NAMESPACE/POD or POD) its hooks, source by source; can be repeated',
    },
    diff: {
      type: 'string',
      value: 'FILE',
      bare: '',
      description: 'Show what has changed since the last run, or since the plan that was saved in FILE (--diff=FILE)',
    },
    ...filenameArg,
    ...backupArgs,
    ...outputArg(['json', 'yaml', 'wide', 'name']),
    ...runNamespaceArg,
    ...kubeArgs,
  },
  positionals: { restore: { description: 'Name of the Restore', optional: true } },
  examples: [
    ['plan nightly', 'the hooks that apply would run for the Restore nightly'],
    ['plan nightly --explain shop/web-0', 'why the pod has its hooks, or has none'],
    [
      'plan nightly -o wide --hooks order.yaml',
      'hooks of your own: their waves, and what is tried again or runs in one pod',
    ],
    ['plan nightly --diff', 'what is new, gone or changed since the last run, and what would not run again'],
    ['plan nightly --diff=plan.json', 'the same since a plan was saved'],
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
  exitCodes: [0, 2, 4, 5, 6, 130, 143],
  docs: 'docs/plan.md',

  async run(args, context): Promise<CommandResult> {
    const { restore } = args;
    requireOneView(args);
    const isOfBackup = namesBackup(args, [...args.filename, ...args.hooks]);
    const isOffline = restore === undefined && (isOfBackup || args.filename.length > 0);
    if (isOffline) {
      if (args.selector !== undefined || args.allNamespaces || args.podNamespace.length > 0) {
        throw usage('--selector, --all-namespaces and --pod-namespace find pods in a cluster; here they are given');
      }
    }
    if (isOffline && isOfBackup) {
      const { backupInput } = await import('../input/backup-input.ts');
      return showPlan(await backupInput(args, context), args, context);
    }
    if (isOffline) {
      const input = await fileInput(args.filename, args, namespaceOf(args, context), context);
      if (input.kind === 'plan') {
        if (args.explain.length > 0)
          throw usage('a saved plan has hooks and no reasons', 'explain it with its Restore');
        return { view: await savedView(input.plan, args.diff, context) };
      }
      return showPlan(input.request, args, context);
    }
    if (restore === undefined)
      throw usage('RESTORE is missing', 'usage: kubectl restorehooks plan RESTORE, or plan -f FILE');
    const hookFiles = await readHookFiles(args.hooks, context);
    const input = await readInput(args.filename, context);
    requireOneOrigin(input.objects, isOfBackup);
    return withCluster(args, context, async (session) => {
      const { runnerNamespaces } = await import('../run/preconditions.ts');
      const live = await liveInput(session, restore, args, hookFiles, await runnerNamespaces(session));
      const given = await givenPods({ args, input, isOfBackup }, session, live.restore, context);
      if (given === undefined) return showPlan(live, args, context, session);
      const { withGivenPods } = await import('../input/given-pods.ts');
      return showPlan(await withGivenPods(session.client, live, given), args, context, session);
    });
  },
});

function requireOneView({ restore, explain, diff }: { restore: string | undefined } & Omit<ShowFlags, 'force'>): void {
  if (diff === undefined) return;
  if (explain.length > 0) throw usage('give either --explain or --diff, not both');
  if (diff === '' && restore !== undefined && /\.(json|ya?ml)$/.test(restore)) {
    throw usage(`--diff takes a file only as --diff=FILE; ${restore} was read as RESTORE`, `write --diff=${restore}`);
  }
}

async function savedView(plan: PlanDocument, diff: string | undefined, context: Context): Promise<View> {
  if (diff === undefined) return planView(plan);
  if (diff === '') throw usage('a saved plan can be compared only with another one', 'give it: --diff=FILE');
  const { diffAgainstFile } = await import('../plan/diff-plan.ts');
  return diffAgainstFile(plan, diff, context);
}
