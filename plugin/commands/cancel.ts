import { kubeArgs } from '../command-line/args.ts';
import { defineCommand } from '../command-line/command.ts';
import { withCluster } from '../command-line/session.ts';
import { requestCancel } from '../run/request-cancel.ts';

export const cancel = defineCommand({
  args: {
    grace: {
      type: 'duration',
      value: 'DURATION',
      description: 'How long to wait for running hooks; then they are dropped, and Unknown (default: until they end)',
    },
    ...kubeArgs,
  },
  positionals: { restore: { description: 'The Restore' } },
  examples: [
    ['cancel nightly', 'start nothing more; running hooks end'],
    ['cancel nightly --grace=30s', 'and are dropped after 30 seconds'],
  ],
  details: 'Returns at once; "status -w" follows the run to its end. What has not started by then is NotExecuted.',

  run: ({ restore: name, grace, ...args }, context) =>
    withCluster(args, context, async (session) => ({
      view: { kind: 'text', text: `${await requestCancel(session, name, context, grace)}\n` },
    })),
});
