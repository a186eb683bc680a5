import { RestoreHooksError } from '../shared/core/errors.ts';
import type { Restore } from '../shared/core/model/restore.ts';
import { API_VERSION } from '../shared/core/names.ts';
import { countRows, failedStatus } from '../shared/core/report/dead-run.ts';
import { restoreReference } from '../shared/core/report/make-plan-document.ts';
import type { RestoreReference } from '../shared/core/report/plan-document.ts';
import type { ReportPart, RunDocument, RunHook } from '../shared/core/report/run-document.ts';
import { JoinedReport } from '../shared/core/report/run-document.ts';
import type { RunStatus } from '../shared/core/report/run-status.ts';
import { hasEnded, progressLine } from '../shared/core/report/run-status.ts';
import { causeOfDeath, hasDied, knownRows } from '../shared/kubernetes/earlier-run.ts';
import { getRestore } from '../shared/kubernetes/restores.ts';
import { readReportParts, runStatusOf } from '../shared/kubernetes/run-store.ts';
import type { Context } from './context.ts';
import { createProgress } from './output/progress.ts';
import { eventLine } from './output/run-view.ts';
import type { Session } from './session.ts';

/** How often the run is asked for: once a second, and less often the longer it takes. */
const POLL_MS = 1_000;
const POLL_AT_LEAST_EVERY_MS = 2_000;
/** How often it is said what hooks are waiting for. */
const REMIND_EVERY_MS = 30_000;
const MOST_REMINDED = 3;
/** How often the Job is looked at while the run says nothing new. */
const LOOK_AT_JOB_EVERY = 5;

/** A run as its annotations and its report tell it, joined part by part. */
export class RunReader {
  readonly #session: Session;
  readonly #name: string;
  #report = new JoinedReport();
  #runID: string | undefined;
  #parts = 0;
  #unreadable: RestoreHooksError | undefined;

  constructor(session: Session, name: string) {
    this.#session = session;
    this.#name = name;
  }

  /** Read on; returns the rows that changed since the last time. No status: there has been no run. */
  async read(): Promise<{ restore: Restore; status: RunStatus | undefined; changed: readonly RunHook[] }> {
    const { client, namespace } = this.#session;
    const restore = await getRestore(client, namespace, this.#name);
    const status = runStatusOf(restore);
    if (status === undefined) return { restore, status, changed: [] };
    if (status.runID !== this.#runID) {
      this.#runID = status.runID;
      this.#parts = 0;
      this.#report = new JoinedReport();
    }
    const changed = (await this.#newParts(status)).flatMap((part) => this.#report.add(part));
    this.#parts = status.reportParts;
    return { restore, status, changed };
  }

  /** Who may read the Restore but not the report still learns how the run stands. */
  async #newParts(status: RunStatus): Promise<ReportPart[]> {
    const { client, namespace } = this.#session;
    try {
      return await readReportParts(client, { namespace, name: this.#name }, status, this.#parts);
    } catch (error) {
      if (!(error instanceof RestoreHooksError) || (error.code !== 'FORBIDDEN' && error.code !== 'NOT_FOUND'))
        throw error;
      this.#unreadable ??= error;
      return [];
    }
  }

  /** Why rows are missing, if they are. */
  get unreadable(): RestoreHooksError | undefined {
    return this.#unreadable;
  }

  get rows(): RunHook[] {
    return this.#report.rows;
  }

  /** Of a run that has ended, what has no end in the report never got one: its runner died. */
  async endedRows(context: Context, restore: Restore, status: RunStatus): Promise<RunHook[]> {
    const { rows } = this;
    if (rows.every(({ state }) => state !== 'Waiting' && state !== 'Running')) return rows;
    const { client, namespace } = this.#session;
    return knownRows(client, context.clock, restoreReference(restore, namespace), status, rows);
  }
}

export function runDocument(
  restore: Restore,
  namespace: string,
  status: RunStatus | undefined,
  rows: readonly RunHook[],
): RunDocument {
  const document = {
    apiVersion: API_VERSION,
    kind: 'RestoreHookRun',
    restore: restoreReference(restore, namespace),
  } as const;
  if (status === undefined) return { ...document, hooks: [] };
  const { runID, attempt, planDigest, phase, startedAt, finishedAt, runner, counts, notices, failure, suspendedAt } =
    status;
  return {
    ...document,
    runID,
    attempt,
    planDigest,
    phase,
    ...(failure ? { message: failure.message } : suspendedAt ? { message: `suspended at ${suspendedAt}` } : {}),
    ...(startedAt ? { startedAt } : {}),
    ...(finishedAt ? { finishedAt } : {}),
    runner: { kind: runner.kind, name: runner.name },
    counts,
    ...(notices ? { notices } : {}),
    hooks: [...rows],
  };
}

/** The status and rows that a dead runner left, as they can be known; nothing is written. */
export async function asDead(
  { client, namespace }: Session,
  context: Context,
  restore: RestoreReference,
  status: RunStatus,
  rows: readonly RunHook[],
): Promise<{ status: RunStatus; rows: RunHook[] }> {
  // One that was suspended on purpose hasn't failed: the next runner goes on.
  if (status.suspendedAt !== undefined && status.runner.kind === 'local') return { status, rows: [...rows] };
  const known = await knownRows(client, context.clock, restore, status, rows);
  const cause = status.runner.kind === 'job' ? await causeOfDeath(client, namespace, status) : undefined;
  const what =
    status.runner.kind === 'job' ? `its Job ${status.runner.name} is over` : `nobody holds the Lease of the Restore`;
  const message = `the runner died${cause === undefined ? '' : ` (${cause})`}: ${what}, the run is not`;
  const failed = failedStatus(status, { code: 'job', message });
  const counts = known.length === status.counts.planned ? countRows(known) : failed.counts;
  return { status: { ...failed, counts }, rows: known };
}

export interface Followed {
  readonly restore: Restore;
  readonly status: RunStatus;
  readonly rows: readonly RunHook[];
}

/** Something else to look at between polls; may end the following by throwing. */
export type Beside = (status: RunStatus) => Promise<void>;

/**
 * Follow a run until it ends, one line an event on stderr. Asks once a second: a watch would need rights that a user of
 * one Restore may not have. Ctrl-C and `timeoutMs` end the following, not the run.
 */
export async function follow(
  session: Session,
  name: string,
  context: Context,
  timeoutMs: number | undefined,
  beside: Beside = async () => undefined,
): Promise<Followed> {
  const reader = new RunReader(session, name);
  const progress = createProgress(context.stderr, context.clock, context.env);
  const startedAt = context.clock.now();
  const until = timeoutMs === undefined ? undefined : startedAt + timeoutMs;
  let unreachable = 0;
  let seen = false;
  let nextReminder = context.clock.now() + REMIND_EVERY_MS;
  try {
    for (let polls = 0; ; polls += 1) {
      try {
        const { restore, status, changed } = await reader.read();
        unreachable = 0;
        if (status === undefined)
          throw new RestoreHooksError('RUN_FAILED', `the run's status was taken away from Restore ${name}`);
        for (const row of changed) if (row.state !== 'Waiting') progress.event(eventLine(row));
        if (hasEnded(status)) return { restore, status, rows: await reader.endedRows(context, restore, status) };
        progress.status(`${status.phase}: ${progressLine(status.counts)}`);
        if (context.clock.now() >= nextReminder) {
          nextReminder = context.clock.now() + REMIND_EVERY_MS;
          for (const line of waitingLines(reader.rows)) progress.event(line);
        }
        await beside(status);
        if (
          polls % LOOK_AT_JOB_EVERY === LOOK_AT_JOB_EVERY - 1 &&
          (await diedForSure(session, restore, status, context))
        ) {
          const reference = restoreReference(restore, session.namespace);
          return { restore, ...(await asDead(session, context, reference, status, reader.rows)) };
        }
        seen = true;
      } catch (error) {
        if (seen && error instanceof RestoreHooksError && error.code === 'RESTORE_NOT_FOUND')
          throw deleted(session, name);
        if (!(error instanceof RestoreHooksError) || error.code !== 'CLUSTER_UNREACHABLE') throw error;
        if (unreachable === 0) progress.event(`warning: ${error.message}; still trying`);
        unreachable += 1;
      }
      if (until !== undefined && context.clock.now() >= until) {
        throw new RestoreHooksError('TIMEOUT', 'stopped following: --timeout is over; the run goes on', {
          hint: `see it with: kubectl restorehooks status ${name} -n ${session.namespace} -w`,
        });
      }
      const elapsedMs = context.clock.now() - startedAt;
      await pause(context, Math.max(POLL_MS, Math.min(POLL_AT_LEAST_EVERY_MS, elapsedMs / 4)));
    }
  } catch (error) {
    if (context.signal.aborted || context.outputClosed.aborted) {
      throw new RestoreHooksError('INTERRUPTED', 'stopped following; the run goes on', {
        hint: `see it with: kubectl restorehooks status ${name} -n ${session.namespace} -w`,
      });
    }
    throw error;
  } finally {
    progress.end();
  }
}

/** The first few hooks that wait, and for what. */
function waitingLines(rows: readonly RunHook[]): string[] {
  const waiting = rows.filter(({ state }) => state === 'Waiting');
  const lines = waiting.slice(0, MOST_REMINDED).map(eventLine);
  if (waiting.length > lines.length) lines.push(`Waiting: ${waiting.length - lines.length} more hooks`);
  return lines;
}

const deleted = ({ namespace }: Session, name: string): RestoreHooksError =>
  new RestoreHooksError(
    'RUN_FAILED',
    `Restore ${name} in namespace ${namespace} was deleted while its hooks were run`,
    {
      hint: 'the run stops, and its Job and report go with the Restore; a command that runs in a container ends by itself',
    },
  );

/** A Job may end between the reading of the Restore and of the Job: the Restore is asked once more. */
async function diedForSure(
  { client, namespace }: Session,
  restore: Restore,
  status: RunStatus,
  { clock }: Context,
): Promise<boolean> {
  if (!(await hasDied(client, clock, restoreReference(restore, namespace), status))) return false;
  const now = runStatusOf(await getRestore(client, namespace, restore.metadata.name));
  return now !== undefined && now.runID === status.runID && !hasEnded(now);
}

function pause({ clock, signal, outputClosed }: Context, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = AbortSignal.any([signal, outputClosed]);
    const onStop = () => {
      cancel();
      reject(stop.reason);
    };
    const cancel = clock.setTimer(ms, () => {
      stop.removeEventListener('abort', onStop);
      resolve();
    });
    if (stop.aborted) onStop();
    else stop.addEventListener('abort', onStop, { once: true });
  });
}
