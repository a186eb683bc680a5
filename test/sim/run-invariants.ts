import { isDeepStrictEqual } from 'node:util';
import type { RunHook } from '../../shared/core/report/run-document.ts';
import type { RunStatus } from '../../shared/core/report/run-status.ts';
import type { RunRequest } from '../../shared/runtime/run.ts';
import type { SimulatedStore } from './run-world.ts';
import { countRows, joined } from './what-stands.ts';

/** What the world has seen of one run. */
interface Seen {
  /** When commands were asked for. */
  readonly asked: readonly number[];
  /** When the world's own cancel comes, by which every run ends. */
  readonly givenUpAt: number;
  /** How late a timer may fire. */
  readonly late: number;
}

/** What a run may take to look at its Restore again: the longest pause, and two slow answers. */
const LOOK_MS = 5_000 + 3 * 1_500;
/** And to hear that it is gone: a report may be on its way meanwhile. */
const HEARD_MS = 2 * LOOK_MS;
/** What running hooks have after the deadline. */
const GRACE_MS = 50_000;

/** How a run is told of, judged from what its store was asked for (run.sim.test.ts says what T1 to T7 are). */
export function checkReport(
  request: RunRequest,
  store: SimulatedStore,
  { status, rows }: { status: RunStatus; rows: readonly RunHook[] },
  seen: Seen,
): void {
  checkAnnotated(store, seen.late);
  check('T3', store.parts.length <= 200, () => `${store.parts.length} parts`);
  check('T2', rows.length === request.hooks.length, () => `${rows.length} rows`);
  check('T2', isDeepStrictEqual({ ...status.counts }, countRows(rows)), () => JSON.stringify(status.counts));
  checkCancel(request, store, status, rows, seen);
  checkDeadline(request, status, rows, seen);
  if (store.deletedAt < Number.POSITIVE_INFINITY) {
    checkDeleted(store, status, rows, seen);
    return;
  }
  check('T4', status.failure?.code !== 'restore-deleted', () => 'the Restore stands');
  const last = store.annotated.at(-1);
  check('T2', last?.done === true && isDeepStrictEqual(last.status, status), () => JSON.stringify([last, status]));
  check('T3', status.reportParts === store.parts.length, () => `${status.reportParts} of ${store.parts.length} parts`);
  const reported = new Map(joined(store.parts).map(({ stdout: _out, stderr: _err, ...row }) => [row.id, row]));
  for (const row of rows) {
    const asReported = reported.get(row.id);
    const isLeft = status.failure?.code === 'deadline' && isLeftAtDeadline(row);
    // Who reads the report settles what a deadline has left.
    const holds = isLeft ? !isEnded(asReported) : isDeepStrictEqual(asReported, row);
    check('T3', holds, () => `${row.id} is ${row.state}, and reported as ${JSON.stringify(asReported)}`);
  }
  check('T3', reported.size === rows.length, () => `${reported.size} rows are reported`);
  check('T5', store.phase === expectedPhase(request, status), () => `${store.phase} after ${status.phase}`);
  const movedBack = request.formerPhase !== undefined && store.phase === 'Completed';
  check('T5', !movedBack || store.formerPhase === null, () => 'the former phase still stands');
}

function checkAnnotated(store: SimulatedStore, late: number): void {
  for (const { status } of store.annotated) {
    const { planned, ...parts } = status.counts;
    const sum = Object.values(parts).reduce((total, part) => total + part, 0);
    check('T2', sum === planned, () => `${planned} planned, ${sum} counted`);
  }
  for (const [index, { at, done, status: said }] of store.annotated.entries()) {
    const next = store.annotated[index + 1];
    // Where there is no Restore any more, nothing is tried again.
    if (next === undefined || next.status.finishedAt !== undefined || at >= store.deletedAt) break;
    check('T1', next.at - at >= 999, () => `annotated at ${at} and ${next.at}`);
    // Refused: tried again at the next time that a run tells of itself, and what the store took to answer.
    const soonEnough = next.at - at <= 5_000 + 1_000 + late + 2 * 1_500;
    check('T1', done || soonEnough, () => `refused at ${at}, tried again at ${next.at} (${said.phase})`);
  }
}

/** What waits is aborted as soon as the run has heard; what runs ends by itself. */
function checkDeleted(store: SimulatedStore, status: RunStatus, rows: readonly RunHook[], { asked }: Seen): void {
  const heardAt = store.deletedAt + HEARD_MS;
  const late = asked.find((at) => at > heardAt);
  check(
    'T4',
    late === undefined,
    () => `a command is started at ${late}, the Restore is gone since ${store.deletedAt}`,
  );
  if (instant(status.finishedAt) <= heardAt) return;
  check('T4', status.phase === 'Failed', () => `${status.phase} without a Restore`);
  const { code } = status.failure ?? {};
  check('T4', code === 'restore-deleted' || code === 'forbidden', () => `it failed for ${code}`);
  for (const { id, state, reason, finishedAt } of rows) {
    const hasWaited = state === 'NotExecuted' || (state === 'TimedOut' && reason === 'waiting');
    check('T4', !hasWaited || instant(finishedAt) <= heardAt, () => `${id} waits until ${finishedAt}`);
  }
}

/** From when it is first seen on: a look that finds the request again gives no more time, and none less. */
function checkCancel(
  request: RunRequest,
  { cancel }: SimulatedStore,
  status: RunStatus,
  rows: readonly RunHook[],
  seen: Seen,
): void {
  const { heardAt, graceMs } = cancel ?? {};
  if (heardAt === undefined || instant(status.finishedAt) <= heardAt) return;
  const late = seen.asked.find((at) => at > heardAt + seen.late);
  check('T7', late === undefined, () => `a command is started at ${late}, canceled at ${heardAt}`);
  // The deadline's own grace may be over first.
  const overdueAt =
    request.status.deadline === undefined ? Number.POSITIVE_INFINITY : instant(request.status.deadline) + GRACE_MS;
  const dropAt = Math.min(heardAt + (graceMs ?? Number.POSITIVE_INFINITY), overdueAt);
  for (const { id, state, reason, finishedAt } of rows) {
    const isDropped = state === 'Unknown' && reason === 'canceled' && instant(finishedAt) < seen.givenUpAt;
    check('T7', !isDropped || instant(finishedAt) >= dropAt - 1, () => `${id} is dropped before ${dropAt}`);
  }
  check('T7', instant(status.finishedAt) <= dropAt + LOOK_MS, () => `it ends at ${status.finishedAt}, not ${dropAt}`);
}

/** Nothing starts after the deadline, what runs has its grace, and what has not ended then is left: `Failed`. */
function checkDeadline({ status: { deadline } }: RunRequest, status: RunStatus, rows: readonly RunHook[], seen: Seen) {
  const left = rows.filter(isLeftAtDeadline);
  check('T8', left.length > 0 || status.failure?.code !== 'deadline', () => 'nothing is left at the deadline');
  check('T8', left.length === 0 || deadline !== undefined, () => `${left.length} hooks are left without a deadline`);
  if (deadline === undefined) return;
  const at = instant(deadline);
  const late = seen.asked.find((asked) => asked > at + seen.late);
  check('T8', late === undefined, () => `a command is started at ${late}, the deadline was ${at}`);
  const { phase, finishedAt } = status;
  check('T8', left.length === 0 || phase === 'Failed', () => `${phase} with ${left.length} hooks left`);
  check(
    'T8',
    left.length === 0 || instant(finishedAt) >= at - 1,
    () => `it leaves hooks at ${finishedAt}, before ${at}`,
  );
  const last = at + GRACE_MS + HEARD_MS;
  check('T8', instant(finishedAt) <= Math.max(last, seen.late), () => `it ends at ${finishedAt}, not by ${last}`);
}

/** It had not ended at the deadline: it waited, ran, or waited for its next start, whose last result it has then (R3.58). */
const isLeftAtDeadline = ({ reason, message = '' }: RunHook): boolean =>
  reason === 'runner-died' || message.endsWith('the run was over before it was started again');

const isEnded = (row: RunHook | undefined): boolean => row?.state !== 'Waiting' && row?.state !== 'Running';

const instant = (text: string | undefined): number => (text === undefined ? 0 : Date.parse(text));

function expectedPhase({ keepRestorePhase, formerPhase }: RunRequest, { phase }: RunStatus): string {
  const before = formerPhase === undefined ? 'Completed' : 'PartiallyFailed';
  if (keepRestorePhase) return before;
  if (phase === 'PartiallyFailed') return 'PartiallyFailed';
  return phase === 'Completed' || phase === 'CompletedWithFailures' ? 'Completed' : before;
}

function check(invariant: string, holds: boolean, what: () => string): void {
  if (!holds) throw new Error(`${invariant} is broken: ${what()}`);
}
