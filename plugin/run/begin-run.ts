import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { RunOptions } from '../../shared/core/manifests/job.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { kubeApiError } from '../../shared/kubernetes/api/api-error.ts';
import { versionOf } from '../../shared/kubernetes/run/claim.ts';
import { couldNotStart } from '../../shared/kubernetes/run/launch.ts';
import { runStatusOf, writeStatus } from '../../shared/kubernetes/run/run-store.ts';
import { getRestore } from '../../shared/kubernetes/velero/restores.ts';
import type { RunnerArguments } from '../command-line/apply-args.ts';
import type { Session } from '../command-line/session.ts';
import type { Context } from '../process/context.ts';
import type { RunTeller } from './run-teller.ts';

/** What starting a run takes besides its plan. */
export interface Start {
  readonly session: Session;
  /** Of the Restore. */
  readonly name: string;
  readonly args: RunnerArguments;
  readonly options: RunOptions;
  readonly context: Context;
  readonly teller: RunTeller;
}

/** Write the status to the Restore. This is the first write of a run: from now on others see it. */
export async function writeRunDown({ session, name, context }: Start, restore: Restore, status: RunStatus) {
  const { client, namespace } = session;
  const { stop } = context;
  try {
    await writeStatus(client, versionOf(restore, namespace), status);
  } catch (error) {
    if (!(error instanceof RestoreHooksError)) throw error;
    if (error.code === 'WRITE_CONFLICT') throw stop.why ?? error;
    const answer = kubeApiError(error);
    if (answer !== undefined && answer.status < 500) throw couldNotStart(error);
    // The status may have been written although the answer was an error.
    const now = runStatusOf(await getRestore(client, namespace, name));
    if (now?.runID !== status.runID) throw error;
  }
}

/** Wait for a start that has begun, for some seconds also after the command is asked to end (R6.28). */
export function finishStart<T>({ session, name, context }: Start, { runID }: RunStatus, work: Promise<T>): Promise<T> {
  const { stop, clock } = context;
  const hint = `see it with: kubectl restorehooks status ${name} -n ${session.namespace}`;
  return stop.finish(clock, `run ${runID} was being started; it may go on`, hint, work);
}
