import { kubeArgs } from '../command-line/args.ts';
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
    ...kubeArgs,
  },
  positionals: { restore: { description: 'Name of the Restore' } },
  examples: [
    ['cancel nightly', 'start no further hook; running hooks may end'],
    ['cancel nightly --grace=30s', 'the same, but wait at most 30 seconds for them'],
  ],
  details: 'Returns at once; "status -w" follows the run to its end. Hooks that have not started are NotExecuted.',
  exitCodes: [0, 2, 4, 5, 6, 130, 143],
  docs: 'docs/going-on.md',

  run: ({ restore: name, grace, ...args }, context) =>
    withCluster(args, context, async (session) => ({
      view: { kind: 'text', text: `${await requestCancel(session, name, context, grace)}\n` },
    })),
});
