import { instant } from '../../shared/core/model/instant.ts';
import { hasEnded } from '../../shared/core/report/run-status.ts';
import { getRestore } from '../../shared/kubernetes/velero/restores.ts';
import { kubeArgs, runNamespaceArg } from '../command-line/args.ts';
import { defineCommand } from '../command-line/command.ts';
import { usage, withCluster } from '../command-line/session.ts';
import { ChosenHooks } from '../logs/chosen-hooks.ts';
import { followLogs } from '../logs/follow-logs.ts';
import { RunParts, standingParts } from '../logs/run-parts.ts';
import { showLogs } from '../logs/show-logs.ts';
import { withoutStatus } from '../run/without-status.ts';

export const logs = defineCommand({
  args: {
    follow: { type: 'boolean', short: 'f', description: 'Print output as it comes, until the run has ended' },
    hook: { type: 'strings', value: 'HOOK', description: 'Only this hook, by its ID or its name; can be repeated' },
    pod: { type: 'strings', value: 'POD', description: 'Only this pod: [NAMESPACE/]POD; can be repeated' },
    failed: { type: 'boolean', description: 'Only hooks that did not succeed' },
    run: { type: 'string', value: 'ID', description: 'Of this earlier run instead of the last one' },
    since: {
      type: 'duration',
      value: 'DURATION',
      description:
        'Only output that is not older (5s, 2m, 3h); what only the report has is as old as the end of its hook',
    },
    prefix: { type: 'boolean', description: 'Begin each line with the ID of its hook, instead of headers' },
    timestamps: {
      type: 'boolean',
      description: 'Begin each line with its time: when the runner received it, or else when its hook ended',
    },
    output: {
      type: 'string',
      short: 'o',
      value: 'FORMAT',
      choices: ['json'],
      description: 'json: print an object for each line',
    },
    ...runNamespaceArg,
    ...kubeArgs,
  },
  positionals: { restore: { description: 'Name of the Restore' } },
  examples: [
    ['logs nightly', 'what the hooks of the last run printed'],
    ['logs nightly -f --prefix', 'what they print, while they run'],
    ['logs nightly --failed', 'only of the hooks that did not succeed'],
    ['logs nightly --run 44c9vd', 'of an earlier run'],
    ['logs nightly --hook warm-up --pod shop/web-0', 'of one hook in one pod'],
  ],
  details:
    'Shows what the run has kept: the last 4 KiB of each stream, unless it was started with --capture. With --follow, ' +
    'the exit code is 0 when the run has ended, whatever became of it; status -w has its exit code.',
  exitCodes: [0, 2, 4, 5, 6, 130, 143],
  docs: 'docs/run.md',

  run: ({ restore: name, follow, run: runID, ...flags }, context) => {
    if (follow && runID !== undefined) throw usage('--follow follows the last run; --run shows an earlier one');
    const { hook, pod, failed, since, prefix, timestamps, output, ...args } = flags;
    return withCluster(args, context, async (session) => {
      const chosen = new ChosenHooks({ hook, pod, failed });
      const request = {
        session,
        name,
        context,
        runID,
        chosen,
        format: { prefix, timestamps, json: output === 'json' },
        output: {
          chosen,
          failed,
          since: since === undefined ? undefined : instant(context.clock.now() - since),
        },
      };
      if (runID !== undefined) {
        const { findRun } = await import('../run/run-by-id.ts');
        const restore = await getRestore(session.client, session.namespace, name);
        const { status } = await findRun(session, context, restore, runID); // R7.85
        await showLogs(request, restore, status, await standingParts(session, restore, status));
        return {};
      }
      const first = new RunParts(session, name);
      const { restore, status, parts } = await first.read();
      if (status === undefined) {
        const lost = await withoutStatus(session, context, restore); // R7.29
        if (lost === undefined) context.stderr.write(`no run of Restore ${session.namespace}/${name} yet\n`);
        else await showLogs(request, restore, lost.status, await standingParts(session, restore, lost.status));
      } else if (follow && !hasEnded(status)) {
        await followLogs(request, new RunParts(session, name));
      } else {
        await showLogs(request, restore, status, parts);
      }
      return {};
    });
  },
});
