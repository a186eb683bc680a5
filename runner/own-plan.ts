import { RestoreHooksError } from '../shared/core/errors.ts';
import type { RestoreResourceHookSpec } from '../shared/core/model/restore.ts';
import { nothingToRun, refuseAfterGivingUp } from '../shared/core/plan/nothing-to-run.ts';
import { planRun, refuseWhileBusy } from '../shared/core/plan/plan-run.ts';
import { restoreSelector } from '../shared/core/plan/pods-of-restore.ts';
import type { Payload } from '../shared/core/report/payload.ts';
import type { RunStatus } from '../shared/core/report/run-status.ts';
import { hasEnded } from '../shared/core/report/run-status.ts';
import { aroundRestore } from '../shared/kubernetes/around-restore.ts';
import type { KubeClient } from '../shared/kubernetes/client.ts';
import { podsToCreate } from '../shared/kubernetes/pods-to-create.ts';
import { getRestore, listPods } from '../shared/kubernetes/restores.ts';
import { runStatusOf } from '../shared/kubernetes/run-store.ts';
import type { Logger } from '../shared/system/log.ts';
import type { RunnerConfig } from './config.ts';

/** The plan of a runner that was given none (contract §8); or that there is nothing to run: `ended`, how it was run. */
export async function ownPlan(
  client: KubeClient,
  config: RunnerConfig,
  hookFiles: readonly RestoreResourceHookSpec[] | undefined,
  log: Logger,
): Promise<Payload | { readonly ended: RunStatus | undefined }> {
  const { restore: name, namespace } = config;
  const restore = await getRestore(client, namespace, name);
  refuseWhileBusy(restore, config.force);
  const asked = config['pod-namespace'];
  const namespaces = asked.length > 0 ? [...asked] : undefined;
  const selector = { labelSelector: config.selector ?? restoreSelector(name), ...(namespaces ? { namespaces } : {}) };
  const { pods, notices } = await listPods(client, selector.labelSelector, namespaces);
  const around = await aroundRestore(client, { restore, namespace, selector, pods });
  const request = {
    restore,
    namespace,
    pods,
    ...around,
    notices: [...around.notices, ...notices],
    hookFiles,
    selector,
    rerun: config.rerun,
    force: config.force,
    includeExisting: config['include-existing'],
    recreatePods: config['recreate-pods'],
    only: config.only,
  };
  const planned = planRun(request);
  for (const notice of planned.document.notices) log.warn('notice', { ...notice });
  refuseAfterGivingUp(planned, request);
  const earlier = runStatusOf(restore);
  if (earlier !== undefined && hasEnded(earlier) && earlier.planDigest === planned.document.digest && !config.again) {
    log.info('this plan has been run', { runID: earlier.runID, phase: earlier.phase });
    return { ended: earlier };
  }
  if (planned.hooks.length === 0) {
    const why = nothingToRun(planned, request, config['allow-no-match']);
    if (earlier !== undefined && hasEnded(earlier)) {
      log.info('there is nothing to run; the last run stands', { runID: earlier.runID, reason: why?.message });
      return { ended: earlier };
    }
    if (why !== undefined) throw why;
    log.info('there are no hooks to run', { restore: name, namespace });
    return { ended: undefined };
  }
  const toCreate = await podsToCreate(client, restore, planned, new Map());
  return { version: 1, plan: planned.document, kept: [], pods: toCreate };
}

/**
 * A runner may not read reports, so it can't know which hooks of an earlier run have been executed: after one that
 * did anything it starts nothing unless it is told to start over.
 */
export function refuseWhatMayHaveRun(name: string, earlier: RunStatus | undefined, digest: string): void {
  if (earlier === undefined) return;
  const { planned, notExecuted } = earlier.counts;
  if (planned === notExecuted) return;
  const same = earlier.planDigest === digest ? 'this plan' : 'another plan';
  throw new RestoreHooksError(
    'RUN_BY_ANOTHER',
    `${same} of Restore ${name} has been run (${earlier.runID}); nothing is started`,
    {
      hint: `let the plugin decide what is new: kubectl restorehooks apply ${name}; or start over with --again`,
    },
  );
}
