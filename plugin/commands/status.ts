import { restoreReference } from '../../shared/core/plan/make-plan-document.ts';
import { exitCodeOf, hasEnded } from '../../shared/core/report/run-status.ts';
import { sanitizeLine } from '../../shared/core/sanitize.ts';
import { kubeArgs, outputArg, watchArg } from '../command-line/args.ts';
import { defineCommand } from '../command-line/command.ts';
import { withCluster } from '../command-line/session.ts';
import { runView } from '../output/run-view.ts';
import { asDead, follow, hasDiedAsSeen, RunReader, runDocument } from '../run/follow.ts';
import { jobStart } from '../run/job-start.ts';
import { isUnclaimed, obstacleLine, obstacleOf } from '../run/obstacle.ts';
import { warnOfVelero } from '../run/preconditions.ts';
import { withoutStatus } from '../run/without-status.ts';

export const status = defineCommand({
  args: { ...watchArg, ...outputArg(['json', 'yaml', 'wide', 'name']), ...kubeArgs },
  positionals: { restore: { description: 'Name of the Restore' } },
  examples: [
    ['status nightly', 'the last run, hook by hook'],
    ['status nightly -w', "follow it to its end, and exit with the run's exit code"],
  ],
  details: 'With --watch, the exit code is that of the run. Without, it is 0 if the run could be shown.',
  exitCodes: [0, 2, 3, 4, 5, 6, 10, 11, 130, 143],
  docs: 'docs/run-end.md',

  run: ({ restore: name, watch, ...args }, context) =>
    withCluster(args, context, async (session) => {
      const reader = new RunReader(session, name);
      const { restore, status } = await (watch ? reader.readStatus() : reader.read());
      await warnOfVelero(session, restore, context);
      if (status === undefined) {
        const found = await withoutStatus(session, context, restore);
        const view = runView(runDocument(restore, session.namespace, found?.status, found?.rows ?? []), {
          followed: watch,
        }); // R7.8
        return watch && found !== undefined ? { view, exit: exitCodeOf(found.status) } : { view };
      }
      if (watch && !hasEnded(status)) {
        const followed = await follow(session, name, context, jobStart(session, name, context, false));
        const { error } = followed;
        const document = runDocument(
          followed.restore,
          session.namespace,
          followed.status,
          followed.rows,
          error?.message,
        );
        const view = runView(document, { followed: true });
        return { view, exit: exitCodeOf(followed.status), ...(error && { error }) }; // R7.10
      }
      if (watch) await reader.read();
      if (reader.unreadable !== undefined) {
        context.stderr.write(
          `warning: the report can't be read, so hooks are missing: ${sanitizeLine(reader.unreadable.message)}\n`,
        );
      }
      const reference = restoreReference(restore, session.namespace);
      const died = await hasDiedAsSeen(session, context.clock, restore, status);
      const now = died
        ? await asDead(session, context, reference, status, reader.rows)
        : { status, rows: hasEnded(status) ? await reader.endedRows(context, restore, status) : reader.rows };
      const obstacle = !died && isUnclaimed(status) ? await obstacleOf(session, status) : undefined;
      const waitsFor = obstacle && obstacleLine(obstacle);
      const document = runDocument(restore, session.namespace, now.status, now.rows, waitsFor);
      const view = runView(document, { followed: watch });
      return watch ? { view, exit: exitCodeOf(now.status) } : { view };
    }),
});
