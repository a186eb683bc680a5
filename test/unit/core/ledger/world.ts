import type { RunStanding } from '../../../../shared/core/ledger/last-run.ts';
import type { Ledger } from '../../../../shared/core/ledger/ledger.ts';
import { ledgerOf } from '../../../../shared/core/ledger/ledger.ts';
import type { RecordedJournal, RunRecord } from '../../../../shared/core/ledger/run-record.ts';
import type { ExecHook, Hook, HookId } from '../../../../shared/core/model/hook.ts';
import { formatInstant, instant } from '../../../../shared/core/model/instant.ts';
import { hookDocument } from '../../../../shared/core/plan/make-plan-document.ts';
import type { HookRow } from '../../../../shared/core/report/hook-row.ts';
import { parseRow } from '../../../../shared/core/report/hook-row.ts';
import type { ResultFields } from '../../../../shared/core/report/run-document.ts';
import type { RunStatus } from '../../../../shared/core/report/run-status.ts';
import type { Plain } from '../plain.ts';
import { branded } from '../plain.ts';

/** Hooks, rows and runs for the ledger's tests. All times are milliseconds since the epoch. */

export const hook = (name: string, part: Partial<ExecHook> = {}): ExecHook => ({
  id: `ns/p/a/${name}/0` as HookId,
  kind: 'exec',
  namespace: 'ns',
  pod: 'p',
  podUID: 'u',
  container: 'a',
  source: 'spec',
  origin: 'velero',
  name,
  index: 0,
  command: ['c'],
  onError: 'Continue',
  execTimeoutMs: 30_000,
  execTimeoutFrom: 'default',
  waitTimeoutMs: null,
  waitTimeoutFrom: 'default',
  waitForReady: false,
  ...part,
});

/** A row as a report holds it, read. */
export const row = (of: Hook, run: number, part: Partial<ResultFields> = {}): HookRow =>
  parseRow({
    ...hookDocument(of),
    state: 'Succeeded',
    ...(part.state === undefined && { exitCode: 0 }),
    finishedAt: formatInstant(instant(1_000)),
    attempt: 1,
    ...part,
    run,
  });

export const journal = (part: Partial<Plain<RecordedJournal>> = {}): RecordedJournal =>
  branded<RecordedJournal>({ hooks: new Map(), lost: new Map(), claimedAt: 0, batches: 1, ...part });

/** A run that a runner has claimed, with its report and its journal. */
export const run = (attempt: number, rows: readonly HookRow[], part: Partial<RunRecord> = {}): RunRecord => ({
  runID: `run${attempt}`,
  attempt,
  planDigest: `sha256:${attempt}`,
  planned: rows.length,
  report: rows,
  isReported: true,
  journal: journal(),
  wasClaimed: true,
  about: undefined,
  selector: undefined,
  unreadable: [],
  ...part,
});

export const about = (part: Partial<NonNullable<RunRecord['about']>>): NonNullable<RunRecord['about']> => ({
  attempt: 1,
  planDigest: 'sha256:1',
  planned: 1,
  runner: { kind: 'job', name: 'j' },
  createdAt: formatInstant(instant(0)),
  failOn: 'fail',
  ...part,
});

export const statusOf = ({ runID, attempt, planDigest = '', planned = 0 }: RunRecord): RunStatus => ({
  version: 1,
  runID,
  attempt,
  planDigest,
  phase: 'Completed',
  runner: { kind: 'job', name: 'j', claimedBy: 'x' },
  createdAt: formatInstant(instant(0)),
  failOn: 'fail',
  counts: { planned, succeeded: planned, failed: 0, timedOut: 0, notExecuted: 0, unknown: 0, waiting: 0, running: 0 },
  failures: [],
  reportParts: 1,
});

/** The ledger of these runs, of which the last has ended, has died or is going. */
export function ledger(
  records: readonly RunRecord[],
  state: RunStanding['state'] = 'ended',
  {
    now = 10_000,
    plan,
    annotated = true,
    failure,
  }: {
    now?: number;
    plan?: Parameters<typeof ledgerOf>[2];
    annotated?: boolean;
    failure?: RunStatus['failure'];
  } = {},
): Ledger {
  const newest = records.at(-1);
  const status = newest && annotated ? { status: { ...statusOf(newest), ...(failure && { failure }) } } : {};
  const last = newest && { runID: newest.runID, state, ...status };
  return ledgerOf({ records, last }, instant(now), plan);
}

export const ids = (hooks: readonly { readonly id: string }[]): string[] =>
  hooks.map(({ id }) => id.split('/')[3] ?? '');
