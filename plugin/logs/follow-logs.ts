import { RestoreHooksError } from '../../shared/core/errors.ts';
import { formatInstant } from '../../shared/core/model/instant.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import type { RunHook } from '../../shared/core/report/run-document.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { hasEnded, progressLine } from '../../shared/core/report/run-status.ts';
import { knownRows } from '../../shared/kubernetes/run/earlier-run.ts';
import { runsOf } from '../../shared/kubernetes/run/run-place.ts';
import { say } from '../output/progress.ts';
import { eventLine } from '../output/run-view.ts';
import { isOpen } from '../report/report.ts';
import { hasDiedAsSeen } from '../run/dead-run.ts';
import { LiveLog } from './live-log.ts';
import { LogPrinter } from './log-printer.ts';
import type { RunnerLog } from './run-output.ts';
import { RunOutput } from './run-output.ts';
import type { RunParts } from './run-parts.ts';
import type { LogRequest } from './show-logs.ts';
import { listCommand } from './show-logs.ts';
import { tellMissing, tellSilent } from './told-output.ts';

const POLL_MS = 1_000;
const POLL_LATER_MS = 2_000;
const EARLY_MS = 10_000;
const LOOK_AT_JOB_EVERY = 5;
/** The report may tell the end of a hook before its last lines have come live, and it may have fewer of them. */
const HOLD_MS = 3_000;
/** How long the log is waited for when the run has ended. */
const DRAIN_MS = 5_000;
/** A line without an end is shown when nothing has come for it for so long. */
const PROMPT_MS = 1_500;
/** How many polls in a row may be denied: an API server that has just started may deny what it allows later. */
const DENIED_AT_MOST = 5;

/** Print output as it comes, until the run has ended. A signal ends the following, not the run (R7.4). */
export async function followLogs(request: LogRequest, parts: RunParts): Promise<void> {
  const { context, name, session } = request;
  await context.stop.hold(async () => {
    const follower = new LogFollower(request, parts);
    try {
      await follower.toTheEnd();
    } catch (error) {
      const { why } = context.stop;
      if (context.outputClosed.aborted) return;
      if (why === undefined || (error !== why && !context.signal.aborted)) throw error;
      throw new RestoreHooksError(why.code, 'stopped following; the run goes on', {
        hint: `follow it again: kubectl restorehooks logs ${name} -n ${session.namespace} -f`,
      });
    } finally {
      follower.stop();
    }
  });
}

class LogFollower {
  readonly #request: LogRequest;
  readonly #parts: RunParts;
  readonly #printer: LogPrinter;
  readonly #output: RunOutput;
  readonly #logs = new Map<RunnerLog, LiveLog>();
  /** Hooks that have ended, and from when on the report's word on their output counts. */
  readonly #held = new Map<string, number>();
  readonly #said = new Set<string>();
  #runID: string | undefined;
  #isEnding = false;
  #isChecked = false;
  #failed = 0;

  constructor(request: LogRequest, parts: RunParts) {
    this.#request = request;
    this.#parts = parts;
    const { stdout, stderr, clock } = request.context;
    this.#printer = new LogPrinter(stdout, request.format, (chunk) => tellMissing(stderr, chunk));
    this.#output = new RunOutput(request.output, (chunk) => this.#printer.print(chunk, clock.now()));
  }

  stop(): void {
    for (const log of this.#logs.values()) log.stop();
  }

  async toTheEnd(): Promise<void> {
    const { clock, stop } = this.#request.context;
    const startedAt = clock.now();
    for (let polls = 1; ; polls += 1) {
      // A poll's request may hang, so a signal must be able to end the wait.
      const last = await stop.or(this.#poll(polls % LOOK_AT_JOB_EVERY === 0));
      if (last !== undefined) return this.#finish(last.restore, last.status);
      this.#settle(clock.now());
      this.#printer.flushOlder(clock.now() - PROMPT_MS);
      await this.#pause(clock.now() - startedAt < EARLY_MS ? POLL_MS : POLL_LATER_MS);
    }
  }

  /** The status of a run that is over. */
  async #poll(looksAtJob: boolean): Promise<{ restore: Restore; status: RunStatus } | undefined> {
    try {
      const over = await this.#look(looksAtJob);
      this.#failed = 0;
      return over;
    } catch (error) {
      if (!(error instanceof RestoreHooksError)) throw error;
      const isPassing = this.#runID !== undefined && error.code === 'FORBIDDEN' && this.#failed < DENIED_AT_MOST;
      if (!isPassing && error.code !== 'CLUSTER_UNREACHABLE') throw error;
      if (this.#failed === 0) this.#say(`warning: ${error.message}; still trying`);
      this.#failed += 1;
      return undefined;
    }
  }

  async #look(looksAtJob: boolean): Promise<{ restore: Restore; status: RunStatus } | undefined> {
    const { session, context } = this.#request;
    const { restore, status, parts } = await this.#parts.read();
    if (status === undefined) throw gone('the annotations of the run were removed');
    this.#runID ??= status.runID;
    if (status.runID !== this.#runID) throw gone(`run ${this.#runID} is over, and run ${status.runID} has begun`);
    for (const part of parts) {
      for (const row of this.#output.add(part)) this.#noteRow(row);
    }
    if (this.#output.rows.length > 0) this.#check();
    this.#attach(status);
    if (hasEnded(status)) return { restore, status };
    if (!looksAtJob || !(await hasDiedAsSeen(session, context.clock, restore, status))) return undefined;
    // It may have ended between the two.
    const again = await this.#parts.read();
    for (const part of again.parts) for (const row of this.#output.add(part)) this.#noteRow(row);
    return again.status?.runID === this.#runID ? { restore: again.restore, status: again.status } : undefined;
  }

  #noteRow(row: RunHook): void {
    if (!isOpen(row)) this.#held.set(row.id, this.#request.context.clock.now() + HOLD_MS);
  }

  /** Names are checked once the run's hooks are known. */
  #check(): void {
    if (this.#isChecked) return;
    this.#isChecked = true;
    this.#request.chosen.requireKnown(this.#output.rows, listCommand(this.#request));
  }

  /** Follow the logs of the run's runners: an earlier one may have been ended in the middle of a hook. */
  #attach(status: RunStatus): void {
    const { session, context, output } = this.#request;
    this.#sayWhatIsNotLive(status);
    if (output.failed) return;
    for (const its of this.#output.logs) {
      const { runner, key } = its;
      if (this.#logs.has(its)) continue;
      const log = new LiveLog(
        { client: session.client, namespace: status.runNamespace ?? session.namespace },
        context.clock,
        key,
        { runID: status.runID, runner },
        {
          piece: (piece, source) => this.#output.piece(piece, source),
          mayGoOn: () => !this.#isEnding && this.#output.isNewest(its),
          over: (error) => this.#logOver(its, log, error),
        },
      );
      this.#logs.set(its, log);
    }
  }

  #logOver(its: RunnerLog, log: LiveLog, error: RestoreHooksError | undefined): void {
    if (log.isFull) this.#sayOnce('live output has stopped, as the log is full: the rest comes when a hook has ended');
    if (error === undefined || (error.code === 'NOT_FOUND' && !this.#output.isNewest(its))) return;
    if (error.code === 'NOT_FOUND')
      this.#sayOnce("the runner's pod is gone: waiting for the next one, or for the report");
    else this.#sayOnce(`the runner's log can't be read, so output is shown when a hook has ended: ${error.message}`);
  }

  #sayWhatIsNotLive({ runner: { kind, claimedBy } }: RunStatus): void {
    const { logs, rows } = this.#output;
    const why = 'so output is shown when a hook has ended';
    if (this.#request.output.failed) this.#sayOnce('with --failed the output of a hook is shown when it has failed');
    else if (kind === 'local') this.#sayOnce(`the runner is no Job, whose log could be followed, ${why}`);
    else if (rows.length === 0) this.#sayOnce(claimedBy ? 'waiting for the report' : 'waiting for the runner to start');
    else if (!logs.some((log) => this.#output.isNewest(log))) {
      this.#sayOnce(`this runner writes no live output (--capture=none, or an older version), ${why}`);
    }
  }

  /** Show what the report has of hooks that have ended, unless it may still come live. */
  #settle(now: number): void {
    const { context, chosen } = this.#request;
    const isLive = [...this.#logs.values()].some((log) => !log.isIdle);
    for (const [id, due] of this.#held) {
      if (isLive && now < due) continue;
      this.#held.delete(id);
      const row = this.#output.row(id);
      if (row === undefined || !chosen.has(row)) continue;
      this.#output.settle(row);
      this.#printer.end(row);
      say(context.stderr, eventLine(row, formatInstant(context.clock.now())));
    }
  }

  async #finish(restore: Restore, status: RunStatus): Promise<void> {
    const { session, context, chosen } = this.#request;
    const { clock } = context;
    this.#isEnding = true;
    const until = clock.now() + DRAIN_MS;
    while (clock.now() < until && [...this.#logs.values()].some((log) => !log.isIdle)) await this.#pause(100);
    this.#settle(Number.POSITIVE_INFINITY);
    const reference = runsOf(restore, session);
    const rows = await knownRows(session.client, clock, reference, status, this.#output.rows);
    for (const row of rows) this.#printer.end(row);
    const unreadable = [...this.#logs.values()].reduce((sum, log) => sum + log.unreadable, 0);
    if (unreadable > 0)
      this.#say(`warning: ${unreadable} lines of the runner's log are not of this runner, or were changed`);
    const silent = rows.filter((row) => chosen.has(row) && !this.#output.hasShown(row.id));
    tellSilent(context.stderr, silent, status.attempt);
    if (hasEnded(status)) this.#say(`${status.phase}: ${progressLine(status.counts)}`);
    else
      this.#say(
        `the runner has ended, and the run has not: kubectl restorehooks status ${restore.metadata.name} says why`,
      );
  }

  #say(line: string): void {
    say(this.#request.context.stderr, line);
  }

  #sayOnce(line: string): void {
    if (this.#said.has(line)) return;
    this.#said.add(line);
    this.#say(line);
  }

  /** Wait. Rejects on a signal, and as soon as stdout is closed. */
  #pause(ms: number): Promise<void> {
    const { clock, outputClosed, stop } = this.#request.context;
    return stop.or(
      new Promise((resolve, reject) => {
        const onClosed = (): void => {
          cancel();
          reject(outputClosed.reason);
        };
        const cancel = clock.setTimer(ms, () => {
          outputClosed.removeEventListener('abort', onClosed);
          resolve();
        });
        if (outputClosed.aborted) onClosed();
        else outputClosed.addEventListener('abort', onClosed, { once: true });
      }),
    );
  }
}

const gone = (what: string): RestoreHooksError => new RestoreHooksError('NOT_FOUND', `stopped following: ${what}`);
