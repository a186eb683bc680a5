import { hostname, userInfo } from 'node:os';
import process from 'node:process';
import type { ErrorCode } from '../../shared/core/errors.ts';
import { ExitCode, RestoreHooksError } from '../../shared/core/errors.ts';
import type { Starting } from '../../shared/core/ledger/decision.ts';
import type { Ledger } from '../../shared/core/ledger/ledger.ts';
import type { LedgerRun } from '../../shared/core/ledger/run-record.ts';
import type { RunOptions } from '../../shared/core/manifests/job.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import { runName, runSelector } from '../../shared/core/names.ts';
import { restoreReference } from '../../shared/core/plan/make-plan-document.ts';
import type { PlanDocument } from '../../shared/core/plan/plan-document.ts';
import { busyPhase } from '../../shared/core/plan/velero.ts';
import { rowDocuments } from '../../shared/core/report/hook-row.ts';
import type { Payload, PodToCreate } from '../../shared/core/report/payload.ts';
import type { RunHook } from '../../shared/core/report/run-document.ts';
import { isAskedFor } from '../../shared/core/report/run-hook.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { exitCodeOf, hasEnded, progressLine } from '../../shared/core/report/run-status.ts';
import { kubeApiError } from '../../shared/kubernetes/api/api-error.ts';
import { newRunID, newStatus, versionOf } from '../../shared/kubernetes/run/claim.ts';
import { checkRunObjects, couldNotStart, launchRun, runManifests } from '../../shared/kubernetes/run/launch.ts';
import { holderOf } from '../../shared/kubernetes/run/lease.ts';
import { markFailed } from '../../shared/kubernetes/run/mark-ended.ts';
import { readReport, runStatusOf, writeStatus } from '../../shared/kubernetes/run/run-store.ts';
import { getRestore } from '../../shared/kubernetes/velero/restores.ts';
import type { RunObserver, StartedRun } from '../../shared/runtime/run.ts';
import { carryOut } from '../../shared/wiring/carry-out.ts';
import type { TakenRun } from '../../shared/wiring/take-run.ts';
import { takeRun } from '../../shared/wiring/take-run.ts';
import type { RunnerArguments } from '../command-line/apply-args.ts';
import type { CommandResult } from '../command-line/command.ts';
import type { Session } from '../command-line/session.ts';
import { count, noticeLines, summary } from '../output/plan-view.ts';
import { createProgress } from '../output/progress.ts';
import { eventLine, runView } from '../output/run-view.ts';
import type { Context } from '../process/context.ts';
import { asDead, follow, runDocument } from './follow.ts';
import { createHistoryFile } from './history-file.ts';
import { GIVE_UP_MS, giveUp, jobStart, StartWatch } from './job-start.ts';
import { isUnclaimed, obstacleOf } from './obstacle.ts';
import { removeOldRuns } from './prune.ts';

/** How often we decide again because somebody else has written to the Restore since it was read. */
const DECIDE_TRIES = 10;
const LOOK_EVERY_MS = 1_000;

/** What the runner is told about the run besides its plan and what was decided. */
export type AboutRun = Pick<Payload, 'attempt' | 'narrowed' | 'startedOver' | 'leavesFailHooks'>;

/** Try again if somebody else has written to the Restore since it was read (R5.9). */
export async function retryOnConflict(once: () => Promise<CommandResult>): Promise<CommandResult> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await once();
    } catch (error) {
      const isConflict = error instanceof RestoreHooksError && error.code === 'WRITE_CONFLICT';
      if (!isConflict || tries >= DECIDE_TRIES) throw error;
    }
  }
}

/** What `apply` and `retry` share: launch a run or run it here, and follow or show it. */
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

  /** Tell what is going to be done, once for each plan (R7.3). */
  announce(
    restore: Restore,
    document: PlanDocument,
    { kept, difference, lost, quiet }: Starting,
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
    for (const { namespace: where, pod, until = 'ever' } of quiet) {
      this.say(`quiet     ${where}/${pod}: a command of an earlier run may be running there until ${until}`);
    }
    for (const line of difference) this.say(`          ${line}`);
    for (const line of noticeLines(document)) this.say(line);
  }

  /** Start the run, in a Job or here. Refuses if another runner is still at work. */
  async start(
    restore: Restore,
    document: PlanDocument,
    { kept, lost, quiet, takesOver }: Starting,
    ledger: Ledger,
    about: AboutRun,
    pods: readonly PodToCreate[],
  ): Promise<CommandResult> {
    if (this.#args.dryRun === undefined) await this.#requireNobody(restore);
    const payload: Payload = {
      version: 1,
      plan: document,
      kept: rowDocuments(kept),
      pods: [...pods],
      ...about,
      ...(lost.length > 0 ? { lost: [...lost] } : {}),
      ...(quiet.length > 0 ? { quiet: [...quiet] } : {}),
      ...(takesOver ? { takesOver } : {}),
    };
    const isJob = this.#args.runner === 'job';
    const result = await (isJob ? this.#launch(restore, payload) : this.#runHere(restore, payload));
    if (this.#args.dryRun === undefined) await removeOldRuns(this.#session, document.restore, ledger);
    return result;
  }

  /** Refuse if a runner holds the Restore's Lease: its Job may be deleted while it still waits for running hooks. */
  async #requireNobody(restore: Restore): Promise<void> {
    const { client, namespace } = this.#session;
    const reference = restoreReference(restore, namespace);
    const holder = await holderOf(client, this.#context.clock, reference).catch((error: unknown) => {
      // A user who may not read the Lease leaves the check to the runner.
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
    if (dryRun === 'server') await checkRunObjects(client, namespace, manifests);
    if (dryRun !== undefined) return { view: { kind: 'manifests', manifests } }; // R7.5
    const status = newStatus(restore, {
      runID,
      planned: { document: payload.plan },
      runner: { kind: 'job', name: runName(this.#name, runID) },
      options: this.#options,
      now: this.#context.clock.now(),
      attempt: payload.attempt,
    });
    return this.#context.stop.hold(async () => {
      await this.#whole(status, this.#create(restore, status, manifests));
      this.say(`run       ${runID}: Job ${status.runner.name} created`);
      if (this.#options.record) {
        const logs = `kubectl logs -n ${namespace} -l ${runSelector(runID)} --tail=-1`;
        this.say(`history   ${logs} > history.jsonl`);
      }
      if (this.#args.noWait) return this.shown(restore, status, []);
      return this.follow();
    });
  }

  async #create(restore: Restore, status: RunStatus, manifests: readonly object[]): Promise<void> {
    const { client, namespace } = this.#session;
    await this.#write(restore, status);
    const run = { namespace, name: this.#name, runID: status.runID };
    await launchRun(client, run, manifests, { adopt: true, warn: (message) => this.say(`warning: ${message}`) });
  }

  /** Write the status to the Restore. This is the first write of a run: from now on others see it. */
  async #write(restore: Restore, status: RunStatus): Promise<void> {
    const { client, namespace } = this.#session;
    const { stop } = this.#context;
    try {
      await writeStatus(client, versionOf(restore, namespace), status);
    } catch (error) {
      if (!(error instanceof RestoreHooksError)) throw error;
      if (error.code === 'WRITE_CONFLICT') throw stop.why ?? error;
      const answer = kubeApiError(error);
      if (answer !== undefined && answer.status < 500) throw couldNotStart(error);
      // The status may have been written although the answer was an error.
      const now = runStatusOf(await getRestore(client, namespace, this.#name));
      if (now?.runID !== status.runID) throw error;
    }
  }

  /** Wait for a start that has begun, for some seconds also after the command is asked to end (R6.28). */
  #whole<T>({ runID }: RunStatus, start: Promise<T>): Promise<T> {
    const { stop, clock } = this.#context;
    const hint = `see it with: kubectl restorehooks status ${this.#name} -n ${this.#session.namespace}`;
    return stop.finish(clock, `run ${runID} was being started; it may go on`, hint, start);
  }

  /**
   * Give up an earlier run whose runner can't start, so that a new run may. A Job older than `GIVE_UP_MS` is given up
   * at once. A younger one is waited for and then given up, but only if it is `inTheWay`. True if the Restore must be
   * read again.
   */
  async endStuck(restore: Restore, inTheWay: boolean): Promise<boolean> {
    const status = runStatusOf(restore);
    if (this.#args.dryRun !== undefined || status === undefined || !isUnclaimed(status)) return false;
    const { clock, stop } = this.#context;
    const watch = new StartWatch(this.#context);
    for (let looks = 0; ; looks += 1) {
      const obstacle = await obstacleOf(this.#session, status);
      if (obstacle?.fatal !== true) return looks > 0;
      const { jobMadeAt = clock.now() } = obstacle;
      if (!inTheWay && clock.now() - jobMadeAt < GIVE_UP_MS) return false;
      const line = watch.look(obstacle, jobMadeAt);
      if (line !== undefined) {
        this.say(`run ${status.runID} is given up: nothing of it has been run`);
        await stop.hold(() => giveUp(this.#session, this.#name, status, line));
        return true;
      }
      if (looks === 0) this.say(`run ${status.runID} is given up if its runner doesn't start in a moment`);
      await new Promise<void>((resolve) => clock.setTimer(LOOK_EVERY_MS, resolve));
    }
  }

  async follow(): Promise<CommandResult> {
    const between = jobStart(this.#session, this.#name, this.#context, true);
    try {
      const { restore, status, rows } = await follow(this.#session, this.#name, this.#context, between);
      return this.#ended(restore, status, rows);
    } catch (error) {
      // After SIGTERM the run goes on, as after Ctrl-C.
      if (!(error instanceof RestoreHooksError) || error.code !== 'TERMINATED') throw error;
      throw new RestoreHooksError('INTERRUPTED', error.message, error.hint === undefined ? {} : { hint: error.hint });
    }
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

  #runRecorded(restore: Restore, payload: Payload, record: RunObserver['record']): Promise<CommandResult> {
    const { namespace } = this.#session;
    const { clock, stop, stderr, env } = this.#context;
    const runner = { kind: 'local', name: `${userInfo().username}@${hostname()} (process ${process.pid})` } as const; // R7.7
    const runID = newRunID();
    const planned = { document: payload.plan };
    const { attempt } = payload;
    const status = newStatus(restore, { runID, planned, runner, options: this.#options, now: clock.now(), attempt });
    return stop.hold(async () => {
      await this.#whole(status, this.#write(restore, status));
      const taken = await this.#whole(status, this.#take(status, payload));
      if ('ended' in taken) return this.#ended(restore, taken.ended, []);
      const progress = createProgress(stderr, clock, env);
      const started = carryOut(this.#session.client, clock, taken, this.#options, {
        changed(rows) {
          for (const row of rows) if (row.state !== 'Waiting' && !isAskedFor(row)) progress.event(eventLine(row));
        },
        warn: (what, error) => progress.event(`warning: ${what}: ${error.message}`),
        record,
      });
      try {
        const { status: last, rows } = await this.#untilAsked(started, (line) => progress.event(line));
        const shown = this.#ended(restore, last, await this.#withOutput(last, rows));
        return hasEnded(last) ? shown : { ...shown, error: this.#suspended(stop.why?.code, namespace) };
      } finally {
        progress.end();
      }
    });
  }

  /** Take the run for this process. Nothing has begun if the command is asked to end before that. */
  async #take(status: RunStatus, payload: Payload): Promise<TakenRun | { readonly ended: RunStatus }> {
    const { client, namespace } = this.#session;
    const { clock, stop } = this.#context;
    const { runID, runner } = status;
    const asked = new AbortController();
    const forget = stop.onAsked(() => asked.abort());
    try {
      return await takeRun(client, clock, {
        runID,
        payload,
        claimant: { name: runner.name, id: runner.name },
        onUnknown: this.#options.onUnknown,
        unwritten: () => status,
        warn: (message) => this.say(`warning: ${message}`),
        signal: asked.signal,
      });
    } catch (error) {
      if (!(error instanceof RestoreHooksError) || error.code !== 'INTERRUPTED') throw error;
      await markFailed(client, { namespace, name: this.#name, runID }, { code: 'error', message: error.message });
      throw new RestoreHooksError(stop.why?.code ?? error.code, error.message, {
        hint: `start anew: kubectl restorehooks apply ${this.#name} -n ${namespace}`,
      });
    } finally {
      forget();
    }
  }

  /** The first signal and `--timeout` let running hooks end. The second signal doesn't wait for them (R6.17). */
  async #untilAsked(started: StartedRun, say: (line: string) => void): Promise<Awaited<StartedRun['done']>> {
    const { stop, secondSignal } = this.#context;
    const forget = stop.onAsked(() => {
      say('stopping: nothing more is started; running hooks end (Ctrl-C again drops them)');
      started.suspend();
    });
    const drop = () => started.drop();
    secondSignal.addEventListener('abort', drop, { once: true });
    try {
      return await started.done;
    } finally {
      forget();
      secondSignal.removeEventListener('abort', drop);
    }
  }

  #suspended(code: ErrorCode | undefined, namespace: string): RestoreHooksError {
    const isTimeout = code === 'TIMEOUT';
    const why = isTimeout ? '--timeout is over' : 'interrupted';
    const message = `${why}: the run is suspended; hooks that had not started wait for the next run`;
    return new RestoreHooksError(isTimeout ? 'TIMEOUT' : 'INTERRUPTED', message, {
      hint: `go on with it: kubectl restorehooks apply ${this.#name} -n ${namespace}, or retry`,
    });
  }

  /**
   * The rows as the report has them, with what the hooks printed; without, where it is gone together with the Restore.
   */
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

  /** Mark the run as ended: its runner has died, and no hook is left that may be run. */
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
    return this.shown(restore, status, rows, exitCodeOf(status)); // R5.4
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

  /** Warn of the parts of earlier runs that can't be read. Called if the rest is enough to decide on. */
  warnOfUnreadable(ledger: Ledger): void {
    for (const { record } of ledger.runs) {
      for (const line of record.unreadable) this.say(`warning: run ${record.runID}: ${line}`);
    }
  }

  unclear(runs: readonly LedgerRun[]): RestoreHooksError {
    const why = runs.map(({ record: { runID, unreadable } }) => {
      return `what run ${runID} did isn't known: ${unreadable.join('; ') || 'its report is gone'}`;
    });
    const at = `${this.#name} -n ${this.#session.namespace}`;
    return new RestoreHooksError('RUN_FAILED', `${why.join('; ')}; nothing is started`, {
      hint: `if its hooks may run again, start over: kubectl restorehooks apply ${at} --again`, // R6.26
    });
  }

  say(line: string): void {
    createProgress(this.#context.stderr, this.#context.clock, this.#context.env).event(line);
  }
}
