import { ExitCode } from '../../shared/core/errors.ts';
import { planFlags } from '../../shared/input/run-flags.ts';
import { runnerArgs } from '../command-line/apply-args.ts';
import { kubeArgs, outputArg } from '../command-line/args.ts';
import type { CommandResult } from '../command-line/command.ts';
import { defineCommand } from '../command-line/command.ts';
import { withCluster } from '../command-line/session.ts';

/** For an answer, if `--request-timeout` gives no other limit: a check never waits for ever (R7.35). */
const REQUEST_TIMEOUT_MS = 10_000;

export const check = defineCommand({
  args: {
    ...planFlags,
    image: runnerArgs.image,
    'image-pull-secret': runnerArgs['image-pull-secret'],
    'service-account': runnerArgs['service-account'],
    'job-patch': runnerArgs['job-patch'],
    'run-namespace': runnerArgs['run-namespace'],
    ...outputArg(['json', 'yaml']),
    ...kubeArgs,
  },
  positionals: { restore: { description: 'The Restore', optional: true } },
  examples: [
    ['check', 'what any run would need: versions, rights, quotas, the image'],
    ['check nightly', 'the same, and what this Restore, its pods and its earlier runs say'],
    ['check nightly --image registry.local/runner:v0.1.0', 'for the image that apply will be given'],
    ['check -o json', 'for scripts: each check with its state and what to do'],
  ],
  details:
    'Changes nothing: objects are only shown to the API server in dry runs. "unchecked" is what can\'t be known ' +
    'before a run, or what you may not look at. A request without an answer is given up after 10 seconds, or after ' +
    '--request-timeout.',
  exitCodes: [0, 2, 4, 5, 6, 10, 130, 143],
  docs: 'docs/check.md',

  async run({ restore, hooks, ...args }, context): Promise<CommandResult> {
    const [{ readHookFiles }, { readJobPatch }, { checkView, runChecks }] = await Promise.all([
      import('../../shared/input/hooks.ts'),
      import('../../shared/input/job-patch.ts'),
      import('../check/run-checks.ts'),
    ]);
    const hookFiles = await readHookFiles(hooks, context);
    const patches = await readJobPatch(args.jobPatch, context);
    const options = {
      maxConcurrent: 64,
      capture: 'tail',
      failOn: 'fail',
      keepRestorePhase: false,
      onUnknown: 'fail',
    } as const;
    const warned: string[] = [];
    const limited = { ...args, requestTimeout: args.requestTimeout || REQUEST_TIMEOUT_MS };
    const work = async (session: Parameters<Parameters<typeof withCluster>[2]>[0]): Promise<CommandResult> => {
      const { checks, error } = await runChecks(
        session,
        restore,
        { ...args, ...options, hooks },
        { hookFiles, patches },
        context,
        warned,
      );
      const hasProblem = checks.some(({ state }) => state === 'problem');
      const view = checkView(session.namespace, restore, checks);
      return { view, exit: hasProblem ? ExitCode.RunFailed : ExitCode.Ok, ...(error && { error }) };
    };
    return withCluster(limited, context, work, (text) => warned.push(text));
  },
});
