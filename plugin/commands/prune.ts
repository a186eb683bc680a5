import { kubeArgs } from '../command-line/args.ts';
import { defineCommand } from '../command-line/command.ts';
import { withCluster } from '../command-line/session.ts';
import { prune as removeRuns } from '../run/prune.ts';

export const prune = defineCommand({
  args: {
    keep: {
      type: 'integer',
      value: 'N',
      min: 1,
      default: 1,
      description: 'How many of the last runs stay in any case',
    },
    ...kubeArgs,
  },
  positionals: { restore: { description: 'The Restore' } },
  examples: [
    ['prune nightly', 'remove the Jobs, reports and journals of old runs'],
    ['prune nightly --keep 5', 'but for the last five runs'],
  ],
  details: 'What is needed to know which hooks have been run stays, so that nothing is run twice.',

  run: ({ restore: name, keep, ...args }, context) =>
    withCluster(args, context, async (session) => ({
      view: { kind: 'text', text: `${await removeRuns(session, name, context, keep)}\n` },
    })),
});
