import type { EndedHook } from '../execute/hook-state.ts';
import { RUNNER_DIED } from '../execute/lost-commands.ts';
import type { BegunCommand, Resumed } from '../execute/run-start.ts';
import type { Hook, HookId, HookResult } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import { instant, latest } from '../model/instant.ts';
import { planEntries } from '../model/position.ts';
import type { JournalEntry, JournaledResult } from './entry.ts';
import type { Replay } from './replay.ts';

/** What becomes of a hook that was running when its runner died (R6.3). */
export type OnUnknown = 'fail' | 'rerun';

/** The journal has no messages; what a reader can't do without stands all the same. */
export function withMessage(outcome: HookResult): HookResult {
  if (outcome.state === 'Unknown' && outcome.reason === 'runner-died') return RUNNER_DIED;
  if (outcome.state !== 'NotExecuted' || outcome.reason !== 'not-injected') return outcome;
  const message =
    'an earlier runner of this run reported this, and its log has the reason; if it deleted the pod and could not create it again, its manifest is in a Secret of type restorehooks.io/pod';
  return { ...outcome, message };
}

/** Of a plan's hook what decides how it goes on. */
type ResumedHook = Pick<Hook, 'id'> & { readonly detach?: true | undefined };

/** How a run goes on from its journal, and what has to be written into it before anything else. */
export function resume(
  { hooks: records, lost: earlierLost, seen, starts: begunAgain }: Pick<Replay, 'hooks' | 'lost' | 'seen' | 'starts'>,
  hooks: readonly ResumedHook[],
  onUnknown: OnUnknown,
  now: Instant,
): { readonly resumed: Resumed; readonly entries: readonly JournalEntry[] } {
  const ended = new Map<HookId, EndedHook>();
  const tries = new Map<HookId, number>();
  const starts = new Map<HookId, number>();
  const last = new Map<HookId, EndedHook>();
  const lost = new Map<HookId, Instant>();
  const entries: JournalEntry[] = [];
  const begun = new Map<HookId, BegunCommand>();
  for (const [hook, { id, detach }] of planEntries(hooks)) {
    const record = records.get(hook);
    const since = earlierLost.get(hook);
    const before = begunAgain.get(hook);
    const counted = before === undefined ? {} : { starts: before };
    if (before !== undefined) starts.set(id, before);
    if (since !== undefined) lost.set(id, since);
    if (record === undefined) continue;
    if (record.phase === 'ended') {
      const { phase: _, outcome, ...when } = record;
      ended.set(id, { phase: 'Ended', outcome: withMessage(outcome), ...when, ...counted });
      continue;
    }
    if (record.phase === 'begun' && (detach || record.key !== undefined)) {
      const { phase: _, at: __, last: tried, ...command } = record;
      begun.set(id, { ...command, since: now }); // R3.81
      if (tried !== undefined) last.set(id, lastTry(tried, before));
      continue;
    }
    if (record.phase === 'begun' && onUnknown === 'fail') {
      const { phase: _, tries: __, at: ___, last: ____, containerID: _____, ...known } = record;
      ended.set(id, { phase: 'Ended', outcome: RUNNER_DIED, ...known, endedAt: now, ...counted });
      entries.push({ kind: 'result', hook, outcome: RUNNER_DIED, ...known, endedAt: now }); // R6.3
      continue;
    }
    tries.set(id, record.tries);
    if (record.phase !== 'begun') {
      if (record.last !== undefined) last.set(id, lastTry(record.last, before));
      continue;
    }
    starts.set(id, (before ?? 0) + 1);
    lost.set(id, latest(record.startedAt ?? now, since ?? instant(0))); // R6.4
  }
  return { resumed: { ended, tries, starts, last, begun, lost, waitingSince: seen, wasTaken: true }, entries };
}

/** `starts`: how many there were, with this one. */
const lastTry = ({ outcome, ...when }: JournaledResult, starts = 1): EndedHook => ({
  phase: 'Ended',
  outcome: withMessage(outcome),
  ...when,
  ...(starts > 1 && { starts: starts - 1 }),
});
