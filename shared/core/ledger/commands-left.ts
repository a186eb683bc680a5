import { isLost, mayRunUntil } from '../execute/lost-commands.ts';
import type { HookId } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import type { HookRow } from '../report/hook-row.ts';
import { isExecuted } from './run-record.ts';

/** A command that a run has started, or may have, and whose end nobody saw: it may still be running. */
export interface CommandLeft {
  readonly runID: string;
  readonly id: HookId;
  readonly namespace: string;
  readonly pod: string;
  readonly podUID: string | undefined;
  readonly isDetached: boolean;
  /** Which start of its hook it was. */
  readonly attempt: number;
  /** When its execTimeout is over, counted from the latest time at which it can have started; for ever without one. */
  readonly until: Instant;
}

/** The commands that a run has left in its pods, from its rows as they are when the run is over. */
export function commandsLeft(runID: string, rows: readonly HookRow[], now: Instant): CommandLeft[] {
  return rows.flatMap((row) => {
    const { hook } = row;
    if (hook.kind !== 'exec' || !isLost(row)) return [];
    const { id, namespace, pod, podUID, detach = false } = hook;
    // A command whose start nobody saw was started before the end that was given to it.
    const since = row.startedAt ?? row.finishedAt ?? now;
    const until = mayRunUntil(since, hook);
    return until > now ? [{ runID, id, namespace, pod, podUID, isDetached: detach, attempt: row.attempt, until }] : [];
  });
}

/** Without those that a later run has attached to, and whose end its rows tell: then it is the same start (R3.88). */
export const stillLeft = (left: readonly CommandLeft[], rows: readonly HookRow[]): CommandLeft[] => {
  const seen = new Map(
    rows.flatMap((row) => {
      const isSeen = row.hook.kind === 'exec' && isExecuted(row) && !isLost(row);
      return isSeen ? [[row.hook.id, row.attempt] as const] : [];
    }),
  );
  return left.filter(({ id, attempt, isDetached }) => !isDetached || seen.get(id) !== attempt);
};
