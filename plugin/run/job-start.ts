import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { deadlineText, hasEnded } from '../../shared/core/report/run-status.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import { writeEndedEvent } from '../../shared/kubernetes/run/events.ts';
import type { NamedRun } from '../../shared/kubernetes/run/mark-ended.ts';
import { markCanceled, markFailed } from '../../shared/kubernetes/run/mark-ended.ts';
import { runsOf } from '../../shared/kubernetes/run/run-place.ts';
import { runStatusOf } from '../../shared/kubernetes/run/run-store.ts';
import { getRestore } from '../../shared/kubernetes/velero/restores.ts';
import type { Clock } from '../../shared/ports/ports.ts';
import type { Session } from '../command-line/session.ts';
import { say } from '../output/progress.ts';
import type { Context } from '../process/context.ts';
import type { BetweenPolls } from './follow.ts';
import type { Obstacle } from './obstacle.ts';
import { isUnclaimed, obstacleLine, obstacleOf } from './obstacle.ts';

/** A Job that can't start and has not run anything is given up after this time (R7.18). */
export const GIVE_UP_MS = 30_000;
/** What every start goes through for a moment is shown only after this time. */
const TELL_PASSING_MS = 10_000;

/**
 * Watch a Job that has not claimed its run yet, and tell why it doesn't start. A reason that won't go away by itself
 * ends the following after 30 s. With `own` it also ends the run, so that the next `apply` starts a new one.
 */
export function jobStart(session: Session, name: string, context: Context, own: boolean): BetweenPolls {
  const watch = new StartWatch(context);
  return async (status) => {
    if (!isUnclaimed(status)) return undefined;
    const { deadline } = status;
    const isLate = deadline !== undefined && context.clock.now() >= Date.parse(deadline);
    const obstacle = await obstacleOf(session, status);
    const why = watch.look(obstacle);
    const line = isLate ? [deadlineText(status), ...(obstacle ? [obstacleLine(obstacle)] : [])].join('; ') : why;
    if (line === undefined) return undefined;
    if (own) {
      await giveUp(session, name, context.clock, status, { code: isLate ? 'deadline' : 'job', message: line });
      return undefined;
    }
    return new RestoreHooksError('RUN_FAILED', line, {
      hint: `nothing has been run: apply starts anew, cancel ends it: kubectl restorehooks cancel ${name} -n ${session.namespace}`,
    });
  };
}

/** Tells each new obstacle, and says when it is time to give up. */
export class StartWatch {
  readonly #context: Context;
  readonly #told = new Set<string>();
  #passing: { readonly reason: string; readonly since: number } | undefined;
  #fatalSince: number | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /**
   * Returns the reason to give up with; undefined as long as it is worth waiting. `since`: when the obstacle began, if
   * that was before the first look.
   */
  look(obstacle: Obstacle | undefined, since = Number.POSITIVE_INFINITY): string | undefined {
    const now = this.#context.clock.now();
    if (obstacle?.passing !== true) this.#passing = undefined;
    else if (this.#passing?.reason !== obstacle.reason) this.#passing = { reason: obstacle.reason, since: now };
    if (obstacle?.fatal !== true) this.#fatalSince = undefined;
    else this.#fatalSince = Math.min(this.#fatalSince ?? now, since);
    if (obstacle === undefined) return undefined;
    if (this.#passing === undefined || now - this.#passing.since >= TELL_PASSING_MS) this.#tell(obstacle);
    const isOver = this.#fatalSince !== undefined && now - this.#fatalSince >= GIVE_UP_MS;
    return isOver ? obstacleLine(obstacle) : undefined;
  }

  #tell(obstacle: Obstacle): void {
    if (this.#told.has(obstacle.reason)) return;
    this.#told.add(obstacle.reason);
    say(this.#context.stderr, `warning: ${obstacleLine(obstacle)}`);
  }
}

/** Delete the Job of a run that no runner has claimed, then mark the run as failed. */
export async function giveUp(
  session: Session,
  name: string,
  clock: Clock,
  status: RunStatus,
  failure: NonNullable<RunStatus['failure']>,
): Promise<void> {
  await endWithout(session, name, clock, status, (run) => markFailed(session.client, run, failure));
}

/**
 * Delete the Job of an unclaimed run that is asked to stop, and mark the run as canceled. False if a runner has claimed
 * it (R6.20).
 */
export const endUnclaimed = (session: Session, name: string, clock: Clock, status: RunStatus): Promise<boolean> =>
  endWithout(session, name, clock, status, (run) => markCanceled(session.client, run));

/** False: a runner has claimed the run, or the Restore has another one. */
async function endWithout(
  session: Session,
  name: string,
  clock: Clock,
  { runID, runner }: RunStatus,
  mark: (run: NamedRun) => Promise<RunStatus | undefined>,
): Promise<boolean> {
  const { client, namespace } = session;
  const restore = await getRestore(client, namespace, name);
  const now = runStatusOf(restore);
  if (now?.runID !== runID || !isUnclaimed(now)) return false;
  await deleteJob(client, now.runNamespace ?? namespace, runner.name);
  const ended = await mark({ namespace, name, runID });
  if (ended === undefined || !hasEnded(ended)) return false;
  await writeEndedEvent(client, clock, runsOf(restore, session), ended);
  return true;
}

async function deleteJob(client: Session['client'], namespace: string, job: string): Promise<void> {
  try {
    await client.delete(paths.jobs(namespace, job), { propagationPolicy: 'Background' });
  } catch (error) {
    if (!(error instanceof RestoreHooksError) || error.code !== 'NOT_FOUND') throw error;
  }
}
