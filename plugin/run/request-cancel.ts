import { RestoreHooksError } from '../../shared/core/errors.ts';
import { ANNOTATION } from '../../shared/core/names.ts';
import { cancelText } from '../../shared/core/report/cancel-request.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { exitCodeOf, hasEnded } from '../../shared/core/report/run-status.ts';
import { missingRights } from '../../shared/kubernetes/api/access.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import { MANAGER, runStatusOf } from '../../shared/kubernetes/run/run-store.ts';
import { getRestore } from '../../shared/kubernetes/velero/restores.ts';
import type { CommandResult } from '../command-line/command.ts';
import type { Session } from '../command-line/session.ts';
import { say } from '../output/progress.ts';
import { runView } from '../output/run-view.ts';
import type { Context } from '../process/context.ts';
import { hasDiedAsSeen } from './dead-run.ts';
import { follow, runDocument, UNTIL_CANCELED } from './follow.ts';
import { endUnclaimed, jobStart } from './job-start.ts';
import { isUnclaimed, isUp } from './obstacle.ts';
import { lackingRights, warnOfVelero } from './preconditions.ts';
import { withoutStatus } from './without-status.ts';

/**
 * Ask the Restore's run to stop, if one is going on (R6.18, R6.20). `waitMs`: then wait until it has ended, at most so
 * long; 0: as long as it takes (R7.84).
 */
export async function requestCancel(
  session: Session,
  name: string,
  context: Context,
  { graceMs, waitMs }: { readonly graceMs: number | undefined; readonly waitMs: number | undefined },
): Promise<CommandResult> {
  const { client, namespace } = session;
  const restore = await getRestore(client, namespace, name);
  await warnOfVelero(session, restore, context);
  const written = runStatusOf(restore);
  const status = written ?? (await withoutStatus(session, context, restore))?.status;
  if (status === undefined) return said(`there has been no run of Restore ${name}: nothing to cancel`);
  if (hasEnded(status)) return said(`run ${status.runID} has ended (${status.phase}): nothing to cancel`);
  if (written !== undefined && (await hasDiedAsSeen(session, context.clock, restore, written, true))) {
    const why = status.suspendedAt === undefined ? 'its runner died' : 'it was suspended';
    return said(`run ${status.runID} is not going on (${why}): nothing to cancel`);
  }
  const right = { group: 'velero.io', resource: 'restores', verb: 'patch', namespace };
  const missing = await missingRights(client, [right]);
  if (missing.length > 0) throw await lackingRights(client, missing);
  const { stop, clock } = context;
  const what = `run ${status.runID} was being asked to stop; it may have been`;
  const hint = `see it with: kubectl restorehooks status ${name} -n ${namespace}`;
  return stop.hold(async () => {
    const asking = ask(session, name, clock, status, graceMs, written !== undefined);
    const text = await stop.finish(clock, what, hint, asking);
    if (waitMs === undefined) return said(text);
    say(context.stderr, text);
    return untilEnded(session, name, context, status.runID, waitMs);
  });
}

const said = (text: string): CommandResult => ({ view: { kind: 'text', text: `${text}\n` } });

async function untilEnded(
  session: Session,
  name: string,
  context: Context,
  runID: string,
  waitMs: number,
): Promise<CommandResult> {
  const { stop, clock } = context;
  stop.limit(clock, waitMs > 0 ? waitMs : undefined, UNTIL_CANCELED.limit);
  const between = jobStart(session, name, context, false);
  const { restore, status, rows, error } = await follow(session, name, context, runID, between, UNTIL_CANCELED);
  const view = runView(runDocument(restore, session.namespace, status, rows, error?.message), { followed: true });
  return { view, exit: exitCodeOf(status), ...(error && { error }) };
}

async function ask(
  session: Session,
  name: string,
  clock: Context['clock'],
  status: RunStatus,
  graceMs: number | undefined,
  isWritten: boolean,
): Promise<string> {
  const { client, namespace } = session;
  const annotations = { [ANNOTATION.cancelRequested]: cancelText(status.runID, graceMs) };
  await client.patch(paths.restores(namespace, name), { metadata: { annotations } }, 'merge', {
    fieldManager: MANAGER,
  });
  const asked = `run ${status.runID} is asked to stop: within seconds nothing more is started, running hooks end`;
  // No runner has claimed the run, so nobody reads the request, and perhaps nobody ever will: end the run here.
  if (!isWritten || !isUnclaimed(status)) return asked;
  const hasBegun = await isUp(session, status);
  if (hasBegun) return asked;
  if (hasBegun === undefined) {
    const { runNamespace = namespace } = status;
    return `run ${status.runID} is asked to stop, which its runner does once it has begun; only who may list pods in namespace ${runNamespace} can see whether it ever will`;
  }
  try {
    const isEnded = await endUnclaimed(session, name, clock, status);
    return isEnded ? `run ${status.runID} had not begun: it is canceled, nothing has been run` : asked;
  } catch (error) {
    if (!(error instanceof RestoreHooksError)) throw error;
    return `${asked} (its runner has not begun, and its Job could not be taken away: ${error.message})`;
  }
}
