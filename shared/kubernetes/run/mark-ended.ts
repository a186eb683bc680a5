import { RestoreHooksError } from '../../core/errors.ts';
import { failedStatus } from '../../core/report/dead-run.ts';
import type { RunStatus } from '../../core/report/run-status.ts';
import { hasEnded } from '../../core/report/run-status.ts';
import { kubeApiError } from '../api/api-error.ts';
import type { KubeClient } from '../api/client.ts';
import { paths } from '../api/paths.ts';
import { getRestore } from '../velero/restores.ts';
import { versionOf } from './claim.ts';
import { runStatusOf, writeStatus } from './run-store.ts';

export interface NamedRun {
  /** The Restore's. */
  readonly namespace: string;
  readonly name: string;
  readonly runID: string;
}

/** What the caller knows and the cluster doesn't show. */
export interface Knowledge {
  /**
   * No runner is at work: the caller has the Restore's Lease, or has seen that nobody has it and that the Job is over.
   */
  readonly nobodyRuns?: boolean;
  /** The caller is a pod of this Job, so the Job doesn't mean that another runner will start. */
  readonly ownJob?: string | undefined;
}

const TRIES = 10;

/**
 * Write down that a run has failed before it began (R6.29), for plugin, runner and Lambda alike. It is written only if
 * nobody runs it and nobody will: the run hasn't ended, no runner has claimed it, and it has no Job. If the Job exists,
 * the run goes on, even if a request for it failed. Returns the run's status; undefined: the Restore has another run
 * now.
 */
export const markFailed = (
  client: Pick<KubeClient, 'get' | 'patch'>,
  run: NamedRun,
  failure: NonNullable<RunStatus['failure']>,
  knowledge?: Knowledge,
): Promise<RunStatus | undefined> => markEnded(client, run, (status) => failedStatus(status, failure), knowledge);

/** Write down that a run was canceled before any runner began, under the same conditions (R6.20). */
export const markCanceled = (
  client: Pick<KubeClient, 'get' | 'patch'>,
  run: NamedRun,
): Promise<RunStatus | undefined> =>
  markEnded(client, run, ({ failure: _, ...status }) => ({
    ...status,
    phase: 'Canceled',
    counts: { ...status.counts, waiting: 0, notExecuted: status.counts.notExecuted + status.counts.waiting },
  }));

async function markEnded(
  client: Pick<KubeClient, 'get' | 'patch'>,
  { namespace, name, runID }: NamedRun,
  end: (status: RunStatus) => RunStatus,
  { nobodyRuns = false, ownJob }: Knowledge = {},
): Promise<RunStatus | undefined> {
  for (let tries = 1; ; tries += 1) {
    const restore = await getRestore(client, namespace, name);
    const status = runStatusOf(restore);
    if (status === undefined || status.runID !== runID) return undefined;
    if (hasEnded(status)) return status;
    const { kind, name: job, claimedBy } = status.runner;
    if (!nobodyRuns) {
      if (claimedBy !== undefined) return status;
      if (kind === 'job' && job !== ownJob && (await jobExists(client, status.runNamespace ?? namespace, job)))
        return status;
    }
    const ended = end(status);
    try {
      await writeStatus(client, versionOf(restore, namespace), ended);
      return ended;
    } catch (error) {
      const isConflict = error instanceof RestoreHooksError && error.code === 'WRITE_CONFLICT';
      if (!isConflict || tries >= TRIES) throw error;
    }
  }
}

/** Whether a Job exists. It doesn't only if the 404 of the API server names it (R4.18). */
export async function jobExists(
  client: Pick<KubeClient, 'get'>,
  namespace: string,
  job: string,
  isOurs: (job: Awaited<ReturnType<KubeClient['get']>>) => boolean = () => true,
): Promise<boolean> {
  try {
    return isOurs(await client.get(paths.jobs(namespace, job)));
  } catch (error) {
    const isMissing =
      error instanceof RestoreHooksError && error.code === 'NOT_FOUND' && kubeApiError(error)?.name === job;
    if (!isMissing) throw error;
    return false;
  }
}
