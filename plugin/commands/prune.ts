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
      description: 'How many of the last runs to keep',
    },
    'dry-run': { type: 'boolean', description: 'Remove nothing: show which runs would be removed' },
    ...kubeArgs,
  },
  positionals: { restore: { description: 'Name of the Restore' } },
  examples: [
    ['prune nightly', 'remove the Jobs, reports and journals of all runs but the last'],
    ['prune nightly --keep 5', 'the same, but keep the last five runs'],
    ['prune nightly --dry-run', 'see first which runs would be removed'],
  ],
  details: 'What later runs need to know is kept, so that no hook is run twice.',
  exitCodes: [0, 2, 4, 5, 6, 130, 143],
  docs: 'docs/operations.md',

  run: ({ restore: name, keep, dryRun, ...args }, context) =>
    withCluster(args, context, async (session) => ({
      view: { kind: 'text', text: `${await removeRuns(session, name, context, { keep, dryRun })}\n` },
    })),
});
