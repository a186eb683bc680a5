import { hostname, userInfo } from 'node:os';
import process from 'node:process';
import { ExitCode, RestoreHooksError } from '../shared/core/errors.ts';
import type { RunOptions } from '../shared/core/manifests/job.ts';
import type { Restore } from '../shared/core/model/restore.ts';
import { runName, runSelector } from '../shared/core/names.ts';
import { busyPhase } from '../shared/core/plan/velero.ts';
import type { Decision, Earlier } from '../shared/core/report/decide.ts';
import { restoreReference } from '../shared/core/report/make-plan-document.ts';
import type { Payload, PodToCreate } from '../shared/core/report/payload.ts';
import type { PlanDocument } from '../shared/core/report/plan-document.ts';
import type { RunHook } from '../shared/core/report/run-document.ts';
import { isAskedFor } from '../shared/core/report/run-hook.ts';
import type { RunStatus } from '../shared/core/report/run-status.ts';
import { exitCodeOf, hasEnded, progressLine } from '../shared/core/report/run-status.ts';
import { newRunID, newStatus, versionOf } from '../shared/kubernetes/claim.ts';
import { createRunObjects, runManifests } from '../shared/kubernetes/launch.ts';
import { holderOf } from '../shared/kubernetes/lease.ts';
import { getRestore } from '../shared/kubernetes/restores.ts';
import { readReport, runStatusOf, writeStatus } from '../shared/kubernetes/run-store.ts';
import type { RunObserver } from '../shared/runtime/run.ts';
import { carryOut } from '../shared/wiring/carry-out.ts';
import { takeRun } from '../shared/wiring/take-run.ts';
import type { RunnerArguments } from './apply-args.ts';
import type { CommandResult } from './command.ts';
import type { Context } from './context.ts';
import { asDead, follow, runDocument } from './follow.ts';
import { createHistoryFile } from './history-file.ts';
import { jobStart, writeFailed } from './job-start.ts';
import { count, noticeLines, summary } from './output/plan-view.ts';
import { createProgress } from './output/progress.ts';
import { eventLine, runView } from './output/run-view.ts';
import type { Session } from './session.ts';

/** How often the decision is made anew because somebody else wrote to the Restore in between. */
const DECIDE_TRIES = 10;

export type Starting = Decision & { action: 'start' };

/** Decide again where somebody else has written to the Restore since it was read. */
export async function untilWritten(once: () => Promise<CommandResult>): Promise<CommandResult> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await once();
    } catch (error) {
      const isConflict = error instanceof RestoreHooksError && error.code === 'WRITE_CONFLICT';
      if (!isConflict || tries >= DECIDE_TRIES) throw error;
    }
  }
}

/** What `apply` and `retry` have in common: to launch a run, or carry it out here, and to follow or show one. */
export class Launcher {
  readonly #session: Session;
  readonly #name: string;
  readonly #args: RunnerArguments;
  readonly #context: Context;
  readonly #options: RunOptions;
  #announced = '';

  constructor(session: Session, name: string, args: RunnerArguments, context: Context) {
    this.#session = session;
    this.#name = name;
    this.#args = args;
    this.#context = context;
    const { maxConcurrent, capture, failOn, keepRestorePhase, onUnknown, record } = args;
    this.#options = { maxConcurrent, capture, failOn, keepRestorePhase, onUnknown, record: record !== undefined };
  }

  /** Say what is about to be done, once. */
  announce(
    restore: Restore,
    document: PlanDocument,
    { kept, difference, lost }: Starting,
    rights: readonly string[],
  ): void {
    if (this.#announced === document.digest) return;
    this.#announced = document.digest;
    const { namespace, cluster } = this.#session;
    const { image, serviceAccount, runner } = this.#args;
    const backup = restore.spec.backupName ? `, backup ${restore.spec.backupName}` : '';
    const phase = busyPhase(restore) === undefined ? '' : ` (Velero isn't done: ${busyPhase(restore)})`;
    this.say(`context   ${cluster}`);
    this.say(`restore   ${namespace}/${this.#name}${backup}${phase}`);
    this.say(
      runner === 'job' ? `runner    Job as ServiceAccount ${serviceAccount}, image ${image}` : 'runner    this process',
    );
    this.say(`plan      ${summary(document)}, ${document.digest}`);
    for (const note of rights) this.say(`rights    ${note}`);
    if (kept.length > 0) this.say(`kept      ${count(kept.length, 'hook')} of earlier runs: not run again`);
    if (lost.length > 0)
      this.say(`again     ${count(lost.length, 'hook')} that may have been run (--on-unknown=rerun)`);
    for (const line of difference) this.say(`          ${line}`);
    for (const line of noticeLines(document)) this.say(line);
  }

  /** Start what was decided, in a Job or here; nobody may be at work by then. */
  async start(
    restore: Restore,
    document: PlanDocument,
    { kept, lost }: Starting,
    earlier: Earlier | undefined,
    pods: readonly PodToCreate[],
  ): Promise<CommandResult> {
    if (this.#args.dryRun === undefined) await this.#requireNobody(restore);
    const payload: Payload = {
      version: 1,
      plan: document,
      kept: [...kept],
      pods: [...pods],
      ...(lost.length > 0 ? { lost: [...lost] } : {}),
      ...(earlier?.died && earlier.takesOver ? { takesOver: earlier.takesOver } : {}),
    };
    return this.#args.runner === 'job' ? this.#launch(restore, payload) : this.#runHere(restore, payload);
  }

  /** A runner whose Job was deleted may still be waiting for running hooks. */
  async #requireNobody(restore: Restore): Promise<void> {
    const { client, namespace } = this.#session;
    const reference = restoreReference(restore, namespace);
    const holder = await holderOf(client, this.#context.clock, reference).catch((error: unknown) => {
      // Who may not look at it leaves it to the runner.
      if (error instanceof RestoreHooksError && error.code === 'FORBIDDEN') return undefined;
      throw error;
    });
    if (holder === undefined) return;
    const run = holder.runID === undefined ? '' : ` (run ${holder.runID})`;
    throw new RestoreHooksError('RUN_BY_ANOTHER', `${holder.name}${run} is still working on Restore ${this.#name}`, {
      hint: 'it may be waiting for running hooks to end; try again in a minute',
    });
  }

  async #launch(restore: Restore, payload: Payload): Promise<CommandResult> {
    const { client, namespace } = this.#session;
    const { image, imagePullSecret, serviceAccount, dryRun } = this.#args;
    const runID = newRunID();
    const manifests = runManifests(payload, {
      restore: payload.plan.restore,
      runID,
      image,
      imagePullSecrets: imagePullSecret,
      serviceAccount,
      options: this.#options,
      after: runStatusOf(restore)?.runID,
    });
    if (dryRun === 'server') await createRunObjects(client, namespace, manifests, true);
    if (dryRun !== undefined) return { view: { kind: 'manifests', manifests } };
    const status = newStatus(restore, {
      runID,
      planned: { document: payload.plan },
      runner: { kind: 'job', name: runName(this.#name, runID) },
      options: this.#options,
      now: this.#context.clock.now(),
    });
    await writeStatus(client, versionOf(restore, namespace), status);
    try {
      await createRunObjects(client, namespace, manifests);
    } catch (error) {
      await this.#launchFailed(status, error);
      throw asRunFailure(error);
    }
    this.say(`run       ${runID}: Job ${status.runner.name} created`);
    if (this.#options.record) {
      const logs = `kubectl logs -n ${namespace} -l ${runSelector(runID)} --tail=-1`;
      this.say(`history   ${logs} > history.jsonl`);
    }
    if (this.#args.noWait) return this.shown(restore, status, []);
    return this.follow();
  }

  /** The run is known already, but can't come to be: say so where it is known. */
  async #launchFailed(status: RunStatus, error: unknown): Promise<void> {
    const { client, namespace } = this.#session;
    const restore = await getRestore(client, namespace, this.#name);
    const message = error instanceof Error ? error.message : String(error);
    await writeFailed({ client, namespace }, restore, status, `the Job could not be created: ${message}`);
  }

  async follow(): Promise<CommandResult> {
    const beside = jobStart(this.#session, this.#name, this.#context);
    const { restore, status, rows } = await follow(
      this.#session,
      this.#name,
      this.#context,
      this.#args.timeout,
      beside,
    );
    return this.#ended(restore, status, rows);
  }

  async #runHere(restore: Restore, payload: Payload): Promise<CommandResult> {
    const { record } = this.#args;
    if (!record) return this.#runRecorded(restore, payload, undefined);
    const history = createHistoryFile(record, this.#context.cwd, (message) => this.say(`warning: ${message}`));
    try {
      return await this.#runRecorded(restore, payload, (line) => history.write(line));
    } finally {
      history.close();
    }
  }

  async #runRecorded(restore: Restore, payload: Payload, record: RunObserver['record']): Promise<CommandResult> {
    const { client, namespace } = this.#session;
    const { clock, signal, secondSignal, stderr, env } = this.#context;
    const runner = { kind: 'local', name: `${userInfo().username}@${hostname()} (process ${process.pid})` } as const;
    const runID = newRunID();
    const planned = { document: payload.plan };
    const status = newStatus(restore, { runID, planned, runner, options: this.#options, now: clock.now() });
    await writeStatus(client, versionOf(restore, namespace), status);
    const taken = await takeRun(client, clock, {
      runID,
      payload,
      claimant: { name: runner.name, id: runner.name },
      onUnknown: this.#options.onUnknown,
      unwritten: () => status,
      warn: (message) => this.say(`warning: ${message}`),
    });
    if ('ended' in taken) return this.#ended(restore, taken.ended, []);
    const progress = createProgress(stderr, clock, env);
    const started = carryOut(client, clock, taken, this.#options, {
      changed(rows) {
        for (const row of rows) if (row.state !== 'Waiting' && !isAskedFor(row)) progress.event(eventLine(row));
      },
      warn: (what, error) => progress.event(`warning: ${what}: ${error.message}`),
      record,
    });
    let suspended: 'INTERRUPTED' | 'TIMEOUT' = 'INTERRUPTED';
    const stop = () => {
      progress.event('stopping: nothing more is started; running hooks end (Ctrl-C again drops them)');
      started.suspend();
    };
    const timeIsUp = () => {
      suspended = 'TIMEOUT';
      stop();
    };
    const drop = () => started.drop();
    const stopTimer = this.#args.timeout === undefined ? undefined : clock.setTimer(this.#args.timeout, timeIsUp);
    signal.addEventListener('abort', stop, { once: true });
    secondSignal.addEventListener('abort', drop, { once: true });
    if (signal.aborted) stop();
    try {
      const { status: last, rows } = await started.done;
      const shown = this.#ended(restore, last, await this.#withOutput(last, rows));
      return hasEnded(last) ? shown : { ...shown, error: this.#suspended(suspended) };
    } finally {
      stopTimer?.();
      signal.removeEventListener('abort', stop);
      secondSignal.removeEventListener('abort', drop);
      progress.end();
    }
  }

  #suspended(code: 'INTERRUPTED' | 'TIMEOUT'): RestoreHooksError {
    const why = code === 'TIMEOUT' ? '--timeout is over' : 'interrupted';
    return new RestoreHooksError(code, `${why}: the run is suspended, what has not been started is left`, {
      hint: `go on with it: kubectl restorehooks apply ${this.#name} -n ${this.#session.namespace}, or retry`,
    });
  }

  /** The rows as the report has them, with what the hooks printed; without, where it is gone together with the Restore. */
  async #withOutput(status: RunStatus, rows: readonly RunHook[]): Promise<readonly RunHook[]> {
    const { client, namespace } = this.#session;
    try {
      const reported = await readReport(client, { namespace, name: this.#name }, status);
      return reported.length === rows.length ? reported : rows;
    } catch (error) {
      if (error instanceof RestoreHooksError) return rows;
      throw error;
    }
  }

  /** Write down what the reader has found: the runner died, and nothing is left that may be run. */
  async settle(restore: Restore, status: RunStatus, rows: readonly RunHook[]): Promise<CommandResult> {
    const { client, namespace } = this.#session;
    const reference = restoreReference(restore, namespace);
    const dead = await asDead(this.#session, this.#context, reference, status, rows);
    if (this.#args.dryRun === undefined) await writeStatus(client, versionOf(restore, namespace), dead.status);
    return this.#ended(restore, dead.status, dead.rows);
  }

  #ended(restore: Restore, status: RunStatus, rows: readonly RunHook[]): CommandResult {
    const why = status.failure === undefined ? '' : `: ${status.failure.message}`;
    this.say(`${status.phase}: ${progressLine(status.counts)}${why}`);
    return this.shown(restore, status, rows, exitCodeOf(status));
  }

  shown(
    restore: Restore,
    status: RunStatus,
    rows: readonly RunHook[],
    exit: ExitCode = hasEnded(status) ? exitCodeOf(status) : ExitCode.Ok,
  ): CommandResult {
    return { view: runView(runDocument(restore, this.#session.namespace, status, rows)), exit };
  }

  refused(why: string): RestoreHooksError {
    return new RestoreHooksError('RUN_BY_ANOTHER', why, {
      hint: `follow it: kubectl restorehooks status ${this.#name} -n ${this.#session.namespace} -w`,
    });
  }

  say(line: string): void {
    createProgress(this.#context.stderr, this.#context.clock, this.#context.env).event(line);
  }
}

/** A Job that can't be created is a run that could not start. */
function asRunFailure(error: unknown): unknown {
  if (!(error instanceof RestoreHooksError) || error.code === 'CLUSTER_UNREACHABLE' || error.code === 'FORBIDDEN')
    return error;
  return new RestoreHooksError('RUN_FAILED', `the run's objects could not be created: ${error.message}`, {
    cause: error,
  });
}
