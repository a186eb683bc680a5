import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import process from 'node:process';
import { load } from 'js-yaml';
import { shortenName } from '../shared/core/digest.ts';
import { ExitCode, RestoreHooksError, SUSPENDED_EXIT_CODE } from '../shared/core/errors.ts';
import type { RunOptions } from '../shared/core/manifests/job.ts';
import { problemLine } from '../shared/core/model/problem.ts';
import type { RestoreResourceHookSpec } from '../shared/core/model/restore.ts';
import { parseRestoreHooks } from '../shared/core/model/restore.ts';
import { RESTORE_NAME_LABEL } from '../shared/core/names.ts';
import { nothingToRun, planRun, refuseWhileBusy } from '../shared/core/plan/plan-run.ts';
import type { Payload } from '../shared/core/report/payload.ts';
import type { RunHook } from '../shared/core/report/run-document.ts';
import { isAskedFor } from '../shared/core/report/run-hook.ts';
import type { RunStatus } from '../shared/core/report/run-status.ts';
import { exitCodeOf, hasEnded } from '../shared/core/report/run-status.ts';
import { VERSION } from '../shared/core/version.ts';
import { newRunID, newStatus } from '../shared/kubernetes/claim.ts';
import type { KubeClient } from '../shared/kubernetes/client.ts';
import { kubeClient } from '../shared/kubernetes/client.ts';
import { loadKubeConfig } from '../shared/kubernetes/kubeconfig.ts';
import { paths } from '../shared/kubernetes/paths.ts';
import { podsToCreate } from '../shared/kubernetes/pods-to-create.ts';
import { getRestore, listPods } from '../shared/kubernetes/restores.ts';
import { runStatusOf } from '../shared/kubernetes/run-store.ts';
import { systemClock } from '../shared/system/clock.ts';
import type { Logger } from '../shared/system/log.ts';
import { carryOut } from '../shared/wiring/carry-out.ts';
import { takeRun } from '../shared/wiring/take-run.ts';
import type { RunnerConfig } from './config.ts';
import { runnerConfig } from './config.ts';
import { readPlanDirectory } from './plan-directory.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** One run in a pod: with the plan that `apply` mounted, or with one of its own. Resolves to the exit code. */
export async function main(argv: readonly string[], env: Env, log: Logger): Promise<number> {
  const config = runnerConfig(argv, env);
  const client = kubeClient(loadKubeConfig({ env }), { userAgent: `restorehooks-runner/${VERSION}` });
  try {
    return await run(client, config, env, log);
  } finally {
    client.close();
  }
}

async function run(client: KubeClient, config: RunnerConfig, env: Env, log: Logger): Promise<number> {
  const { restore: name, namespace } = config;
  const payload = config.plan === undefined ? await ownPlan(client, config, log) : readPlanDirectory(config.plan);
  if (typeof payload === 'number') return payload;
  const options: RunOptions = {
    maxConcurrent: config['max-concurrent'],
    capture: config.capture,
    failOn: config['fail-on'],
    keepRestorePhase: config['keep-restore-phase'],
    onUnknown: config['on-unknown'],
  };
  const document = payload.plan;
  const jobName = env['JOB_NAME'];
  if (jobName) await refuseGivenUp(client, namespace, jobName);
  const podName = env['POD_NAME'] || env['HOSTNAME'] || hostname();
  const runner = jobName ? ({ kind: 'job', name: jobName } as const) : await runnerOf(client, namespace, podName);
  const runID = config['run-id'] ?? (await ownRun(client, config, runner, document.digest)) ?? newRunID();
  const taken = await takeRun(client, systemClock, {
    runID,
    payload,
    claimant: { name: podName, id: env['POD_UID'] || podName },
    onUnknown: options.onUnknown,
    warn: (message) => log.warn(message),
    unwritten(current) {
      const earlier = runStatusOf(current);
      const isTakenIntoAccount = config.again || earlier?.runID === config.after;
      if (!isTakenIntoAccount) refuseWhatMayHaveRun(current.metadata.name, earlier, document.digest);
      return newStatus(current, { runID, planned: { document }, runner, options, now: systemClock.now() });
    },
  });
  if ('ended' in taken) {
    log.info('this run has ended', { runID, phase: taken.ended.phase });
    return exitCodeOf(taken.ended);
  }
  log.info('run claimed', {
    restore: name,
    namespace,
    runID,
    runner: taken.runner,
    hooks: document.hooks.length,
    digest: document.digest,
  });

  const started = carryOut(client, systemClock, taken, options, {
    changed: (rows) => {
      for (const row of rows) logRow(log, row);
    },
    warn: (what, error) => log.warn(what, { code: error.code, reason: error.message }),
  });
  const graceMs = Math.max(1, Number(env['TERMINATION_GRACE_SECONDS'] ?? 30) - LAST_WORDS_SECONDS) * 1000;
  let dropLater = (): void => undefined;
  const onTerminate = () => {
    log.warn('asked to end: nothing more is started, the next runner goes on');
    started.suspend();
    dropLater = systemClock.setTimer(graceMs, () => started.drop());
  };
  process.once('SIGTERM', onTerminate);
  process.once('SIGINT', onTerminate);
  const { status: last } = await started.done.finally(() => dropLater());
  if (!hasEnded(last)) {
    log.info('run suspended', { runID, counts: last.counts });
    return SUSPENDED_EXIT_CODE;
  }
  log.info('run ended', { runID, phase: last.phase, counts: last.counts, failure: last.failure });
  return exitCodeOf(last);
}

/** Of the grace that a pod has to end, what is left for writing down what is true. */
const LAST_WORDS_SECONDS = 10;

/** A Job that plans for itself goes on with the run that a pod of its own has begun. */
async function ownRun(
  client: KubeClient,
  { namespace, restore }: RunnerConfig,
  runner: RunStatus['runner'],
  digest: string,
): Promise<string | undefined> {
  const status = runStatusOf(await getRestore(client, namespace, restore));
  if (status === undefined || hasEnded(status) || runner.kind !== 'job') return undefined;
  return status.runner.name === runner.name && status.planDigest === digest ? status.runID : undefined;
}

/** A launcher that gave its Job up may have said so already: a pod that comes late must not begin. */
async function refuseGivenUp(client: KubeClient, namespace: string, name: string): Promise<void> {
  const { metadata } = (await client.get(paths.jobs(namespace, name))) as { metadata?: { deletionTimestamp?: string } };
  if (metadata?.deletionTimestamp === undefined) return;
  throw new RestoreHooksError('RUN_BY_ANOTHER', `Job ${name} is being deleted; nothing is started`);
}

/**
 * Whom others look at to see whether the run still lives: the Job of this pod. A Job that was made by hand needn't tell
 * its name; a pod is called after its Job. Where that is no Job beside the Restore, nobody can tell (as of a local run).
 */
async function runnerOf(client: KubeClient, namespace: string, podName: string): Promise<RunStatus['runner']> {
  const name = podName.replace(/-[a-z0-9]{5}$/, '');
  try {
    await client.get(paths.jobs(namespace, name));
    return { kind: 'job', name };
  } catch (error) {
    const isHidden = error instanceof RestoreHooksError && ['NOT_FOUND', 'FORBIDDEN'].includes(error.code);
    if (!isHidden) throw error;
    return { kind: 'local', name: podName };
  }
}

/** Ids, states and times: no commands, and nothing that a command printed. */
function logRow(log: Logger, row: RunHook): void {
  const { id, namespace, pod, container, state, reason, exitCode, message } = row;
  const fields = { hook: id, namespace, pod, hookContainer: container, hookPhase: state, reason, exitCode, message };
  if (state === 'Waiting') log.debug('hook waits', fields);
  else if (isAskedFor(row)) log.debug('hook is being started', fields);
  else if (state === 'Running') log.info('hook started', fields);
  else log.info('hook ended', fields);
}

/** The plan of a Job that was made by hand (contract §8); or an exit code where there is nothing to run. */
async function ownPlan(client: KubeClient, config: RunnerConfig, log: Logger): Promise<Payload | ExitCode> {
  const { restore: name, namespace } = config;
  const restore = await getRestore(client, namespace, name);
  refuseWhileBusy(restore, config.force);
  const hookFiles = config.hooks.length === 0 ? undefined : config.hooks.flatMap(readHooksFile);
  const labelSelector = config.selector ?? `${RESTORE_NAME_LABEL}=${shortenName(name)}`;
  const namespaces = config['pod-namespace'];
  const { pods, notices } = await listPods(client, labelSelector, namespaces);
  const planned = planRun({
    restore,
    namespace,
    pods,
    notices,
    hookFiles,
    selector: { labelSelector, ...(namespaces ? { namespaces } : {}) },
    rerun: config.rerun,
    recreatePods: config['recreate-pods'],
    only: config.only,
  });
  for (const notice of planned.document.notices) log.warn('notice', { ...notice });
  const error = nothingToRun(planned, { restore, hookFiles }, config['allow-no-match']);
  if (error !== undefined) throw error;
  const earlier = runStatusOf(restore);
  if (earlier !== undefined && hasEnded(earlier) && earlier.planDigest === planned.document.digest && !config.again) {
    log.info('this plan has been run', { runID: earlier.runID, phase: earlier.phase });
    return exitCodeOf(earlier);
  }
  if (planned.hooks.length === 0) {
    log.info('there are no hooks to run', { restore: name, namespace });
    return ExitCode.Ok;
  }
  const toCreate = await podsToCreate(client, restore, planned, new Map());
  return { version: 1, plan: planned.document, kept: [], pods: toCreate };
}

/**
 * A runner may not read reports, so it can't know which hooks of an earlier run have been executed: after one that
 * did anything it starts nothing unless it is told to start over.
 */
function refuseWhatMayHaveRun(name: string, earlier: ReturnType<typeof runStatusOf>, digest: string): void {
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

function readHooksFile(file: string): readonly RestoreResourceHookSpec[] {
  let object: unknown;
  try {
    object = load(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new RestoreHooksError('INVALID_INPUT', `${file} can't be read as YAML`, { cause: error });
  }
  const parsed = parseRestoreHooks(object);
  if (parsed.ok) return parsed.value.spec.resources;
  throw new RestoreHooksError('INVALID_INPUT', `${file}: ${parsed.problems.map(problemLine).join('; ')}`);
}
