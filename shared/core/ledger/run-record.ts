import type { HookRecord } from '../journal/replay.ts';
import type { HookId, Reason } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import type { PlanPosition } from '../model/position.ts';
import type { PlanDocument } from '../plan/plan-document.ts';
import type { HookRow } from '../report/hook-row.ts';
import type { Payload } from '../report/payload.ts';
import type { ReportedRun } from '../report/run-document.ts';

/**
 * What stands in the cluster of one run of a Restore: its report and its journal, whole or in part. Somebody may have
 * taken away either of them, or the annotation that told of the run.
 */
export interface RunRecord {
  readonly runID: string;
  /** Which run of the Restore it is, from 1. */
  readonly attempt: number;
  /** Undefined: nothing that stands says so. */
  readonly planDigest: string | undefined;
  /** How many hooks its plan has. */
  readonly planned: number | undefined;
  /** Into how many shards it was divided; absent: it was not. */
  readonly shards?: number | undefined;
  /** The rows of its report, in plan order. */
  readonly report: readonly HookRow[];
  /** Its report was begun, whether it stands or not. Nothing is started before it is. */
  readonly isReported: boolean;
  readonly journal: RecordedJournal | undefined;
  /** A runner has claimed it: without a journal, any of its hooks may have been started. */
  readonly wasClaimed: boolean;
  /** What its report says of the run itself. */
  readonly about: ReportedRun | undefined;
  /** By what its pods were selected. */
  readonly selector: PlanDocument['selector'] | undefined;
  /** What of it can't be read, and why: a line each. */
  readonly unreadable: readonly string[];
}

/** A journal, by positions in the plan; that of several shards is joined. */
export interface RecordedJournal {
  readonly hooks: ReadonlyMap<PlanPosition, HookRecord>;
  /** Pending hooks that an earlier runner may have started, by when that was at the latest. */
  readonly lost: ReadonlyMap<PlanPosition, Instant>;
  /** How often hooks were started whose start is over, and which were, or are, started again. */
  readonly starts?: ReadonlyMap<PlanPosition, number>;
  /** When a runner first had it. */
  readonly claimedAt: Instant | undefined;
  /** Where it ended when it was read: how many batches it had. */
  readonly batches: number;
}

/** A detached command whose runner died: whoever runs its hook next attaches to it (R3.88). */
export type BegunHook = NonNullable<Payload['begun']>[number];

/** It started nothing (its Job could not start, say), and changes nothing of what is known from before. */
export const neverBegan = ({ isReported, journal }: RunRecord): boolean =>
  !isReported && (journal === undefined || journal.hooks.size === 0);

/** The command was started, or may have been. */
export const isExecuted = ({
  state,
  reason,
}: {
  readonly state: HookRow['state'];
  readonly reason?: Reason | undefined;
}): boolean =>
  state === 'Succeeded' || state === 'Failed' || state === 'Unknown' || (state === 'TimedOut' && reason !== 'waiting');

/** A run that has begun, with what is known of its hooks. */
export interface LedgerRun {
  readonly record: RunRecord;
  readonly rows: readonly HookRow[];
  /** False: it may have executed hooks of which nothing is known any more. */
  readonly isWhole: boolean;
  /** Its detached commands whose end nobody saw. */
  readonly begun: ReadonlyMap<HookId, BegunHook>;
}
