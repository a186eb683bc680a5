import { kubeArgs, runNamespaceArg } from '../command-line/args.ts';
import { defineCommand } from '../command-line/command.ts';
import { usage, withCluster } from '../command-line/session.ts';
import { pruneDeleted, prune as removeRuns } from '../run/prune.ts';

export const prune = defineCommand({
  args: {
    keep: {
      type: 'integer',
      value: 'N',
      min: 1,
      default: 1,
      description: 'How many of the last runs to keep',
    },
    deleted: {
      type: 'boolean',
      description: 'Instead: remove what deleted Restores have left in --run-namespace',
    },
    'dry-run': { type: 'boolean', description: 'Remove nothing: show which runs would be removed' },
    ...runNamespaceArg,
    ...kubeArgs,
  },
  positionals: { restore: { description: 'Name of the Restore', optional: true } },
  examples: [
    ['prune nightly', 'remove the Jobs, reports and journals of all runs but the last'],
    ['prune nightly --keep 5', 'the same, but keep the last five runs'],
    ['prune nightly --dry-run', 'see first which runs would be removed'],
    ['prune --deleted --run-namespace restorehooks', 'remove what is left there of Restores that are gone'],
  ],
  details: 'What later runs need to know is kept, so that no hook is run twice.',
  exitCodes: [0, 2, 4, 5, 6, 130, 143],
  docs: 'docs/operations.md',

  run: ({ restore: name, keep, deleted, dryRun, ...args }, context) => {
    if (deleted === (name !== undefined)) {
      throw usage(
        'prune takes either a RESTORE or --deleted',
        'usage: kubectl restorehooks prune RESTORE, or prune --deleted',
      );
    }
    return withCluster(args, context, async (session) => {
      const text =
        name === undefined
          ? await pruneDeleted(session, { dryRun })
          : await removeRuns(session, name, context, { keep, dryRun });
      return { view: { kind: 'text', text: `${text}\n` } };
    });
  },
});
