import type { ExitCode, RestoreHooksError } from '../../shared/core/errors.ts';
import type { RunDocument } from '../../shared/core/report/run-document.ts';
import { exitCodeOf, hasEnded } from '../../shared/core/report/run-status.ts';
import { sanitizeLine } from '../../shared/core/sanitize.ts';
import { runsOf } from '../../shared/kubernetes/run/run-place.ts';
import { getRestore } from '../../shared/kubernetes/velero/restores.ts';
import { kubeArgs, outputArg, runNamespaceArg, watchArg } from '../command-line/args.ts';
import { defineCommand } from '../command-line/command.ts';
import { rowArgs } from '../command-line/row-args.ts';
import type { Session } from '../command-line/session.ts';
import { usage, withCluster } from '../command-line/session.ts';
import { runView } from '../output/run-view.ts';
import type { Context } from '../process/context.ts';
import { asDead, hasDiedAsSeen } from '../run/dead-run.ts';
import { follow, RunReader, runDocument } from '../run/follow.ts';
import { jobStart } from '../run/job-start.ts';
import { isUnclaimed, obstacleLine, obstacleOf } from '../run/obstacle.ts';
import { warnOfVelero } from '../run/preconditions.ts';
import { withoutStatus } from '../run/without-status.ts';

export const status = defineCommand({
  args: {
    ...watchArg,
    ...rowArgs,
    run: { type: 'string', value: 'ID', description: 'Show this earlier run instead of the last one' },
    ...outputArg(['json', 'yaml', 'wide', 'name']),
    ...runNamespaceArg,
    ...kubeArgs,
  },
  positionals: { restore: { description: 'Name of the Restore' } },
  examples: [
    ['status nightly', 'the last run, hook by hook'],
    ['status nightly -w', "follow it to its end, and exit with the run's exit code"],
    ['status nightly --failed', 'only what did not succeed'],
    ['status nightly --state Running,Waiting --sort-by time', 'what runs, the longest first, and what waits'],
    ['status nightly --failed -o name', 'the ids of what failed, for retry --only'],
    ['status nightly --run 44c9vd', 'an earlier run'],
  ],
  details:
    'With --watch, the exit code is that of the run. Without, it is 0 if the run could be shown. Filters narrow the hooks ' +
    'that are shown, also with -o json; the counts stay those of the whole run.',
  exitCodes: [0, 2, 3, 4, 5, 6, 10, 11, 130, 143],
  docs: 'docs/results.md',

  run: ({ restore: name, watch, run: runID, ...args }, context) => {
    if (watch && runID !== undefined) throw usage('--watch follows the last run; --run shows an earlier one');
    return withCluster(args, context, async (session) => {
      const { document, exit, error } =
        runID === undefined
          ? await lastRun(session, name, watch, context)
          : { document: await earlierRun(session, name, runID, context) };
      const view = runView(document, { ...args, followed: watch, now: context.clock.now() });
      return { view, ...(watch && exit !== undefined && { exit }), ...(error && { error }) };
    });
  },
});

interface Shown {
  readonly document: RunDocument;
  /** The run's, if there has been one. */
  readonly exit?: ExitCode;
  /** Why a run that goes on is no longer followed. */
  readonly error?: RestoreHooksError;
}

async function earlierRun(session: Session, name: string, runID: string, context: Context): Promise<RunDocument> {
  const { runById } = await import('../run/run-by-id.ts');
  return runById(session, context, await getRestore(session.client, session.namespace, name), runID);
}

async function lastRun(session: Session, name: string, watch: boolean, context: Context): Promise<Shown> {
  const { namespace } = session;
  const reader = new RunReader(session, name);
  const { restore, status } = await (watch ? reader.readStatus() : reader.read());
  await warnOfVelero(session, restore, context);
  if (status === undefined) {
    const found = await withoutStatus(session, context, restore);
    const document = runDocument(restore, namespace, found?.status, found?.rows ?? []); // R7.8
    return found === undefined ? { document } : { document, exit: exitCodeOf(found.status) };
  }
  if (watch && !hasEnded(status)) {
    const between = jobStart(session, name, context, false);
    const { error, ...followed } = await follow(session, name, context, status.runID, between);
    const document = runDocument(followed.restore, namespace, followed.status, followed.rows, error?.message);
    return { document, exit: exitCodeOf(followed.status), ...(error && { error }) }; // R7.10
  }
  if (watch) await reader.read();
  if (reader.unreadable !== undefined) {
    context.stderr.write(
      `warning: the report can't be read, so hooks are missing: ${sanitizeLine(reader.unreadable.message)}\n`,
    );
  }
  const died = await hasDiedAsSeen(session, context.clock, restore, status);
  const now = died
    ? await asDead(session, context, runsOf(restore, session), status, reader.rows)
    : { status, rows: hasEnded(status) ? await reader.endedRows(context, restore, status) : reader.rows };
  const obstacle = !died && isUnclaimed(status) ? await obstacleOf(session, status) : undefined;
  const waitsFor = obstacle && obstacleLine(obstacle);
  return { document: runDocument(restore, namespace, now.status, now.rows, waitsFor), exit: exitCodeOf(now.status) };
}
