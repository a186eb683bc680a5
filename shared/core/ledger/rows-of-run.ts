import { RUNNER_DIED } from '../execute/resume.ts';
import { withMessage } from '../journal/resume.ts';
import type { Instant } from '../model/instant.ts';
import { formatInstant } from '../model/instant.ts';
import type { PlanPosition } from '../model/position.ts';
import { planEntries } from '../model/position.ts';
import type { HookDocument } from '../plan/plan-document.ts';
import type { RunHook } from '../report/run-document.ts';
import type { RecordedJournal, RunRecord } from './run-record.ts';
import { isExecuted } from './run-record.ts';

/** What can be known of the hooks of a run that is over. */
export interface RowsOfRun {
  readonly rows: readonly RunHook[];
  /** False: it may have executed hooks that no row is of. */
  readonly isWhole: boolean;
}

/** The hooks of a plan, by the plan's digest. */
export type KnownPlans = ReadonlyMap<string, readonly HookDocument[]>;

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
  const reported = new Map(report.map((row) => [row.id, row]));
  const attempt = record.attempt;
  const rows = plan.map((hook): RunHook => reported.get(hook.id) ?? { ...hook, state: 'Waiting', attempt });
  // A hook that neither of the two knows anything of was not begun: what an earlier run knows of it stands.
  const isTold = ({ id }: RunHook, position: PlanPosition): boolean =>
    journal === undefined || reported.has(id) || journal.hooks.has(position) || journal.lost.has(position);
  const told = new Set([...planEntries(rows)].filter(([at, row]) => isTold(row, at)).map(([, { id }]) => id));
  return { rows: rowsOfDeadRun(rows, journal, wasClaimed, over).filter(({ id }) => told.has(id)), isWhole: true };
}

/** How many hooks a run has executed, at the most. */
function executedOf({ journal, planned = 0, wasClaimed }: RunRecord): number {
  if (journal === undefined) return wasClaimed ? planned : 0;
  const records = [...journal.hooks.values()];
  return records.filter(
    (record) => record.phase === 'begun' || (record.phase === 'ended' && isExecuted(record.outcome)),
  ).length;
}

const MAYBE_ITS_POD = 'the runner died; its pod may have run it';
const NEVER = 'the runner died before it was started';

/**
 * The rows of a run whose runner died, as they can be known from outside (R5.21): by its journal, else what a
 * claimed run had not ended it may have started. `now`: when that was found.
 */
export function rowsOfDeadRun(
  rows: readonly RunHook[],
  journal: Pick<RecordedJournal, 'hooks' | 'lost'> | undefined,
  wasClaimed: boolean,
  now: Instant,
): RunHook[] {
  return [...planEntries(rows)].map(([position, row]) => {
    if (row.state !== 'Waiting' && row.state !== 'Running') return row;
    const { message: _, ...rest } = row;
    const record = journal?.hooks.get(position);
    if (record?.phase === 'ended') {
      const { startedAt, endedAt, podUID } = record;
      const outcome = withMessage(record.outcome);
      return { ...rest, ...known(podUID, startedAt), ...outcome, finishedAt: formatInstant(endedAt) };
    }
    const isBegun = journal === undefined ? wasClaimed : record?.phase === 'begun' || journal.lost.has(position);
    // No runner starts it.
    const isItsPods = row.kind === 'init' && row.never === undefined && wasClaimed;
    if (!isBegun && !isItsPods)
      return { ...rest, state: 'NotExecuted' as const, reason: 'runner-died' as const, message: NEVER };
    const { startedAt, podUID } = record?.phase === 'begun' ? record : {};
    const end = { finishedAt: formatInstant(now) };
    return {
      ...rest,
      ...known(podUID, startedAt),
      ...end,
      ...RUNNER_DIED,
      ...(isItsPods && { message: MAYBE_ITS_POD }),
    };
  });
}

const known = (podUID: string | undefined, startedAt: Instant | undefined) => ({
  ...(podUID === undefined ? {} : { podUID }),
  ...(startedAt === undefined ? {} : { startedAt: formatInstant(startedAt) }),
});
