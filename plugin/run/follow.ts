import { setFlagsFromString } from 'node:v8';
import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import { ANNOTATION, API_VERSION } from '../../shared/core/names.ts';
import { restoreReference } from '../../shared/core/plan/make-plan-document.ts';
import { withOpenWave } from '../../shared/core/report/open-wave.ts';
import type { ReportPart, RunDocument, RunHook } from '../../shared/core/report/run-document.ts';
import { JoinedReport } from '../../shared/core/report/run-document.ts';
import { metricsOf } from '../../shared/core/report/run-metrics.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import { hasEnded } from '../../shared/core/report/run-status.ts';
import { kubeApiError } from '../../shared/kubernetes/api/api-error.ts';
import type { KubeObject } from '../../shared/kubernetes/api/kube-object.ts';
import { knownRows } from '../../shared/kubernetes/run/earlier-run.ts';
import { runsOf } from '../../shared/kubernetes/run/run-place.ts';
import { partsByShard, readReportParts, runStatusOf } from '../../shared/kubernetes/run/run-store.ts';
import { RestoreWatch } from '../../shared/kubernetes/velero/restore-watch.ts';
import { getRestore, readRestore } from '../../shared/kubernetes/velero/restores.ts';
import type { Session } from '../command-line/session.ts';
import { say } from '../output/progress.ts';
import type { Context } from '../process/context.ts';
import { asDead, hasDiedAsSeen } from './dead-run.ts';
import { isUnclaimed } from './obstacle.ts';
import type { RunDisplay } from './run-display.ts';
import { showRun } from './run-display.ts';

/** How often the run is read: once a second at first, less often the longer the run takes. */
const POLL_MS = 1_000;
const POLL_AT_LEAST_EVERY_MS = 2_000;
/** How often stderr says what hooks are waiting for. */
const REMIND_EVERY_MS = 30_000;
/** How often it is read beside a watch that works: the connection may be dead, and nobody has noticed. */
const POLL_BESIDE_WATCH_MS = 5_000;
/** How often a look at the run is also one at its Job. */
const LOOK_AT_JOB_EVERY_MS = 5_000;

/**
 * A large report makes much garbage when it is read, once. V8 would let the heap grow for it, and keep that for as long as
 * the run is followed.
 */
function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--optimize-for-size');
}

/** Reads one run from the Restore's annotations and the parts of its report. */
export class RunReader {
  readonly #session: Session;
  readonly #name: string;
  readonly #report = new JoinedReport();
  /** How many of its parts have been read, of each shard. */
  #parts: readonly number[] = [];
  #unreadable: RestoreHooksError | undefined;

  constructor(session: Session, name: string) {
    this.#session = session;
    this.#name = name;
  }

  /** The status alone, without the report. */
  async readStatus(): Promise<{ restore: Restore; status: RunStatus | undefined }> {
    const restore = await getRestore(this.#session.client, this.#session.namespace, this.#name);
    return { restore, status: runStatusOf(restore) };
  }

  /**
   * Read again, and return the rows that have changed since the last time. Without a status there has been no run.
   * `told`: the Restore, if a watch has told it. `heard` is called before the report is read, and
   * throws if that is not the run that was read before.
   */
  async read(
    told?: KubeObject,
    heard: (status: RunStatus) => void = () => undefined,
  ): Promise<{ restore: Restore; status: RunStatus | undefined; changed: readonly RunHook[] }> {
    const { client, namespace } = this.#session;
    const restore =
      told === undefined ? await getRestore(client, namespace, this.#name) : readRestore(told, namespace, this.#name);
    const status = runStatusOf(restore);
    if (status === undefined) return { restore, status, changed: [] };
    heard(status);
    const changed = (await this.#newParts(status)).flatMap((part) => this.#report.add(part));
    // A watch may tell late what a poll has read already.
    this.#parts = partsByShard(status).map((parts, shard) => Math.max(parts, this.#parts[shard] ?? 0));
    return { restore, status, changed };
  }

  /** A user who may read the Restore but not the report still sees the run's status. */
  async #newParts(status: RunStatus): Promise<ReportPart[]> {
    const { client, namespace } = this.#session;
    try {
      return await readReportParts(
        client,
        { namespace, runNamespace: status.runNamespace, name: this.#name },
        status,
        this.#parts,
      );
    } catch (error) {
      if (!(error instanceof RestoreHooksError) || (error.code !== 'FORBIDDEN' && error.code !== 'NOT_FOUND'))
        throw error;
      this.#unreadable ??= error;
      return [];
    }
  }

  /** Why rows are missing; undefined if none are. */
  get unreadable(): RestoreHooksError | undefined {
    return this.#unreadable;
  }

  get rows(): RunHook[] {
    return this.#report.rows;
  }

  /** The rows of an ended run. A hook without an end in the report never got one: its runner died. */
  async endedRows(context: Context, restore: Restore, status: RunStatus): Promise<RunHook[]> {
    const { rows } = this;
    if (rows.every(({ state }) => state !== 'Waiting' && state !== 'Running')) return rows;
    return knownRows(this.#session.client, context.clock, runsOf(restore, this.#session), status, rows);
  }
}

/** The document of a run. `waitsFor`: what keeps a run that is going on from making progress. */
export function runDocument(
  restore: Restore,
  namespace: string,
  status: RunStatus | undefined,
  rows: readonly RunHook[],
  waitsFor?: string,
): RunDocument {
  const document = {
    apiVersion: API_VERSION,
    kind: 'RestoreHookRun',
    restore: restoreReference(restore, { namespace, runNamespace: status?.runNamespace }),
  } as const;
  if (status === undefined) return { ...document, hooks: [] };
  const { runID, attempt, planDigest, phase, startedAt, finishedAt, runner, counts, openWave, notices } = status;
  const { failure, suspendedAt, deadline } = status;
  const metrics = metricsOf(restore.metadata.annotations[ANNOTATION.metrics], runID); // R8.72
  const message = failure?.message ?? (suspendedAt ? `suspended at ${suspendedAt}` : waitsFor);
  return {
    ...document,
    runID,
    attempt,
    planDigest,
    ...(status.shards && { shards: status.shards.length }),
    phase,
    ...(message === undefined ? {} : { message }),
    ...(startedAt ? { startedAt } : {}),
    ...(finishedAt ? { finishedAt } : {}),
    ...(deadline ? { deadline } : {}),
    runner: { kind: runner.kind, name: runner.name },
    counts,
    ...(openWave ? { openWave } : {}),
    ...(notices ? { notices } : {}),
    ...(metrics ? { metrics } : {}),
    hooks: openWave ? rows.map((row) => withOpenWave(row, openWave)) : [...rows],
  };
}

export interface Followed {
  readonly restore: Restore;
  readonly status: RunStatus;
  readonly rows: readonly RunHook[];
  /** Why the following has stopped although the run has not ended. */
  readonly error?: RestoreHooksError;
}

/** In whose place a run is followed. */
export interface Following {
  /** The flag that limits the following. */
  readonly limit: string;
  readonly stopped: string;
  /** What becomes of the run when the following stops. */
  readonly run: string;
  readonly isCanceled: boolean;
}

export const WATCHING: Following = {
  limit: '--timeout',
  stopped: 'stopped following',
  run: 'the run goes on',
  isCanceled: false,
};
/** Of a run that was asked to stop. */
export const UNTIL_CANCELED: Following = {
  limit: '--wait',
  stopped: 'stopped waiting',
  run: 'the run was asked to stop, and its runner does so once it has begun',
  isCanceled: true,
};

/** Called after each poll. Returns an error to stop following with. */
export type BetweenPolls = (status: RunStatus) => Promise<RestoreHooksError | undefined>;

/** How many denied polls in a row are ignored: an API server that has just started may deny what it allows later. */
const DENIED_AT_MOST = 10;

/**
 * Follow this run of the Restore until it ends, and show it on stderr. Rejects if another run has begun meanwhile. A watch of the Restore tells of changes at once; it is also polled,
 * because a user of one Restore may not be allowed to watch, and because a connection can be dead without being closed
 * (R7.39). A signal and `--timeout` end the following, not the run (R7.4).
 */
export function follow(
  session: Session,
  name: string,
  context: Context,
  runID: string,
  between: BetweenPolls,
  { limit, stopped, run, isCanceled }: Following = WATCHING,
): Promise<Followed> {
  const { namespace } = session;
  keepHeapSmall();
  return context.stop.hold(async () => {
    const display = showRun(
      context,
      { namespace, name },
      `Ctrl-C ${isCanceled ? 'stops waiting' : 'stops following'}; ${run}`,
    );
    const follower = new Follower(session, name, context, runID, display, between);
    try {
      return await follower.toTheEnd();
    } catch (error) {
      const { why } = context.stop;
      const isStopped = why !== undefined && (error === why || context.signal.aborted);
      if (!isStopped && !context.outputClosed.aborted) throw error;
      const isTimeout = why?.code === 'TIMEOUT';
      const what = isTimeout ? `${stopped}: ${limit} is over` : stopped;
      const command = (verb: string): string => `kubectl restorehooks ${verb} ${name} -n ${namespace}`;
      throw new RestoreHooksError(why?.code ?? 'INTERRUPTED', `${what}; ${run}`, {
        hint: [
          `see it with: ${command('status')} -w`,
          ...(isCanceled ? [] : [`cancel it:   ${command('cancel')}`]),
          `read it:     ${command('logs')} -f`,
        ].join('\n      '),
      });
    } finally {
      follower.stop();
      display.end();
    }
  });
}

class Follower {
  readonly #session: Session;
  readonly #name: string;
  readonly #context: Context;
  readonly #runID: string;
  readonly #display: RunDisplay;
  readonly #between: BetweenPolls;
  readonly #reader: RunReader;
  readonly #watch: RestoreWatch;
  /** What the watch has told since the last look. */
  #told: KubeObject | undefined;
  #wake: () => void = () => undefined;
  #isWoken = false;
  #seen = false;
  /** The runner may not have started yet: what keeps it from that is not told by the Restore. */
  #isUnclaimed = true;
  /** How many polls in a row have failed. */
  #failed = 0;
  #nextReminder: number;
  #nextLookAtJob: number;

  constructor(
    session: Session,
    name: string,
    context: Context,
    runID: string,
    display: RunDisplay,
    between: BetweenPolls,
  ) {
    const { client, namespace } = session;
    this.#session = session;
    this.#name = name;
    this.#context = context;
    this.#runID = runID;
    this.#display = display;
    this.#between = between;
    this.#reader = new RunReader(session, name);
    this.#watch = new RestoreWatch(client, context.clock, { namespace, name }, (object) => {
      this.#told = object;
      this.#isWoken = true;
      this.#wake();
    });
    this.#nextReminder = context.clock.now() + REMIND_EVERY_MS;
    this.#nextLookAtJob = context.clock.now() + LOOK_AT_JOB_EVERY_MS;
  }

  async toTheEnd(): Promise<Followed> {
    const { clock, stop } = this.#context;
    const startedAt = clock.now();
    for (;;) {
      // A poll's request may hang, so a signal must be able to end the wait.
      const followed = await stop.or(this.#poll());
      if (followed !== undefined) return followed;
      const elapsedMs = clock.now() - startedAt;
      const pollMs = Math.max(POLL_MS, Math.min(POLL_AT_LEAST_EVERY_MS, elapsedMs / 4));
      await stop.or(this.#pause(this.#watch.isOn && !this.#isUnclaimed ? POLL_BESIDE_WATCH_MS : pollMs));
    }
  }

  stop(): void {
    this.#watch.stop();
  }

  async #poll(): Promise<Followed | undefined> {
    try {
      const followed = await this.#look();
      this.#seen = true;
      this.#failed = 0;
      return followed;
    } catch (error) {
      if (!(error instanceof RestoreHooksError)) throw error;
      if (this.#seen && isGone(error)) throw deleted(this.#session, this.#name);
      const isDenied = error.code === 'FORBIDDEN' && this.#failed < DENIED_AT_MOST;
      // The Restore was there before, so a 404 that doesn't name it may come from a proxy on the way.
      const isStray = error.code === 'RESTORE_NOT_FOUND' && this.#seen && this.#failed < DENIED_AT_MOST;
      if (!isDenied && !isStray && error.code !== 'CLUSTER_UNREACHABLE') throw error;
      if (this.#failed === 0) say(this.#context.stderr, `warning: ${error.message}; still trying`);
      this.#failed += 1;
      return undefined;
    }
  }

  async #look(): Promise<Followed | undefined> {
    const { clock } = this.#context;
    const told = this.#told;
    this.#told = undefined;
    this.#isWoken = false;
    const { restore, status, changed } = await this.#reader.read(told, (now) => {
      if (now.runID !== this.#runID) throw replaced(this.#session, this.#name, this.#runID, now.runID);
      this.#display.heard(now);
    });
    this.#watch.seen(restore.metadata.resourceVersion ?? '');
    if (status === undefined)
      throw new RestoreHooksError(
        'RUN_FAILED',
        `the annotation ${ANNOTATION.status} was removed from Restore ${this.#name}`,
      );
    this.#display.changed(changed);
    if (hasEnded(status)) {
      return { restore, status, rows: await this.#reader.endedRows(this.#context, restore, status) };
    }
    this.#isUnclaimed = isUnclaimed(status);
    if (clock.now() >= this.#nextReminder) {
      // R7.31
      this.#nextReminder = clock.now() + REMIND_EVERY_MS;
      this.#display.remind(this.#reader.rows);
    }
    const error = await this.#between(status);
    if (error !== undefined) return { restore, status, rows: this.#reader.rows, error };
    if (clock.now() < this.#nextLookAtJob) return undefined;
    this.#nextLookAtJob = clock.now() + LOOK_AT_JOB_EVERY_MS;
    if (!(await diedForSure(this.#session, restore, status, this.#context))) return undefined;
    const reference = runsOf(restore, this.#session);
    return { restore, ...(await asDead(this.#session, this.#context, reference, status, this.#reader.rows)) };
  }

  /** Wait, until the watch tells something. Rejects as soon as stdout is closed: nobody reads what would be printed. */
  #pause(ms: number): Promise<void> {
    const { clock, outputClosed } = this.#context;
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        cancel();
        this.#wake = () => undefined;
        outputClosed.removeEventListener('abort', onClosed);
        settle();
      };
      const onClosed = (): void => end(() => reject(outputClosed.reason));
      const cancel = clock.setTimer(ms, () => end(resolve));
      if (outputClosed.aborted) return onClosed();
      outputClosed.addEventListener('abort', onClosed, { once: true });
      this.#wake = () => end(resolve);
      if (this.#isWoken) this.#wake();
    });
  }
}

/** Whether the API server says that this very Restore is gone. */
const isGone = (error: RestoreHooksError): boolean =>
  error.code === 'RESTORE_NOT_FOUND' && kubeApiError(error.cause)?.name !== undefined;

const deleted = ({ namespace }: Session, name: string): RestoreHooksError =>
  new RestoreHooksError(
    'RUN_FAILED',
    `Restore ${name} in namespace ${namespace} was deleted while its hooks were run`,
    {
      hint: 'the run stops, and its Job and report go with the Restore, or by prune --deleted from a namespace of runs; a command that runs in a container ends by itself',
    },
  );

const replaced = ({ namespace }: Session, name: string, runID: string, other: string): RestoreHooksError => {
  const command = (verb: string): string => `kubectl restorehooks ${verb} ${name} -n ${namespace}`;
  return new RestoreHooksError(
    'RUN_FAILED',
    `run ${runID} is over; run ${other} has begun since, and this command leaves it alone`,
    {
      hint: [
        `see how run ${runID} ended: ${command('status')} --run ${runID}`,
        `follow run ${other}: ${command('status')} -w`,
        `stop run ${other}: ${command('cancel')}`,
      ].join('\n      '),
    },
  );
};

/** Read the Restore again after the Job: the run may have ended between the two reads. */
async function diedForSure(
  session: Session,
  restore: Restore,
  status: RunStatus,
  { clock }: Context,
): Promise<boolean> {
  const { client, namespace } = session;
  if (!(await hasDiedAsSeen(session, clock, restore, status))) return false;
  const now = runStatusOf(await getRestore(client, namespace, restore.metadata.name));
  return now !== undefined && now.runID === status.runID && !hasEnded(now);
}
