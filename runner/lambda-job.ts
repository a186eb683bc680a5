import { RestoreHooksError } from '../shared/core/errors.ts';
import { jobSettings } from '../shared/core/manifests/defaults.ts';
import { objectsNamespace } from '../shared/core/manifests/run-objects.ts';
import type { Restore } from '../shared/core/model/restore.ts';
import { runName } from '../shared/core/names.ts';
import { restoreReference } from '../shared/core/plan/make-plan-document.ts';
import type { RunInput } from '../shared/core/report/run-input.ts';
import { payloadOf } from '../shared/core/report/run-input.ts';
import type { RunStatus } from '../shared/core/report/run-status.ts';
import { hasEnded } from '../shared/core/report/run-status.ts';
import type { KubeClient } from '../shared/kubernetes/api/client.ts';
import { newStatus, versionOf } from '../shared/kubernetes/run/claim.ts';
import { readDefaults } from '../shared/kubernetes/run/defaults.ts';
import { hasDied } from '../shared/kubernetes/run/earlier-run.ts';
import { writeEndedEvent } from '../shared/kubernetes/run/events.ts';
import { checkPatchedJob, launchRun, runManifests } from '../shared/kubernetes/run/launch.ts';
import { holderOf } from '../shared/kubernetes/run/lease.ts';
import { markFailed } from '../shared/kubernetes/run/mark-ended.ts';
import { runsOf } from '../shared/kubernetes/run/run-place.ts';
import { runStatusOf, writeStatus } from '../shared/kubernetes/run/run-store.ts';
import type { Clock } from '../shared/ports/ports.ts';
import type { Logger } from '../shared/system/log.ts';
import { runOptions } from './begin.ts';
import type { LambdaCall } from './lambda-event.ts';
import { refuseWhatMayHaveRun } from './own-plan.ts';

/**
 * Launch the Job of a run as `apply` does, unless the Restore has changed since it was read. Returns the run's status
 * (R8.10).
 */
export async function launchJob(
  client: KubeClient,
  clock: Clock,
  { config, job: given, log }: LambdaCall & { readonly log: Logger },
  runID: string,
  input: RunInput,
  restore: Restore,
): Promise<RunStatus> {
  const { restore: name, namespace, again } = config;
  const earlier = runStatusOf(restore);
  if (!again) refuseWhatMayHaveRun(name, earlier, input.plan.digest);
  const options = runOptions(config);
  // A user who may not read them is warned; a function is set up once, and a missing right is a mistake there (R8.24).
  const defaults = await readDefaults(client, namespace);
  const { image, imagePullSecret, serviceAccount, patches, defaultRunNamespace } = jobSettings(
    given,
    given.patches,
    defaults,
  );
  const place = { namespace, runNamespace: config['run-namespace'], defaultRunNamespace };
  const document = { ...input.plan, restore: runsOf(restore, place) };
  log.info('the Job is launched', { image, serviceAccount, patches: patches.map(({ from }) => from) });
  const job = {
    restore: document.restore,
    runID,
    image,
    imagePullSecrets: imagePullSecret,
    serviceAccount,
    options,
    after: earlier?.runID,
    patches,
  };
  const manifests = runManifests(payloadOf({ ...input, plan: document }), job);
  await checkPatchedJob(client, objectsNamespace(document.restore), manifests, patches);
  const runner = { kind: 'job', name: runName(name, runID) } as const;
  const status = newStatus(restore, {
    runID,
    planned: { document: { ...document, hooks: input.hooks } },
    runner,
    options,
    now: clock.now(),
  });
  await writeStatus(client, versionOf(restore, namespace), status);
  const run = { namespace, name, runID };
  // The plan stays owned by the Restore: giving it to the Job would need a right to change all Secrets there.
  await launchRun(client, run, manifests, { adopt: false, warn: (message) => log.warn(message) });
  return status;
}

/** The status of a run in a Job. If the Job is over and the run is not, the run is marked as failed. */
export async function lookAtJob(
  client: KubeClient,
  clock: Clock,
  namespace: string,
  restore: Restore,
  status: RunStatus,
): Promise<RunStatus> {
  const { name } = restore.metadata;
  const reference = restoreReference(restore, { namespace, runNamespace: status.runNamespace });
  if (!(await hasDied(client, clock, reference, status))) return status;
  // The pod of a deleted Job may still wait for running hooks, and will write how they end.
  if ((await holderOf(client, clock, reference))?.runID === status.runID) return status;
  const message = `its Job ${status.runner.name} is over, the run is not`;
  const run = { namespace, name, runID: status.runID };
  const ended = await markFailed(client, run, { code: 'job', message }, { nobodyRuns: true });
  if (ended !== undefined) {
    if (hasEnded(ended)) await writeEndedEvent(client, clock, reference, ended);
    return ended;
  }
  throw new RestoreHooksError('RUN_BY_ANOTHER', `run ${status.runID} of Restore ${name} is no longer the last one`);
}
