import { hostname } from 'node:os';
import { ExitCode, RestoreHooksError, SUSPENDED_EXIT_CODE } from '../shared/core/errors.ts';
import type { Shard } from '../shared/core/model/shard.ts';
import { isFollower } from '../shared/core/model/shard.ts';
import type { RunStatus } from '../shared/core/report/run-status.ts';
import { exitCodeOf, hasEnded } from '../shared/core/report/run-status.ts';
import { VERSION } from '../shared/core/version.ts';
import { readHookFiles } from '../shared/input/hooks.ts';
import type { KubeClient } from '../shared/kubernetes/api/client.ts';
import { kubeClient } from '../shared/kubernetes/api/client.ts';
import { paths } from '../shared/kubernetes/api/paths.ts';
import { loadKubeConfig } from '../shared/kubernetes/connect/kubeconfig.ts';
import { newRunID } from '../shared/kubernetes/run/claim.ts';
import { runStatusOf } from '../shared/kubernetes/run/run-store.ts';
import { awaitRestore } from '../shared/kubernetes/velero/await-restore.ts';
import { getRestore } from '../shared/kubernetes/velero/restores.ts';
import { systemClock } from '../shared/system/clock.ts';
import type { Logger } from '../shared/system/log.ts';
import { hasNothing } from '../shared/wiring/shards.ts';
import { startTelemetry } from '../shared/wiring/start-telemetry.ts';
import type { Telemetry } from '../shared/wiring/telemetry.ts';
import type { RunToBegin } from './begin.ts';
import { apiWarning, begin } from './begin.ts';
import type { RunnerConfig } from './config.ts';
import { runnerConfig } from './config.ts';
import { compareWithDefaults } from './own-job.ts';
import { ownPlan, restoreToAwait } from './own-plan.ts';
import { readPlanDirectory } from './plan-directory.ts';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Carry out one run in a pod, with the plan that `apply` has mounted or with one that it makes itself. Resolves to the
 * exit code. Once `asked` to end it starts no further hook.
 */
export async function main(argv: readonly string[], env: Env, log: Logger, asked: AbortSignal): Promise<number> {
  const config = runnerConfig(argv, env);
  const client = kubeClient(loadKubeConfig({ env }), {
    userAgent: `restorehooks-runner/${VERSION}`,
    onWarning: apiWarning(log),
  });
  let telemetry: Telemetry | undefined;
  try {
    telemetry = await startTelemetry(client, {
      metricsPort: config['metrics-port'],
      env,
      warn: (what) => log.warn(what),
    });
    const run = await unlessAsked(asked, runOf(client, config, env, log));
    return 'input' in run ? await carryOut(client, run, env, log, asked, telemetry) : run.exitCode;
  } catch (error) {
    if (!asked.aborted || (error !== asked.reason && !isNotTaken(error))) throw error;
    log.info('asked to end before anything was started: the next runner begins');
    return SUSPENDED_EXIT_CODE;
  } finally {
    await telemetry?.end();
    client.close();
  }
}

const isNotTaken = (error: unknown): boolean => error instanceof RestoreHooksError && error.code === 'INTERRUPTED';

/** Wait for work that only reads, unless this process is asked to end: then don't wait any longer. */
function unlessAsked<T>(asked: AbortSignal, work: Promise<T>): Promise<T> {
  const ended = new Promise<never>((_, reject) => {
    if (asked.aborted) reject(asked.reason);
    else asked.addEventListener('abort', () => reject(asked.reason), { once: true });
  });
  return Promise.race([work, ended]);
}

type Run = Pick<RunToBegin, 'config' | 'input' | 'runner' | 'runID' | 'claimant' | 'shard'>;

/** The run to carry out, or the exit code if there is nothing to run. */
async function runOf(
  client: KubeClient,
  config: RunnerConfig,
  env: Env,
  log: Logger,
): Promise<Run | { readonly exitCode: number }> {
  const { namespace, 'run-namespace': jobNamespace = namespace } = config;
  const podName = env['POD_NAME'] || env['HOSTNAME'] || hostname();
  const jobName = env['JOB_NAME'];
  const runner = jobName ? ({ kind: 'job', name: jobName } as const) : await runnerOf(client, jobNamespace, podName);
  const limitMs = config['wait-for-restore'];
  if (limitMs !== undefined) await awaitRestore(client, systemClock, restoreToAwait(config, limitMs, log));
  if (config.plan === undefined) await compareWithDefaults(client, config, runner, log);
  const input =
    config.plan === undefined
      ? await ownPlan(
          client,
          systemClock,
          config,
          await readHookFiles(config.hooks, { cwd: process.cwd(), stdin: process.stdin }),
          log,
        )
      : readPlanDirectory(config.plan);
  if (!('plan' in input)) return { exitCode: input.ended === undefined ? ExitCode.Ok : exitCodeOf(input.ended) };
  if (jobName) await refuseGivenUp(client, jobNamespace, jobName);
  const runID = config['run-id'] ?? (await ownRun(client, config, runner, input.plan.digest)) ?? newRunID();
  const claimant = { name: podName, id: env['POD_UID'] || podName };
  const shard = shardOf(config, env['JOB_COMPLETION_INDEX']);
  if (shard === undefined) return { config, input, runner, runID, claimant };
  if (!hasNothing(input, shard)) return { config, input, runner, runID, claimant, shard };
  log.info('this shard has no pod', { runID, shard: shard.index, shards: shard.of });
  return { exitCode: ExitCode.Ok };
}

/** Which shard this pod of an Indexed Job carries out (R8.40). */
function shardOf({ parallelism }: RunnerConfig, index: string | undefined): Shard | undefined {
  if (parallelism === 1) return undefined;
  if (index !== undefined && /^\d+$/.test(index) && Number(index) < parallelism) {
    return { index: Number(index), of: parallelism };
  }
  throw new RestoreHooksError(
    'INVALID_ARGUMENT',
    `JOB_COMPLETION_INDEX is ${JSON.stringify(index)}; with --parallelism=${parallelism} a number below that is expected`,
    { hint: 'the pods of an Indexed Job have it: let apply make the Job' },
  );
}

async function carryOut(
  client: KubeClient,
  run: Run,
  env: Env,
  log: Logger,
  asked: AbortSignal,
  telemetry: Telemetry,
): Promise<number> {
  const { runID, shard } = run;
  const started = await begin(client, systemClock, { ...run, signal: asked }, log, telemetry);
  // Whether hooks have failed anywhere is for the first shard to say: any other code would end the Job (R8.49).
  if ('ended' in started) return isFollower(shard) ? ExitCode.Ok : exitCodeOf(started.ended);
  const graceMs = Math.max(1, Number(env['TERMINATION_GRACE_SECONDS'] ?? 30) - LAST_WORDS_SECONDS) * 1000;
  let dropLater = (): void => undefined;
  const onTerminate = () => {
    log.warn('asked to end: nothing more is started, the next runner goes on');
    started.suspend();
    dropLater = systemClock.setTimer(graceMs, () => started.drop());
  };
  if (asked.aborted) onTerminate();
  else asked.addEventListener('abort', onTerminate, { once: true });
  const { status: last } = await started.done.finally(() => dropLater());
  if (!hasEnded(last)) {
    log.info('run suspended', { runID, counts: last.counts });
    return SUSPENDED_EXIT_CODE; // R6.17
  }
  if (isFollower(shard)) {
    log.info('shard ended', { runID, shard: shard?.index, counts: last.counts, failure: last.failure });
    return ExitCode.Ok;
  }
  log.info('run ended', { runID, phase: last.phase, counts: last.counts, failure: last.failure });
  return exitCodeOf(last);
}

/** How much of the pod's grace period is kept for writing the final status. */
const LAST_WORDS_SECONDS = 10;

/** The run that an earlier pod of this Job has begun, for a Job that makes its own plan. */
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

/**
 * Refuse to begin if the launcher has given this Job up: it may have marked the run as failed, and this pod came too
 * late (R6.14).
 */
async function refuseGivenUp(client: KubeClient, namespace: string, name: string): Promise<void> {
  const { metadata } = (await client.get(paths.jobs(namespace, name))) as { metadata?: { deletionTimestamp?: string } };
  if (metadata?.deletionTimestamp === undefined) return;
  throw new RestoreHooksError('RUN_BY_ANOTHER', `Job ${name} is being deleted; nothing is started`);
}

/**
 * The Job of this pod: others look at it to see whether the runner is alive. A Job that was written by hand may not
 * tell its name; then it is taken from the pod's name, which begins with it. If there is no such Job in the namespace
 * of runs, others can't tell, as with a local run.
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
