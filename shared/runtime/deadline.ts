import type { RunState } from '../core/execute/state.ts';
import type { HookRecord } from '../core/journal/replay.ts';
import { rowsOfDeadRun } from '../core/ledger/rows-of-run.ts';
import type { HookId } from '../core/model/hook.ts';
import type { Instant } from '../core/model/instant.ts';
import { formatInstant, parseInstant } from '../core/model/instant.ts';
import type { PlanPosition } from '../core/model/position.ts';
import { planEntries } from '../core/model/position.ts';
import { countRows } from '../core/report/dead-run.ts';
import { parseRow, rowDocuments } from '../core/report/hook-row.ts';
import type { RunHook } from '../core/report/run-document.ts';
import type { RunStatus } from '../core/report/run-status.ts';
import { deadlineText } from '../core/report/run-status.ts';
import type { Clock } from '../ports/ports.ts';

/** Call `over` once the run's deadline has passed, or at once if it has. Returns how to stop that. */
export function atDeadline({ deadline }: RunStatus, clock: Clock, over: (deadline: string) => void): () => void {
  const at = deadline === undefined ? undefined : parseInstant(deadline);
  if (deadline === undefined || at === undefined) return () => undefined;
  // Not by a timer: nothing may start before it fires.
  if (clock.now() < at) return clock.setTimer(at - clock.now(), () => over(deadline));
  over(deadline);
  return () => undefined;
}

/**
 * A run that ends at its deadline with hooks that have not ended. They are told as those of a runner that died: whoever
 * goes on finds them so (R7.83). One that waits for its next start keeps the result of its last one (R3.58).
 */
export function endedAtDeadline(
  { status, rows }: { readonly status: RunStatus; readonly rows: readonly RunHook[] },
  { pods, places, lost }: Pick<RunState, 'pods' | 'places' | 'lost'>,
  at: Instant,
): { readonly status: RunStatus; readonly rows: readonly RunHook[] } {
  const hooks = new Map<PlanPosition, HookRecord>();
  const maybeBegun = new Map<PlanPosition, Instant>();
  for (const [position, { id, state }] of planEntries(rows)) {
    const place = places.get(id as HookId);
    const last = place && pods[place.pod]?.states[place.at]?.last;
    if (state === 'Running') hooks.set(position, { phase: 'begun', tries: 1, at });
    else if (last !== undefined) hooks.set(position, { phase: 'not-started', tries: 0, last });
    if (lost.has(id as HookId)) maybeBegun.set(position, at);
  }
  const left = rowDocuments(rowsOfDeadRun(rows.map(parseRow), { hooks, lost: maybeBegun }, true, at));
  const failure = { code: 'deadline', message: deadlineText(status) } as const;
  const end = { phase: 'Failed', finishedAt: formatInstant(at), counts: countRows(left) } as const;
  const { openWave: _, ...run } = status; // R3.46
  return { status: { failure, ...run, ...end }, rows: left };
}
