import { onlyArg, runnerArgs } from '../command-line/apply-args.ts';
import { defineCommand } from '../command-line/command.ts';
import { requireRunnerFlags, withCluster } from '../command-line/session.ts';

export const retry = defineCommand({
  args: { ...onlyArg, ...runnerArgs }, // R7.30
  positionals: { restore: { description: 'Name of the Restore' } },
  examples: [
    ['retry nightly', 'run what did not succeed, in the same order and under the same rules'],
    ['retry nightly --only shop/web-0', 'the same for one pod'],
    ['retry nightly --skip load', 'the same without the hooks of that name'],
    ['retry nightly --on-unknown=rerun', 'also what may have been running when the runner died'],
  ],
  details:
    'Hooks that have succeeded are not run again. If the runner died, retry goes on with its run: hooks that were ' +
    'running then are Unknown, and are run again only with --on-unknown=rerun.',
  exitCodes: [0, 2, 3, 4, 5, 6, 7, 9, 10, 11, 130, 143],
  docs: 'docs/operations.md',

  async run({ restore, only, skip, ...args }, context) {
    requireRunnerFlags(args);
    context.stop.limit(context.clock, args.timeout);
    // Loaded here, because shell completion needs only the flags, and soon.
    const [{ readJobPatch }, { Retry }, { settled }] = await Promise.all([
      import('../../shared/input/job-patch.ts'),
      import('../run/retry.ts'),
      import('../run/job-settings.ts'),
    ]);
    const patches = await readJobPatch(args.jobPatch, context);
    return withCluster(args, context, async (session) => {
      const { defaultRunNamespace, ...settings } = await settled(session, args, patches, context);
      return new Retry({ ...session, defaultRunNamespace }, restore, settings, { only, skip }, context).run();
    });
  },
});
