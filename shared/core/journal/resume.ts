import type { EndedHook } from '../execute/hook-state.ts';
import { RUNNER_DIED } from '../execute/lost-commands.ts';
import type { Resumed } from '../execute/run-start.ts';
import type { Hook, HookId, HookResult } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import { instant, latest } from '../model/instant.ts';
import { planEntries } from '../model/position.ts';
import type { JournalEntry } from './entry.ts';
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

/** How a run goes on from its journal, and what has to be written into it before anything else. */
export function resume(
  { hooks: records, lost: earlierLost, seen, starts: begunAgain }: Pick<Replay, 'hooks' | 'lost' | 'seen' | 'starts'>,
  hooks: readonly Pick<Hook, 'id'>[],
  onUnknown: OnUnknown,
  now: Instant,
): { readonly resumed: Resumed; readonly entries: readonly JournalEntry[] } {
  const ended = new Map<HookId, EndedHook>();
  const tries = new Map<HookId, number>();
  const starts = new Map<HookId, number>();
  const lost = new Map<HookId, Instant>();
  const entries: JournalEntry[] = [];
  for (const [hook, { id }] of planEntries(hooks)) {
    const record = records.get(hook);
    const since = earlierLost.get(hook);
    const before = begunAgain.get(hook);
    if (before !== undefined) starts.set(id, before);
    if (since !== undefined) lost.set(id, since);
    if (record === undefined) continue;
    if (record.phase === 'ended') {
      const { phase: _, outcome, ...when } = record;
      ended.set(id, {
        phase: 'Ended',
        outcome: withMessage(outcome),
        ...when,
        ...(before !== undefined && { starts: before }),
      });
      continue;
    }
    if (record.phase === 'begun' && onUnknown === 'fail') {
      const { phase: _, tries: __, at: ___, ...known } = record;
      ended.set(id, {
        phase: 'Ended',
        outcome: RUNNER_DIED,
        ...known,
        endedAt: now,
        ...(before !== undefined && { starts: before }),
      });
      entries.push({ kind: 'result', hook, outcome: RUNNER_DIED, ...known, endedAt: now }); // R6.3
      continue;
    }
    tries.set(id, record.tries);
    if (record.phase !== 'begun') continue;
    starts.set(id, (before ?? 0) + 1);
    lost.set(id, latest(record.startedAt ?? now, since ?? instant(0))); // R6.4
  }
  return { resumed: { ended, tries, starts, lost, waitingSince: seen, wasTaken: true }, entries };
}
