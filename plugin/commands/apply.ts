import { readHookFiles } from '../../shared/input/hooks.ts';
import { applyArgs } from '../command-line/apply-args.ts';
import type { CommandResult } from '../command-line/command.ts';
import { defineCommand } from '../command-line/command.ts';
import { requireRunnerFlags, withCluster } from '../command-line/session.ts';
import { applyInput } from '../input/saved-plan.ts';
import { Application } from '../run/application.ts';

export const apply = defineCommand({
  args: applyArgs,
  positionals: { restore: { description: 'The Restore', optional: true } },
  examples: [
    ['apply nightly', "run the Restore's hooks in a Job, and follow it"],
    ['apply nightly --runner=local', 'run them from here, with your own rights'],
    ['apply -f plan.json', 'run exactly a plan that was saved and reviewed'],
    ['apply nightly -f pods.yaml', 'create the pods of a file that have init hooks, with these injected'],
    ['apply nightly --from-backup nightly', 'the same, with the pods of its Backup'],
    ['apply nightly --rerun --only shop/web-0', 'run again, for one pod, what Velero has run'],
    ['apply nightly --dry-run=client | kubectl create -f -', 'see every object first'],
  ],
  details: 'Running it twice runs nothing twice: a run that is going is followed, one that has ended is shown.',

  async run({ restore: given, ...args }, context): Promise<CommandResult> {
    context.stop.limit(context.clock, args.timeout);
    const input = await applyInput(given, args, context);
    requireRunnerFlags(args);
    const hookFiles = await readHookFiles(args.hooks, context);
    return withCluster({ ...args, namespace: input.namespace }, context, (session) =>
      new Application(session, input, args, context, hookFiles).run(),
    );
  },
});
