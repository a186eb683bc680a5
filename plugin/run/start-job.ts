import { traceContext } from '../../shared/core/manifests/job.ts';
import { objectsNamespace } from '../../shared/core/manifests/run-objects.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import { runName, runSelector } from '../../shared/core/names.ts';
import type { RunInput } from '../../shared/core/report/run-input.ts';
import { payloadOf } from '../../shared/core/report/run-input.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { newRunID, newStatus } from '../../shared/kubernetes/run/claim.ts';
import { checkPatchedJob, checkRunObjects, launchRun, runManifests } from '../../shared/kubernetes/run/launch.ts';
import { runStatusOf } from '../../shared/kubernetes/run/run-store.ts';
import type { CommandResult } from '../command-line/command.ts';
import type { Start } from './begin-run.ts';
import { finishStart, writeRunDown } from './begin-run.ts';

/** Start a run in a Job, then `follow` it; or show what would be created. */
export async function startJob(
  start: Start,
  restore: Restore,
  input: RunInput,
  follow: (runID: string) => Promise<CommandResult>,
): Promise<CommandResult> {
  const { session, name, args, options, context, teller } = start;
  const { client } = session;
  const namespace = objectsNamespace(input.plan.restore);
  const { image, imagePullSecret, serviceAccount, patches, dryRun } = args;
  const runID = newRunID();
  const manifests = runManifests(payloadOf(input), {
    restore: input.plan.restore,
    runID,
    image,
    imagePullSecrets: imagePullSecret,
    serviceAccount,
    options,
    after: runStatusOf(restore)?.runID,
    trace: traceContext(context.env),
    patches,
  });
  if (dryRun !== 'client') await checkPatchedJob(client, namespace, manifests, patches);
  if (dryRun === 'server') await checkRunObjects(client, namespace, manifests);
  if (dryRun !== undefined) return { view: { kind: 'manifests', manifests } }; // R7.5
  const status = newStatus(restore, {
    runID,
    planned: { document: { ...input.plan, hooks: input.hooks } },
    runner: { kind: 'job', name: runName(name, runID) },
    options,
    now: context.clock.now(),
    attempt: input.attempt,
  });
  return context.stop.hold(async () => {
    await finishStart(start, status, create(start, restore, status, manifests));
    teller.say(`run       ${runID}: Job ${status.runner.name} created`);
    if (options.record) {
      const logs = `kubectl logs -n ${namespace} -l ${runSelector(runID)} --tail=-1`;
      teller.say(`history   ${logs} > history.jsonl`);
    }
    if (args.noWait) return teller.shown(restore, status, []);
    return follow(runID);
  });
}

async function create(start: Start, restore: Restore, status: RunStatus, manifests: readonly object[]): Promise<void> {
  const { session, name, teller } = start;
  const { client, namespace } = session;
  await writeRunDown(start, restore, status);
  const run = { namespace, name, runID: status.runID };
  await launchRun(client, run, manifests, { adopt: true, warn: (message) => teller.say(`warning: ${message}`) });
}
