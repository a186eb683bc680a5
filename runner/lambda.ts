import { randomUUID } from 'node:crypto';
import process from 'node:process';
import type { Context, Handler } from 'aws-lambda';
import { ExitCode, RestoreHooksError } from '../shared/core/errors.ts';
import type { RunInput } from '../shared/core/report/run-input.ts';
import type { RunStatus } from '../shared/core/report/run-status.ts';
import { exitCodeOf, hasEnded } from '../shared/core/report/run-status.ts';
import { sanitizeText } from '../shared/core/sanitize.ts';
import { VERSION } from '../shared/core/version.ts';
import { kubeApiError } from '../shared/kubernetes/api/api-error.ts';
import type { KubeClient } from '../shared/kubernetes/api/client.ts';
import { kubeClient } from '../shared/kubernetes/api/client.ts';
import { eksConfig } from '../shared/kubernetes/connect/eks.ts';
import { newRunID, runIDOf } from '../shared/kubernetes/run/claim.ts';
import { runStatusOf } from '../shared/kubernetes/run/run-store.ts';
import { awaitRestore } from '../shared/kubernetes/velero/await-restore.ts';
import { getRestore } from '../shared/kubernetes/velero/restores.ts';
import type { Clock } from '../shared/ports/ports.ts';
import type { StartedRun } from '../shared/runtime/run.ts';
import { startClock } from '../shared/system/clock.ts';
import type { Logger } from '../shared/system/log.ts';
import { jsonLogger } from '../shared/system/log.ts';
import { telemetryOf } from '../shared/wiring/telemetry.ts';
import { apiWarning, begin } from './begin.ts';
import type { LambdaCall } from './lambda-event.ts';
import { lambdaCall } from './lambda-event.ts';
import { launchJob, lookAtJob } from './lambda-job.ts';
import { ownPlan, restoreToAwait } from './own-plan.ts';

/** The answer of one call. If it is not `done`, call again with the same event. */
export interface LambdaResult extends Partial<Pick<RunStatus, 'runID' | 'phase' | 'counts'>> {
  readonly done: boolean;
  readonly restore: string;
  readonly namespace: string;
  /** The exit code that the plugin would have. Only of a run that is over. */
  readonly exitCode?: ExitCode;
  /** What of the Restore this call has waited for. There is no run yet. */
  readonly waitsFor?: string;
}

export const handler: Handler<unknown, LambdaResult> = async (event, context) => {
  const log = jsonLogger(process.stdout);
  try {
    return await answer(lambdaCall(event, process.env), context, log);
  } catch (error) {
    if (!(error instanceof RestoreHooksError)) throw error;
    const { code, message } = error;
    const isUnknown = kubeApiError(error)?.status === 401;
    const hint = isUnknown ? "make the function's role known to the cluster: docs/lambda.md" : error.hint;
    log.error('the run could not go on', { code, reason: message, hint });
    throw named({ code, message, hint });
  }
};

/** An error with a name, by which Step Functions tells errors apart: RESTORE_NOT_FOUND becomes RestoreNotFound. */
function named({ code, message, hint }: Pick<RestoreHooksError, 'code' | 'message' | 'hint'>): Error {
  const error = new Error(sanitizeText(hint === undefined ? message : `${message}\n${hint}`));
  error.name = code.toLowerCase().replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
  // Lambda logs the stack. For an error that is explained the place where it was thrown says nothing more.
  error.stack = `${error.name}: ${error.message}`;
  return error;
}

interface Call extends LambdaCall {
  readonly client: KubeClient;
  /** A new clock for each call: between two calls Lambda stops the process, and its monotonic clock with it. */
  readonly clock: Clock;
  /** When Lambda ends this process. */
  readonly deadline: number;
  readonly functionName: string;
  readonly log: Logger;
  /** Whether this call has waited for the Restore. */
  hasWaited: boolean;
}

async function answer(call: LambdaCall, context: Context, log: Logger): Promise<LambdaResult> {
  const clock = startClock();
  const deadline = clock.now() + context.getRemainingTimeInMillis();
  const { functionName, awsRequestId } = context;
  const { restore, namespace } = call.config;
  log.info('called', { restore, namespace, cluster: call.cluster.name, mode: call.mode, requestId: awsRequestId });
  // Each call has a client of its own: connections don't survive the time between two calls, when Lambda freezes us.
  const client = kubeClient(await eksConfig(call.cluster, process.env), {
    userAgent: `restorehooks-lambda/${VERSION}`,
    onWarning: apiWarning(log),
  });
  try {
    const own: Call = { ...call, client, clock, deadline, functionName, log, hasWaited: false };
    const waitsFor = await restoreToWaitFor(own);
    if (waitsFor !== undefined) {
      log.info('not done: call again', { restore, namespace, waitsFor });
      return { done: false, restore, namespace, waitsFor };
    }
    const status = await runFor(own);
    if (status === 'late') {
      log.info('the Restore is ready, and little time is left: call again', { restore, namespace });
      return { done: false, restore, namespace, waitsFor: 'it is ready, and the next call begins its run' };
    }
    const done = status === undefined || hasEnded(status);
    const result = {
      done,
      restore,
      namespace,
      ...(status && { runID: status.runID, phase: status.phase, counts: status.counts }),
      ...(done && { exitCode: status === undefined ? ExitCode.Ok : exitCodeOf(status) }),
    };
    log.info(done ? 'done' : 'not done: call again', { ...result, failure: status?.failure });
    return result;
  } finally {
    client.close();
  }
}

/**
 * Wait for the Restore if the event asks for that, until the deadline is near. Returns what the next call has to wait for;
 * undefined: nothing (R7.80).
 */
async function restoreToWaitFor(call: Call) {
  const { client, clock, config, executionStart, deadline, margin, log } = call;
  const limitMs = config['wait-for-restore'];
  if (limitMs === undefined) return undefined;
  // The limit is that of the whole execution, which may take several calls.
  const begunAt = executionStart === undefined ? clock.now() : Date.parse(executionStart);
  const leftMs = Math.max(0, begunAt + limitMs - clock.now());
  const hereMs = Math.max(0, deadline - margin - clock.now());
  const awaited = restoreToAwait(config, Math.min(leftMs, hereMs), log);
  let last = 'nothing has answered yet';
  const tell = (waitsFor: string): void => {
    call.hasWaited = true;
    last = waitsFor;
    awaited.tell(waitsFor);
  };
  try {
    await awaitRestore(client, clock, { ...awaited, tell });
    return undefined;
  } catch (error) {
    if (!(error instanceof RestoreHooksError) || error.code !== 'TIMEOUT' || leftMs <= hereMs) throw error;
    return last;
  }
}

/** Do this call's part of the run, and return the run's status; undefined if there are no hooks; `late`: it is left to the next call. */
async function runFor(call: Call): Promise<RunStatus | 'late' | undefined> {
  const { client, clock, config, execution, mode } = call;
  const restore = await getRestore(client, config.namespace, config.restore);
  const status = runStatusOf(restore);
  const wanted = execution === undefined ? undefined : runIDOf(execution);
  // Don't plan again: since the run has ended pods may have come and gone, and the plan would be another one.
  if (status !== undefined && status.runID === wanted && hasEnded(status)) return status;
  const isGoing = status !== undefined && !hasEnded(status);
  if (mode === 'job' && isGoing && status.runner.kind === 'job') {
    return lookAtJob(client, clock, config.namespace, restore, status);
  }
  const input = await ownPlan(client, clock, config, call.hookFiles, call.log);
  // If a run is going on it has to be carried on, also if a new plan would have nothing to run.
  const own = isGoing ? ownRun(call, status, 'plan' in input ? input : undefined) : undefined;
  if (!('plan' in input)) return input.ended;
  const runID = own ?? wanted ?? newRunID();
  return mode === 'job' ? launchJob(client, clock, call, runID, input, restore) : runHere(call, input, runID);
}

const runnerOf = ({ functionName }: Call) => ({ kind: 'local', name: `Lambda ${functionName}` }) as const;

/** The ID of the run that an earlier call has begun. It can only go on with the plan that it began with. */
function ownRun(call: Call, { runID, runner, planDigest }: RunStatus, input: RunInput | undefined): string {
  const { restore: name, namespace } = call.config;
  const isOwn = call.mode === 'run' && runner.kind === 'local' && runner.name === runnerOf(call).name;
  if (isOwn && planDigest === input?.plan.digest) return runID;
  const why = isOwn
    ? `the plan of Restore ${name} has changed since run ${runID} began: pods or hooks came, went or were replaced`
    : `run ${runID} of Restore ${name} is still going (${runner.kind} ${runner.name})`;
  throw new RestoreHooksError('RUN_BY_ANOTHER', `${why}; nothing is started`, {
    hint: `the plugin tells what is left, and runs it: kubectl restorehooks apply ${name} -n ${namespace}`,
  });
}

/** At most this much of the margin is kept for writing the final status. */
const LAST_WORDS_MS = 10_000;

/**
 * Run until the run ends or the deadline is near. Then no hook is started, and running ones have until shortly before
 * it (R8.8).
 */
async function runHere(call: Call, input: RunInput, runID: string): Promise<RunStatus | 'late'> {
  const { client, clock, config, deadline, margin, log } = call;
  if (input.pods.length > 0) {
    throw new RestoreHooksError('INVALID_ARGUMENT', 'this plan creates pods, which mode: run does not support', {
      hint: 'use mode: job: after a pod is created, the next call would make another plan',
    });
  }
  const stopAt = deadline - margin;
  if (clock.now() >= stopAt) {
    if (call.hasWaited) return 'late';
    throw new RestoreHooksError('INVALID_ARGUMENT', `less than the margin of ${margin / 1000}s was left to this call`, {
      hint: "raise the function's timeout, or lower the event's margin",
    });
  }
  const runner = runnerOf(call);
  const id = randomUUID();
  const claimant = { name: `${runner.name} (${id.slice(0, 8)})`, id };
  const run = { config, input, runner, runID, claimant, giveUpAt: stopAt };
  try {
    const started = await begin(client, clock, run, log, telemetryOf(client));
    return 'ended' in started ? started.ended : await untilDeadline(call, started, stopAt);
  } catch (error) {
    if (!(error instanceof RestoreHooksError) || error.code !== 'TIMEOUT') throw error;
    log.warn('this call starts nothing', { reason: error.message });
    const status = runStatusOf(await getRestore(client, config.namespace, config.restore));
    if (status?.runID !== runID) throw error;
    return status;
  }
}

async function untilDeadline({ clock, deadline, margin, log }: Call, started: StartedRun, stopAt: number) {
  const at = (when: number, act: () => void) => clock.setTimer(Math.max(0, when - clock.now()), act);
  const cancelTimers = [
    at(stopAt, () => {
      log.warn('the deadline is near: nothing more is started, the next call goes on');
      started.suspend();
    }),
    at(deadline - Math.min(LAST_WORDS_MS, margin / 2), () => started.drop()),
  ];
  try {
    return (await started.done).status;
  } finally {
    for (const cancel of cancelTimers) cancel();
  }
}
