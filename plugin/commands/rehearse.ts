import { backupName } from '../../shared/core/names.ts';
import { rehearsalID } from '../../shared/core/rehearsal/rehearsal.ts';
import type { CommandResult } from '../command-line/command.ts';
import { defineCommand } from '../command-line/command.ts';
import { rehearseArgs, requireCleanupFlags } from '../command-line/rehearse-args.ts';
import { namespaceOf, requireRunnerFlags, usage, withCluster } from '../command-line/session.ts';

/** Proves the hooks of a backup before they are needed (R7.100). */
export const rehearse = defineCommand({
  args: rehearseArgs,
  positionals: { backup: { description: "Name of the Backup; with --cleanup the rehearsal's id", optional: true } },
  examples: [
    [
      'rehearse nightly-20260301',
      'restore the Backup into namespaces of other names, run the hooks there, remove it all',
    ],
    ['rehearse --from-schedule nightly --yes', 'the same with the last Backup of a Schedule, without a question'],
    [
      'rehearse nightly-20260301 --hooks hooks.yaml --deny-egress',
      'hooks of a file, in pods that reach nothing outside but name servers',
    ],
    ['rehearse nightly-20260301 --include-namespaces shop --keep', 'one namespace, left to be looked into'],
    ['rehearse nightly-20260301 --dry-run', 'print what would be created'],
    ['rehearse --cleanup', 'list the rehearsals that stand'],
    ['rehearse --cleanup k3x9qd', 'remove what one of them has left; with --dry-run, print what that is'],
  ],
  details:
    'Velero restores the Backup into NAMESPACE-rehearsal-ID; the hooks run there as with apply, and are reported. ' +
    'Hooks may talk to the outside, as they do in earnest: --deny-egress keeps pods from it, but for name servers. At ' +
    'the end, at the deadline and on Ctrl-C all of it is removed; a second Ctrl-C asks for that, too, and waits for ' +
    "nothing. Only objects with the rehearsal's label are ever deleted.",
  exitCodes: [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 130, 143],
  docs: 'docs/rehearsing.md',

  async run({ backup: given, ...args }, context): Promise<CommandResult> {
    if (args.cleanup) {
      requireCleanupFlags(args);
      const { cleanUp } = await import('../rehearse/clean-up.ts');
      const id = given === undefined ? undefined : rehearsalID(given);
      return withCluster(args, context, (session) => cleanUp(session, id, args.dryRun === 'client', context));
    }
    const { fromSchedule, id } = args;
    const backup = given === undefined ? undefined : backupName(given);
    if ((backup === undefined) === (fromSchedule === undefined)) {
      throw usage(
        'give either BACKUP or --from-schedule',
        `list them: kubectl get backups.velero.io -n ${namespaceOf(args, context)}`,
      );
    }
    if (id !== undefined) rehearsalID(id);
    requireRunnerFlags({ ...args, parallelism: 1, noWait: false, record: undefined, dryRun: undefined });
    const [{ readHookFiles }, { readJobPatch }, { Rehearsal }, preparing, rights, { settled }] = await Promise.all([
      import('../../shared/input/hooks.ts'),
      import('../../shared/input/job-patch.ts'),
      import('../rehearse/rehearsal.ts'),
      import('../rehearse/prepare.ts'),
      import('../rehearse/rights.ts'),
      import('../run/job-settings.ts'),
    ]);
    const hookFiles = await readHookFiles(args.hooks, context);
    const patches = await readJobPatch(args.jobPatch, context);
    return withCluster(args, context, async (session) => {
      const settings = await settled(session, args, patches, context);
      await rights.requireRightsToRehearse(session, settings);
      const found = await preparing.findBackup(session, { backup, fromSchedule });
      await rights.requireRunnerOfRehearsal(session, settings);
      const prepared = await preparing.prepare(session, found, args, context);
      return new Rehearsal(session, prepared, settings, context, hookFiles).run();
    });
  },
});
