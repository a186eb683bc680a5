import { isLost } from '../execute/resume.ts';
import { parseDurationMs } from '../model/duration.ts';
import type { Instant } from '../model/instant.ts';
import { FOREVER, later, parseInstant } from '../model/instant.ts';
import type { RunHook } from '../report/run-document.ts';

/** A command that a run has started, or may have, and whose end nobody saw: it may still be running. */
export interface CommandLeft {
  readonly runID: string;
  readonly id: string;
  readonly namespace: string;
  readonly pod: string;
  readonly podUID: string | undefined;
  /** When its execTimeout is over, counted from the latest time at which it can have started; for ever without one. */
  readonly until: Instant;
}

/** The commands that a run has left in its pods, from its rows as they are when the run is over. */
export function commandsLeft(runID: string, rows: readonly RunHook[], now: Instant): CommandLeft[] {
  return rows.flatMap((row) => {
    if (row.kind !== 'exec' || !isLost(row)) return [];
    const { id, namespace, pod, podUID, execTimeout } = row;
    // Without a start that anybody saw, it was before the end that was given to it.
    const since = row.startedAt ?? row.finishedAt;
    const from = (since === undefined ? undefined : parseInstant(since)) ?? now;
    const until = execTimeout === undefined ? FOREVER : later(from, parseDurationMs(execTimeout) ?? 0);
    return until > now ? [{ runID, id, namespace, pod, podUID, until }] : [];
  });
}
