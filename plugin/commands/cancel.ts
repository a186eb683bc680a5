import { kubeArgs, runNamespaceArg } from '../command-line/args.ts';
import { defineCommand } from '../command-line/command.ts';
import { withCluster } from '../command-line/session.ts';
import { requestCancel } from '../run/request-cancel.ts';

export const cancel = defineCommand({
  args: {
    grace: {
      type: 'duration',
      value: 'DURATION',
      description: 'How long to wait for running hooks; after that they are Unknown (default: until they end)',
    },
    wait: {
      type: 'duration',
      value: 'DURATION',
      bare: '0s',
      description:
        "Then wait for the run's end and exit with its exit code; at most this long (default and 0s: no limit)",
    },
    ...runNamespaceArg,
    ...kubeArgs,
  },
  positionals: { restore: { description: 'Name of the Restore' } },
  examples: [
    ['cancel nightly', 'start no further hook; running hooks may end'],
    ['cancel nightly --grace=30s', 'the same, but wait at most 30 seconds for them'],
    ['cancel nightly --wait=5m', 'the same, and wait at most five minutes until the run has ended: exit code 11'],
  ],
  details:
    'Returns at once; --wait follows the run to its end. Ctrl-C ends the waiting only. Hooks that have not started are NotExecuted.',
  exitCodes: [0, 2, 3, 4, 5, 6, 7, 10, 11, 130, 143],
  docs: 'docs/operations.md',

  run: ({ restore: name, grace, wait, ...args }, context) =>
    withCluster(args, context, (session) => requestCancel(session, name, context, { graceMs: grace, waitMs: wait })),
});
