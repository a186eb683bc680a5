import { RUNNER_DIED } from '../execute/lost-commands.ts';
import { withMessage } from '../journal/resume.ts';
import type { Hook } from '../model/hook.ts';
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
    return { rows, isWhole: executedOf(record) <= report.filter(isExecuted).length };
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
  return records.filter(
    (record) => record.phase === 'begun' || (record.phase === 'ended' && isExecuted(record.outcome)),
  ).length;
}

const MAYBE_ITS_POD = 'the run is over; its pod may have run it';
const NEVER = 'the run was over before it was started';

/**
 * The rows of a run whose runner died, as they can be known from outside (R5.21): by its journal, else what a
 * claimed run had not ended it may have started. `now`: when that was found.
 */
export function rowsOfDeadRun(
  rows: readonly HookRow[],
  journal: Pick<RecordedJournal, 'hooks' | 'lost'> | undefined,
  wasClaimed: boolean,
  now: Instant,
): HookRow[] {
  return [...planEntries(rows)].map(([position, row]) =>
    isEnded(row) ? row : rowOfDead(row, position, journal, wasClaimed, now),
  );
}

function rowOfDead(
  { hook, run, attempt, startedAt: reportedStart }: HookRow,
  position: PlanPosition,
  journal: Pick<RecordedJournal, 'hooks' | 'lost'> | undefined,
  wasClaimed: boolean,
  now: Instant,
): HookRow {
  const record = journal?.hooks.get(position);
  const { startedAt = reportedStart, podUID } = record === undefined || record.phase === 'not-started' ? {} : record;
  const started = startedAt === undefined ? {} : { startedAt };
  const inPod = podUID === undefined ? hook : { ...hook, podUID };
  if (record?.phase === 'ended') {
    return { hook: inPod, run, attempt, ...withMessage(record.outcome), ...started, finishedAt: record.endedAt };
  }
  const isBegun = journal === undefined ? wasClaimed : record?.phase === 'begun' || journal.lost.has(position);
  // No runner starts it.
  const isItsPods = hook.kind === 'init' && hook.never === undefined && wasClaimed;
  if (!isBegun && !isItsPods) {
    return { hook, run, attempt, state: 'NotExecuted', reason: 'runner-died', message: NEVER, ...started };
  }
  const died = isItsPods ? { ...RUNNER_DIED, message: MAYBE_ITS_POD } : RUNNER_DIED;
  return { hook: inPod, run, attempt, ...died, ...started, finishedAt: now };
}
