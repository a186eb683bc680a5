import { RestoreHooksError } from '../shared/core/errors.ts';
import type { RunStatus } from '../shared/core/report/run-status.ts';
import { hasEnded } from '../shared/core/report/run-status.ts';
import { cutText } from '../shared/core/sanitize.ts';
import { versionOf } from '../shared/kubernetes/claim.ts';
import { paths } from '../shared/kubernetes/paths.ts';
import { getRestore } from '../shared/kubernetes/restores.ts';
import { runStatusOf, writeStatus } from '../shared/kubernetes/run-store.ts';
import type { Context } from './context.ts';
import type { Beside } from './follow.ts';
import type { Session } from './session.ts';

/** Reasons with which a pod won't start by itself, as the kubelet names them. */
const FATAL = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
]);
/** After this long with such a reason, and with nothing run, the Job is given up (contract §7). */
const GIVE_UP_MS = 30_000;

/**
 * Watches over a Job that hasn't claimed its run yet: tells why it doesn't start, as soon as that is seen; a reason
 * that won't go away by itself ends the run after 30 s, so that the next `apply` starts anew.
 */
export function jobStart(session: Session, name: string, context: Context): Beside {
  const told = new Set<string>();
  let fatalSince: number | undefined;
  return async (status) => {
    if (status.runner.kind !== 'job' || status.runner.claimedBy !== undefined) return;
    const obstacle = await obstacleOf(session, status);
    if (obstacle === undefined) {
      fatalSince = undefined;
      return;
    }
    const line = `the runner doesn't start: ${obstacle.reason}${obstacle.message === '' ? '' : `: ${obstacle.message}`}`;
    if (!told.has(obstacle.reason)) context.stderr.write(`warning: ${line}\n`);
    told.add(obstacle.reason);
    if (!obstacle.fatal) return;
    fatalSince ??= context.clock.now();
    if (context.clock.now() - fatalSince >= GIVE_UP_MS) await giveUp(session, name, status, line);
  };
}

interface Obstacle {
  readonly reason: string;
  readonly message: string;
  readonly fatal: boolean;
}

async function obstacleOf({ client, namespace }: Session, { runner }: RunStatus): Promise<Obstacle | undefined> {
  const { items } = await client.listAll(paths.pods(namespace), {
    labelSelector: `batch.kubernetes.io/job-name=${runner.name}`,
  });
  for (const pod of items as readonly RunnerPod[]) {
    for (const { state } of pod.status?.containerStatuses ?? []) {
      const { reason = '', message = '' } = state?.waiting ?? {};
      if (FATAL.has(reason)) return { reason, message, fatal: true };
    }
    const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
    if (scheduled?.status === 'False') {
      return { reason: scheduled.reason ?? 'Unschedulable', message: scheduled.message ?? '', fatal: false };
    }
  }
  return items.length > 0 ? undefined : failedCreate({ client, namespace }, runner.name);
}

interface RunnerPod {
  readonly status?: {
    readonly containerStatuses?: readonly {
      readonly state?: { readonly waiting?: { reason?: string; message?: string } };
    }[];
    readonly conditions?: readonly { type: string; status: string; reason?: string; message?: string }[];
  };
}

/** A Job whose pod is refused (quota, admission) says so only in events, which not everybody may read. */
async function failedCreate(
  { client, namespace }: Pick<Session, 'client' | 'namespace'>,
  job: string,
): Promise<Obstacle | undefined> {
  const fieldSelector = `involvedObject.kind=Job,involvedObject.name=${job},reason=FailedCreate`;
  try {
    const { items } = await client.listAll(paths.events(namespace), { fieldSelector });
    const last = items.at(-1) as { message?: string } | undefined;
    return last && { reason: 'FailedCreate', message: last.message ?? '', fatal: true };
  } catch (error) {
    if (error instanceof RestoreHooksError && error.code === 'FORBIDDEN') return undefined;
    throw error;
  }
}

/** Write the run down as failed where it still hasn't been claimed, then take its Job away. */
async function giveUp(
  { client, namespace }: Session,
  name: string,
  { runID }: RunStatus,
  message: string,
): Promise<void> {
  const restore = await getRestore(client, namespace, name);
  const status = runStatusOf(restore);
  if (status === undefined || status.runID !== runID || status.runner.claimedBy !== undefined || hasEnded(status))
    return;
  await writeFailed({ client, namespace }, restore, status, message);
  await deleteJob({ client, namespace }, status.runner.name);
}

export async function writeFailed(
  { client, namespace }: Pick<Session, 'client' | 'namespace'>,
  restore: Awaited<ReturnType<typeof getRestore>>,
  status: RunStatus,
  message: string,
): Promise<void> {
  const { planned } = status.counts;
  const counts = { ...status.counts, waiting: 0, running: 0, notExecuted: planned };
  await writeStatus(client, versionOf(restore, namespace), {
    ...status,
    phase: 'Failed',
    counts,
    failure: { code: 'job', message: cutText(message, 500) },
  });
}

async function deleteJob({ client, namespace }: Pick<Session, 'client' | 'namespace'>, job: string): Promise<void> {
  try {
    await client.delete(paths.jobs(namespace, job), { propagationPolicy: 'Background' });
  } catch (error) {
    if (!(error instanceof RestoreHooksError) || error.code !== 'NOT_FOUND') throw error;
  }
}
