import { RestoreHooksError } from '../shared/core/errors.ts';
import { hasExecuted } from '../shared/core/ledger/last-run.ts';
import type { Ledger } from '../shared/core/ledger/ledger.ts';
import { ledgerOf } from '../shared/core/ledger/ledger.ts';
import { isExecuted } from '../shared/core/ledger/run-record.ts';
import type { HookEntrySpec } from '../shared/core/model/restore.ts';
import { isNarrowed } from '../shared/core/plan/named-hooks.ts';
import { nothingToRun, refuseAfterGivingUp } from '../shared/core/plan/nothing-to-run.ts';
import type { PlanDocument } from '../shared/core/plan/plan-document.ts';
import { planRun, refuseWhileBusy } from '../shared/core/plan/plan-run.ts';
import { restoreSelector } from '../shared/core/plan/pods-of-restore.ts';
import type { RunInput } from '../shared/core/report/run-input.ts';
import type { RunStatus } from '../shared/core/report/run-status.ts';
import { hasEnded } from '../shared/core/report/run-status.ts';
import type { KubeClient } from '../shared/kubernetes/api/client.ts';
import { podsToCreate } from '../shared/kubernetes/pods/pods-to-create.ts';
import { runsOf } from '../shared/kubernetes/run/run-place.ts';
import { readRuns } from '../shared/kubernetes/run/runs-of-restore.ts';
import { aroundRestore } from '../shared/kubernetes/velero/around-restore.ts';
import type { RestoreToAwait } from '../shared/kubernetes/velero/await-restore.ts';
import { getRestore, listPods } from '../shared/kubernetes/velero/restores.ts';
import type { Clock } from '../shared/ports/ports.ts';
import type { Logger } from '../shared/system/log.ts';
import type { RunnerConfig } from './config.ts';

/** How a runner that plans for itself waits for its Restore (R7.80). */
export const restoreToAwait = (
  { restore: name, namespace, force }: RunnerConfig,
  limitMs: number,
  log: Logger,
): RestoreToAwait => ({
  ...{ namespace, name, limitMs, force },
  tell: (waitsFor) => log.info('waiting for the Restore', { namespace, restore: name, reason: waitsFor }),
  warn: (line) => log.warn(line),
});

/**
 * Make the plan of a runner that was given none. If there is nothing to run, `ended` is the status of the
 * run that has run the hooks; it is undefined if there are no hooks (R8.6).
 */
export async function ownPlan(
  client: KubeClient,
  clock: Clock,
  config: RunnerConfig,
  hookFiles: readonly HookEntrySpec[] | undefined,
  log: Logger,
): Promise<RunInput | { readonly ended: RunStatus | undefined }> {
  const { restore: name, namespace } = config;
  const restore = await getRestore(client, namespace, name);
  refuseWhileBusy(restore, config.force);
  const namespaces = config['pod-namespace'].length > 0 ? [...config['pod-namespace']] : undefined;
  const selector = { labelSelector: config.selector ?? restoreSelector(name), ...(namespaces ? { namespaces } : {}) };
  const { pods, notices } = await listPods(client, selector.labelSelector, namespaces);
  const around = await aroundRestore(client, { restore, namespace, selector, pods });
  const request = {
    restore,
    namespace,
    runNamespace: runsOf(restore, { namespace, runNamespace: config['run-namespace'] }).runNamespace,
    pods,
    ...around,
    notices: [...around.notices, ...notices],
    hookFiles,
    selector,
    rerun: config.rerun,
    ...(config.sources.length > 0 && { sources: config.sources }),
    skip: config.skip,
    maxExecTimeoutMs: config['max-exec-timeout'],
    detach: config.detach,
    force: config.force,
    includeExisting: config['include-existing'],
    recreatePods: config['recreate-pods'],
    only: config.only,
  };
  const planned = planRun(request);
  for (const notice of planned.document.notices) log.warn('notice', { ...notice });
  refuseAfterGivingUp(planned, request);
  const { again } = config;
  const { document, hooks } = planned;
  const runs = await readRuns(client, clock, document.restore, restore, { journalsAlone: true });
  const ledger = ledgerOf(runs, clock.now(), { digest: document.digest, hooks });
  if (hooks.length === 0) {
    const why = nothingToRun(planned, request, config['allow-no-match']);
    const { last } = ledger;
    if (last !== undefined && (last.standing.state === 'ended' || hasEnded(last.status))) {
      const { runID } = last.standing;
      log.info('there is nothing to run; the last run stands', { runID, reason: why?.message });
      return { ended: last.status };
    }
    if (why !== undefined) throw why;
    log.info('there are no hooks to run', { restore: name, namespace });
    return { ended: undefined };
  }
  if (!again) {
    const ended = endedRun(name, ledger, document.digest);
    if (ended !== undefined) {
      log.info('this plan has been run', { runID: ended.runID, phase: ended.phase });
      return { ended };
    }
  }
  return {
    plan: withoutHooks(document),
    hooks,
    kept: [],
    pods: await podsToCreate(client, restore, planned, new Map()),
    attempt: ledger.attempts + 1,
    // The runner may not read reports, so it doesn't know the results of the hooks that are left out.
    ...(isNarrowed(config) && { narrowed: true as const, leavesFailHooks: true as const }),
    ...(again && { startedOver: true as const }),
  };
}

/** The input holds the hooks once. */
const withoutHooks = ({ hooks: _, ...plan }: PlanDocument): RunInput['plan'] => plan;

/**
 * The last run, if it had this very plan and has ended. Refuses if another run has executed hooks: only its report
 * tells which ones, and a runner may not read reports. undefined if no hook was executed, or if a run is going on; that
 * run is checked when it is claimed (R8.6).
 */
function endedRun(name: string, ledger: Ledger, digest: string): RunStatus | undefined {
  const { last, runs } = ledger;
  if (last === undefined || (last.standing.status !== undefined && !hasEnded(last.status))) return undefined;
  const { planned, notExecuted } = last.status.counts;
  const isSame = last.standing.state === 'ended' && last.status.planDigest === digest;
  // The status may also count hooks as executed that an earlier run has executed.
  if (isSame && (planned > notExecuted || hasExecuted(last))) return last.status;
  const executed = runs.findLast(({ rows, isWhole }) => !isWhole || rows.some(isExecuted));
  if (executed === undefined) return undefined;
  const { runID, planDigest } = executed.record;
  throw hasBeenRun(name, runID, planDigest === digest);
}

/**
 * Refuse to start after an earlier run that has executed a hook. A runner may not read reports, so it can't know which
 * hooks that were. `--again` starts over.
 */
export function refuseWhatMayHaveRun(name: string, earlier: RunStatus | undefined, digest: string): void {
  if (earlier === undefined) return;
  const { planned, notExecuted } = earlier.counts;
  if (planned === notExecuted) return;
  throw hasBeenRun(name, earlier.runID, earlier.planDigest === digest);
}

const hasBeenRun = (name: string, runID: string, isSame: boolean): RestoreHooksError =>
  new RestoreHooksError(
    'RUN_BY_ANOTHER',
    `${isSame ? 'this plan' : 'another plan'} of Restore ${name} has been run (${runID}); nothing is started`,
    {
      hint: `let the plugin decide what is new: kubectl restorehooks apply ${name}; or start over with --again`,
    },
  );
