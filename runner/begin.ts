import { HISTORY_MESSAGE } from '../shared/core/execute/history.ts';
import type { RunOptions } from '../shared/core/manifests/job.ts';
import type { RunHook } from '../shared/core/report/run-document.ts';
import { isAskedFor } from '../shared/core/report/run-hook.ts';
import type { RunInput } from '../shared/core/report/run-input.ts';
import type { RunStatus } from '../shared/core/report/run-status.ts';
import { VERSION } from '../shared/core/version.ts';
import type { KubeClient } from '../shared/kubernetes/api/client.ts';
import { newStatus } from '../shared/kubernetes/run/claim.ts';
import { LIVE_MESSAGE } from '../shared/kubernetes/run/live-output.ts';
import { runStatusOf } from '../shared/kubernetes/run/run-store.ts';
import type { Clock } from '../shared/ports/ports.ts';
import type { RunObserver, StartedRun } from '../shared/runtime/run.ts';
import type { Logger } from '../shared/system/log.ts';
import { carryOut } from '../shared/wiring/carry-out.ts';
import type { RunToTake } from '../shared/wiring/take-run.ts';
import { takeRun } from '../shared/wiring/take-run.ts';
import type { Telemetry } from '../shared/wiring/telemetry.ts';
import type { RunnerConfig } from './config.ts';
import { refuseWhatMayHaveRun } from './own-plan.ts';

export interface RunToBegin extends Pick<RunToTake, 'runID' | 'claimant' | 'giveUpAt' | 'signal' | 'shard'> {
  readonly config: RunnerConfig;
  readonly input: RunInput;
  readonly runner: RunStatus['runner'];
}

export const runOptions = (config: RunnerConfig): RunOptions => ({
  maxConcurrent: config['max-concurrent'],
  capture: config.capture,
  failOn: config['fail-on'],
  keepRestorePhase: config['keep-restore-phase'],
  onUnknown: config['on-unknown'],
  record: config.record,
  deadlineMs: config.deadline,
  metricsPort: config['metrics-port'],
  parallelism: config.parallelism,
});

/**
 * Log warnings of the API server (PodSecurity, deprecations, policies): they may explain why a created pod doesn't
 * start.
 */
export const apiWarning = (log: Logger) => (warning: string) => log.warn('the API server warns', { warning });

/** Claim a run, then start it or go on with it. Returns the status of a run that has ended meanwhile. */
export async function begin(
  client: KubeClient,
  clock: Clock,
  { config, input, runner, ...run }: RunToBegin,
  log: Logger,
  telemetry: Telemetry,
): Promise<StartedRun | { readonly ended: RunStatus }> {
  const options = runOptions(config);
  const { runID } = run;
  const document = input.plan;
  const taken = await takeRun(client, clock, {
    ...run,
    input,
    ownJob: runner.kind === 'job' ? runner.name : undefined,
    onUnknown: options.onUnknown,
    warn: (message) => log.warn(message),
    unwritten(current) {
      const earlier = runStatusOf(current);
      const isTakenIntoAccount = config.again || earlier?.runID === config.after;
      if (!isTakenIntoAccount) refuseWhatMayHaveRun(current.metadata.name, earlier, document.digest);
      return newStatus(current, {
        runID,
        planned: { document: { ...document, hooks: input.hooks } },
        runner,
        options,
        now: clock.now(),
        attempt: input.attempt,
      });
    },
  });
  if ('ended' in taken) {
    log.info('this run has ended', { runID, phase: taken.ended.phase });
    return taken;
  }
  log.info('run claimed', {
    restore: config.restore,
    namespace: config.namespace,
    runID,
    runner: taken.runner,
    version: VERSION,
    hooks: taken.input.hooks.length,
    ...(run.shard && { shard: run.shard.index, shards: run.shard.of }),
    digest: document.digest,
  });
  // Others read the log of a Job's pod; what a Lambda or a plugin writes is its caller's own.
  const live = { pod: run.claimant.name, write: (line: string) => log.info(LIVE_MESSAGE, { live: line }) };
  const observer: RunObserver = {
    changed: (rows) => {
      for (const row of rows) logRow(log, row);
    },
    warn: (what, error) => log.warn(what, { code: error.code, reason: error.message }),
    overdue: (deadline) =>
      log.warn('the deadline has passed: nothing more is started, running hooks may end', { deadline }),
    ...(config.record && { record: (line) => log.info(HISTORY_MESSAGE, { ...line }) }),
  };
  return carryOut(client, clock, taken, options, observer, telemetry, runner.kind === 'job' ? live : undefined);
}

/** Log ids, states and times. Never log a command or its output. */
function logRow(log: Logger, row: RunHook): void {
  const { id, namespace, pod, container, state, reason, exitCode, message } = row;
  const fields = { hook: id, namespace, pod, hookContainer: container, hookPhase: state, reason, exitCode, message };
  if (state === 'Waiting') log.debug('hook waits', fields);
  else if (isAskedFor(row)) log.debug('hook is being started', fields);
  else if (state === 'Running') log.info('hook started', fields);
  else log.info('hook ended', fields);
}
