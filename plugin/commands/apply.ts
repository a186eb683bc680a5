import { applyArgs } from '../command-line/apply-args.ts';
import type { CommandResult } from '../command-line/command.ts';
import { defineCommand } from '../command-line/command.ts';
import { requireRunnerFlags, withCluster } from '../command-line/session.ts';

export const apply = defineCommand({
  args: applyArgs,
  positionals: { restore: { description: 'Name of the Restore', optional: true } },
  examples: [
    ['apply nightly', "run the Restore's hooks in a Job and follow it"],
    ['apply nightly --runner=local', 'run them from this machine, with your own rights'],
    ['apply -f plan.json', 'run a saved plan, exactly as it was reviewed'],
    ['apply nightly -f pods.yaml', 'create the pods of a file that have init hooks, with the init containers in them'],
    ['apply nightly --from-backup nightly', 'the same, with the pods of its Backup'],
    ['apply nightly --rerun --only shop/web-0', 'run the hooks of one pod again that Velero has run'],
    ['apply nightly --wait-for-restore=2h', 'wait until Velero is done with the Restore, then run its hooks'],
    ['apply nightly --deadline=1h', 'end the run after an hour; apply goes on with what is left'],
    ['apply nightly --dry-run=client', 'print every object, and create none'],
  ],
  details:
    'Running it twice runs no hook twice: apply follows a run that is going on, and shows one that has ended. ' +
    'Ctrl-C ends the following, not the run.',
  exitCodes: [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 130, 143],
  docs: 'docs/results.md',

  async run({ restore: given, ...args }, context): Promise<CommandResult> {
    context.stop.limit(context.clock, args.timeout);
    // Loaded here, because shell completion needs only the flags, and soon.
    const [{ readHookFiles }, { readJobPatch }, { applyInput }, { Application }, { settled }] = await Promise.all([
      import('../../shared/input/hooks.ts'),
      import('../../shared/input/job-patch.ts'),
      import('../input/saved-plan.ts'),
      import('../run/application.ts'),
      import('../run/job-settings.ts'),
    ]);
    const input = await applyInput(given, args, context);
    requireRunnerFlags(args);
    const hookFiles = await readHookFiles(args.hooks, context);
    const patches = await readJobPatch(args.jobPatch, context);
    return withCluster({ ...args, namespace: input.namespace }, context, async (session) => {
      const { defaultRunNamespace, ...settings } = await settled(session, args, patches, context);
      const place = { ...session, defaultRunNamespace };
      return new Application(place, input, settings, context, hookFiles).run();
    });
  },
});
