import { createHash, randomInt } from 'node:crypto';
import { RestoreHooksError } from '../../core/errors.ts';
import { noCounts } from '../../core/execute/state.ts';
import type { RunOptions } from '../../core/manifests/job.ts';
import type { Instant } from '../../core/model/instant.ts';
import { formatInstant, later } from '../../core/model/instant.ts';
import type { Restore } from '../../core/model/restore.ts';
import type { RunStatus } from '../../core/report/run-status.ts';
import { hasEnded } from '../../core/report/run-status.ts';
import type { KubeClient } from '../api/client.ts';
import { getRestore } from '../velero/restores.ts';
import { runStatusOf, writeStatus } from './run-store.ts';

const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';

/** Six random characters, without vowels, so that they spell no word. */
export const newRunID = (): string => Array.from({ length: 6 }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');

/** A run ID made from a name, so that a repeated call finds its run. */
export const runIDOf = (name: string): string =>
  Array.from(
    createHash('sha256').update(name).digest().subarray(0, 6),
    (byte) => ALPHABET[byte % ALPHABET.length],
  ).join('');

/** What a status says of the plan. */
interface Planned {
  readonly digest: string;
  readonly hooks: { readonly length: number };
  readonly restore: { readonly runNamespace?: string | undefined };
}

export interface NewRun {
  readonly runID: string;
  readonly planned: { readonly document: Planned };
  readonly runner: RunStatus['runner'];
  readonly options: Pick<RunOptions, 'failOn' | 'deadlineMs' | 'parallelism'>;
  readonly now: Instant;
  /** The number of this run among the Restore's runs, if more of them are known than the status names. */
  readonly attempt?: number | undefined;
}

/** The status of a run that is about to be launched (R5.9). */
export function newStatus(
  restore: Restore,
  { runID, planned: { document }, runner, options, now, attempt = 1 }: NewRun,
): RunStatus {
  const earlier = runStatusOf(restore);
  const before = earlier && (earlier.reportParts > 0 ? lastReportOf(earlier) : earlier.before);
  return {
    version: 1,
    ...(restore.metadata.uid ? { restoreUID: restore.metadata.uid } : {}),
    runID,
    attempt: Math.max(attempt, (earlier?.attempt ?? 0) + 1),
    ...(document.restore.runNamespace && { runNamespace: document.restore.runNamespace }), // R8.81
    planDigest: document.digest,
    phase: 'Pending',
    runner,
    createdAt: formatInstant(now),
    ...(options.deadlineMs !== undefined && { deadline: formatInstant(later(now, options.deadlineMs)) }), // R7.82
    failOn: options.failOn,
    counts: { ...noCounts(document.hooks.length), waiting: document.hooks.length },
    failures: [],
    reportParts: 0,
    ...shardsOf(options),
    ...(before ? { before } : {}),
  };
}

const shardsOf = ({ parallelism = 1 }: Pick<RunOptions, 'parallelism'>): Pick<RunStatus, 'shards'> =>
  parallelism > 1 ? { shards: Array.from({ length: parallelism }, () => 0) } : {};

const lastReportOf = ({ runID, reportParts, shards, attempt, planDigest, counts: { planned } }: RunStatus) => ({
  runID,
  reportParts,
  ...(shards && { shards }),
  attempt,
  planDigest,
  planned,
});

export const versionOf = ({ metadata }: Restore, namespace: string) => ({
  namespace: metadata.namespace || namespace,
  name: metadata.name,
  resourceVersion: metadata.resourceVersion ?? '',
});

const CLAIM_TRIES = 10;

/**
 * Write into a run's status that `claimant` has claimed it (R6.14). The claimant must hold the Restore's Lease and the
 * run's journal. Rejects with `RUN_BY_ANOTHER` if the run can't be claimed.
 */
export async function claimRun(
  client: Pick<KubeClient, 'get' | 'patch'>,
  { namespace, name, runID }: { readonly namespace: string; readonly name: string; readonly runID: string },
  claimant: string,
  /** The status of a run that has none yet. */
  unwritten: (restore: Restore) => RunStatus,
): Promise<{ readonly restore: Restore; readonly status: RunStatus }> {
  for (let tries = 1; ; tries += 1) {
    const restore = await getRestore(client, namespace, name);
    const { suspendedAt: _, ...status } = claimable(restore, runID) ?? unwritten(restore);
    const claimed: RunStatus = {
      ...status,
      phase: 'InProgress',
      runner: { ...status.runner, claimedBy: claimant },
    };
    try {
      await writeStatus(client, versionOf(restore, namespace), claimed);
      return { restore, status: claimed };
    } catch (error) {
      const isConflict = error instanceof RestoreHooksError && error.code === 'WRITE_CONFLICT';
      if (!isConflict || tries >= CLAIM_TRIES) throw error;
    }
  }
}

/** The run's status if it may be claimed; undefined if it has no status yet. */
function claimable(restore: Restore, runID: string): RunStatus | undefined {
  const status = runStatusOf(restore);
  if (status === undefined) return undefined;
  if (status.runID === runID) {
    if (!hasEnded(status)) return status;
    throw new RestoreHooksError('RUN_BY_ANOTHER', `run ${runID} has ended (${status.phase}); nothing is started`);
  }
  if (hasEnded(status)) return undefined;
  throw new RestoreHooksError(
    'RUN_BY_ANOTHER',
    `run ${status.runID} of Restore ${restore.metadata.name} is still going; nothing is started`,
  );
}
