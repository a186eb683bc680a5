import { RUNNER_DIED } from '../execute/lost-commands.ts';
import { tryMessage } from '../execute/tries.ts';
import type { JournaledResult } from '../journal/entry.ts';
import { withMessage } from '../journal/resume.ts';
import type { Hook, HookResult } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import type { PlanPosition } from '../model/position.ts';
import { planEntries } from '../model/position.ts';
import type { HookRow } from '../report/hook-row.ts';
import { isEnded } from '../report/hook-row.ts';
import type { RecordedJournal, RunRecord } from './run-record.ts';
import { isExecuted } from './run-record.ts';

/** What can be known of the hooks of a run that is over. */
export interface RowsOfRun {
  readonly rows: readonly HookRow[];
  /** False: it may have executed hooks that no row is of. */
  readonly isWhole: boolean;
}

type ToldByJournal = Pick<RecordedJournal, 'hooks' | 'lost' | 'starts'>;

/** The hooks of a plan, by the plan's digest. */
export type KnownPlans = ReadonlyMap<string, readonly Hook[]>;

/**
 * The rows of a run that is over: by its report, and where that ends by its journal. The journal names hooks by their
 * position in the plan: where the report isn't whole, another run's report or the plan of today has to tell which hooks
 * these are. `over`: by when the run was over at the latest.
 */
export function rowsOfRun(record: RunRecord, plans: KnownPlans, over: Instant): RowsOfRun {
  const { report, journal, planned, wasClaimed } = record;
  if (report.length > 0 && report.length >= (planned ?? 0)) {
    return { rows: rowsOfDeadRun(report, journal, wasClaimed, over), isWhole: true };
  }
  if (planned === undefined) return { rows: [], isWhole: !wasClaimed };
  const plan = record.planDigest === undefined ? undefined : plans.get(record.planDigest);
  if (plan === undefined || plan.length !== planned) {
    const rows = rowsOfDeadRun(report, undefined, wasClaimed, over);
    return {
      rows,
      isWhole: executedOf(record) <= report.filter((row) => row.run === record.attempt && isExecuted(row)).length,
    };
  }
  const reported = new Map(report.map((row) => [row.hook.id, row]));
  const run = record.attempt;
  const rows = plan.map((hook): HookRow => reported.get(hook.id) ?? { hook, state: 'Waiting', run, attempt: 1 });
  // A hook that neither of the two knows anything of was not begun: what an earlier run knows of it stands.
  const isTold = ({ hook: { id } }: HookRow, position: PlanPosition): boolean =>
    journal === undefined || reported.has(id) || journal.hooks.has(position) || journal.lost.has(position);
  const told = new Set([...planEntries(rows)].filter(([at, row]) => isTold(row, at)).map(([, { hook }]) => hook.id));
  return {
    rows: rowsOfDeadRun(rows, journal, wasClaimed, over).filter(({ hook }) => told.has(hook.id)),
    isWhole: true,
  };
}

/** How many hooks a run has executed, at the most. */
function executedOf({ journal, planned = 0, wasClaimed }: RunRecord): number {
  if (journal === undefined) return wasClaimed ? planned : 0;
  const records = [...journal.hooks.values()];
  return records.filter((record) =>
    record.phase === 'ended' ? isExecuted(record.outcome) : record.phase === 'begun' || record.last !== undefined,
  ).length;
}

const MAYBE_ITS_POD = 'the run is over; its pod may have run it';
const MAY_GO_ON = 'no runner waits for its command, which may go on: apply and retry attach to it';
const NEVER = 'the run was over before it was started';
const NO_FURTHER = 'the run was over before it was started again';

/**
 * The rows of a run whose runner died, as they can be known from outside (R5.21): by its journal, else what a
 * claimed run had not ended it may have started. `now`: when that was found.
 */
export function rowsOfDeadRun(
  rows: readonly HookRow[],
  journal: ToldByJournal | undefined,
  wasClaimed: boolean,
  now: Instant,
): HookRow[] {
  return [...planEntries(rows)].map(([position, row]) =>
    isEnded(row) ? row : rowOfDead(row, position, journal, wasClaimed, now),
  );
}

function rowOfDead(
  reported: HookRow,
  position: PlanPosition,
  journal: ToldByJournal | undefined,
  wasClaimed: boolean,
  now: Instant,
): HookRow {
  const { hook, run } = reported;
  const record = journal?.hooks.get(position);
  const starts = journal?.starts?.get(position) ?? 0;
  if (record?.phase === 'not-started' && record.last !== undefined) {
    const attempt = Math.max(starts, reported.attempt - (reported.state === 'Waiting' ? 1 : 0));
    const message = noFurtherText(reported, attempt, record.last.outcome);
    const outcome = { ...record.last.outcome, message } as HookResult;
    return rowOfEnded({ hook, run, attempt }, { ...record.last, outcome }); // R3.58
  }
  const attempt = Math.max(starts + 1, reported.attempt);
  if (record?.phase === 'ended') return rowOfEnded({ hook, run, attempt }, record, reported.startedAt);
  const { startedAt = reported.startedAt, podUID = hook.podUID } = record?.phase === 'begun' ? record : {};
  const started = startedAt === undefined ? {} : { startedAt };
  const isBegun = journal === undefined ? wasClaimed : record?.phase === 'begun' || journal.lost.has(position);
  // No runner starts it.
  const isItsPods = hook.kind === 'init' && hook.never === undefined && wasClaimed;
  if (!isBegun && !isItsPods) {
    return { hook, run, attempt, state: 'NotExecuted', reason: 'runner-died', message: NEVER, ...started };
  }
  const isAttachedTo = hook.kind === 'exec' && hook.detach === true && journal !== undefined; // R3.88
  const message = isItsPods ? MAYBE_ITS_POD : isAttachedTo ? MAY_GO_ON : RUNNER_DIED.message;
  const died = { ...RUNNER_DIED, message };
  return { hook: inPod(hook, podUID), run, attempt, ...died, ...started, finishedAt: now };
}

/** Why start `attempt` failed stands in what the row last said, if it is of the pause after that one, and in no journal. */
function noFurtherText({ hook, ...row }: HookRow, attempt: number, outcome: HookResult): string {
  const known = tryMessage(hook, outcome);
  if (known !== undefined) return `${known}; ${NO_FURTHER}`;
  const isKnown = outcome.reason === 'exit' || row.state !== 'Waiting' || row.attempt !== attempt + 1;
  return isKnown || row.message === undefined ? NO_FURTHER : `${NO_FURTHER}; it was ${row.message}`;
}

const rowOfEnded = (
  row: Pick<HookRow, 'hook' | 'run' | 'attempt'>,
  { outcome, startedAt, endedAt, commandEndedAt, podUID }: JournaledResult & { readonly commandEndedAt?: Instant },
  reportedStart?: Instant,
): HookRow => {
  const since = startedAt ?? reportedStart;
  const started = since === undefined ? {} : { startedAt: since };
  return {
    ...row,
    hook: inPod(row.hook, podUID),
    ...withMessage(outcome),
    ...started,
    finishedAt: commandEndedAt ?? endedAt,
  };
};

const inPod = (hook: Hook, podUID: string | undefined): Hook => (podUID === undefined ? hook : { ...hook, podUID });
