import { RestoreHooksError } from '../shared/core/errors.ts';
import type { Restore } from '../shared/core/model/restore.ts';
import { runName } from '../shared/core/names.ts';
import { failedStatus } from '../shared/core/report/dead-run.ts';
import { restoreReference } from '../shared/core/report/make-plan-document.ts';
import type { Payload } from '../shared/core/report/payload.ts';
import type { RunStatus } from '../shared/core/report/run-status.ts';
import { hasEnded } from '../shared/core/report/run-status.ts';
import { newStatus, versionOf } from '../shared/kubernetes/claim.ts';
import type { KubeClient } from '../shared/kubernetes/client.ts';
import { hasDied } from '../shared/kubernetes/earlier-run.ts';
import { createRunObjects, runManifests } from '../shared/kubernetes/launch.ts';
import { holderOf } from '../shared/kubernetes/lease.ts';
import { getRestore } from '../shared/kubernetes/restores.ts';
import { runStatusOf, writeStatus } from '../shared/kubernetes/run-store.ts';
import type { Clock } from '../shared/ports/ports.ts';
import { runOptions } from './begin.ts';
import type { LambdaCall } from './lambda-event.ts';
import { refuseWhatMayHaveRun } from './own-plan.ts';

/** Launch a run's Job as `apply` does, if the Restore is still the one that was read; answer how the run stands then. */
export async function launchJob(
  client: KubeClient,
  clock: Clock,
  { config, image, imagePullSecrets, serviceAccount }: LambdaCall,
  runID: string,
  payload: Payload,
  restore: Restore,
): Promise<RunStatus> {
  const { restore: name, namespace, again } = config;
  const document = payload.plan;
  const earlier = runStatusOf(restore);
  if (!again) refuseWhatMayHaveRun(name, earlier, document.digest);
  const options = runOptions(config);
  const job = {
    restore: document.restore,
    runID,
    image,
    imagePullSecrets,
    serviceAccount,
    options,
    after: earlier?.runID,
  };
  const manifests = runManifests(payload, job);
  const runner = { kind: 'job', name: runName(name, runID) } as const;
  const status = newStatus(restore, { runID, planned: { document }, runner, options, now: clock.now() });
  await writeStatus(client, versionOf(restore, namespace), status);
  try {
    // To change who owns the plan would need a right on all Secrets there: it stays the Restore's.
    await createRunObjects({ create: client.create, patch: async () => ({}) }, namespace, manifests);
  } catch (error) {
    if (!(error instanceof RestoreHooksError)) throw error;
    await writeFailed(client, namespace, name, status, `the Job could not be created: ${error.message}`);
    throw error;
  }
  return status;
}

/** How a run of a Job stands; of one whose Job is over, that it has failed is written down. */
export async function lookAtJob(
  client: KubeClient,
  clock: Clock,
  namespace: string,
  restore: Restore,
  status: RunStatus,
): Promise<RunStatus> {
  const { name } = restore.metadata;
  const reference = restoreReference(restore, namespace);
  if (!(await hasDied(client, clock, reference, status))) return status;
  // A pod whose Job was deleted may still be waiting for running hooks, and writes down how they end.
  if ((await holderOf(client, clock, reference))?.runID === status.runID) return status;
  return writeFailed(client, namespace, name, status, `its Job ${status.runner.name} is over, the run is not`);
}

/** Where the run is still the same and hasn't ended meanwhile. */
async function writeFailed(
  client: KubeClient,
  namespace: string,
  name: string,
  { runID }: RunStatus,
  message: string,
): Promise<RunStatus> {
  const restore = await getRestore(client, namespace, name);
  const status = runStatusOf(restore);
  if (status === undefined || status.runID !== runID) {
    throw new RestoreHooksError('RUN_BY_ANOTHER', `run ${runID} of Restore ${name} is no longer the last one`);
  }
  if (hasEnded(status)) return status;
  const failed = failedStatus(status, { code: 'job', message });
  await writeStatus(client, versionOf(restore, namespace), failed);
  return failed;
}
