import type { Instant } from '../model/instant.ts';
import type { PlanPosition, PodIndex } from '../model/position.ts';
import { unreadableJournal } from './batch.ts';
import type { JournalEntry, JournaledResult, JournalHead } from './entry.ts';

/**
 * What a journal knows of a hook. One that it doesn't name was never begun. `last`: how its last start ended, which is
 * followed by another.
 */
export type HookRecord =
  /** About to be started, perhaps running, and nobody has seen its end. */
  | {
      readonly phase: 'begun';
      readonly tries: number;
      readonly at: Instant;
      readonly startedAt?: Instant;
      readonly podUID?: string;
      readonly containerID?: string;
      readonly key?: string;
      readonly last?: JournaledResult;
    }
  | { readonly phase: 'not-started'; readonly tries: number; readonly last?: JournaledResult }
  /** `commandEndedAt`: of its last start, where the hook ended later without another. */
  | ({ readonly phase: 'ended'; readonly commandEndedAt?: Instant } & JournaledResult);

/** A journal read so far. */
export class Replay {
  readonly head: JournalHead;
  readonly hooks = new Map<PlanPosition, HookRecord>();
  /** When the pods with a wait timeout were first seen. */
  readonly seen = new Map<PodIndex, Instant>();
  /** Hooks that are pending although a runner that is gone may have started them, by when that was at the latest. */
  readonly lost = new Map<PlanPosition, Instant>();
  /** How often a hook was begun and begun again by a later runner. */
  readonly starts = new Map<PlanPosition, number>();
  /** The run that has taken over, if one has. */
  closedBy: string | undefined;
  claims = 0;
  /** When a runner first had it. */
  claimedAt: Instant | undefined;
  /** How many claims there were when a hook was begun: a later runner may begin it again. */
  readonly #begunUnder = new Map<PlanPosition, number>();

  constructor(head: JournalHead) {
    this.head = head;
  }

  /** Note what comes next. Throws where no runner could have written that. */
  fold(entries: readonly JournalEntry[]): void {
    for (const entry of entries) this.#one(entry);
  }

  #one(entry: JournalEntry): void {
    if (this.closedBy !== undefined) throw unreadableJournal('it has entries after the one that closed it');
    switch (entry.kind) {
      case 'claim':
        this.claims += 1;
        this.claimedAt ??= entry.at;
        return;
      case 'closed':
        this.closedBy = entry.by;
        return;
      case 'seen':
        if (entry.pod >= this.head.hooks)
          throw unreadableJournal(`it names pod ${entry.pod}, which the plan doesn't have`);
        if (!this.seen.has(entry.pod)) this.seen.set(entry.pod, entry.at);
        return;
      default:
        this.#hook(entry);
    }
  }

  #hook(entry: JournalEntry & { readonly hook: PlanPosition }): void {
    const { hook } = entry;
    const before = this.hooks.get(hook);
    const isOdd = (what: string) => unreadableJournal(`hook ${hook} ${what}`);
    if (hook >= this.head.hooks) throw isOdd(`is not in the plan, which has ${this.head.hooks} hooks`);
    if (before?.phase === 'ended') throw isOdd('has entries after its end'); // R6.2
    switch (entry.kind) {
      case 'intent': {
        const { kind: _, hook: __, ...intent } = entry;
        if (before?.phase === 'begun' && this.#begunUnder.get(hook) === this.claims)
          throw isOdd('has two intents of one runner');
        if (before?.phase === 'begun') {
          this.lost.set(hook, before.startedAt ?? entry.at);
          this.#countStart(hook);
        }
        this.#begunUnder.set(hook, this.claims);
        const last = before?.phase === 'not-started' ? before.last : undefined;
        this.hooks.set(hook, { phase: 'begun', ...intent, ...(last && { last }) });
        return;
      }
      case 'lost':
        this.lost.set(hook, entry.since);
        return;
      case 'started':
        if (before?.phase !== 'begun') throw isOdd('has a start, but no intent');
        this.hooks.set(hook, { ...before, startedAt: entry.at });
        return;
      case 'not-started':
        if (before?.phase !== 'begun') throw isOdd('was taken back, but has no intent');
        this.hooks.set(hook, { phase: 'not-started', tries: before.tries, ...(before.last && { last: before.last }) });
        return;
      case 'tried': {
        if (before?.phase !== 'begun') throw isOdd('has the end of a start, but no intent');
        const { kind: _, hook: __, ...last } = entry;
        this.hooks.set(hook, { phase: 'not-started', tries: 0, last });
        this.#countStart(hook);
        return;
      }
      case 'result': {
        const { kind: _, hook: __, ...result } = entry;
        // No further start was made: the last one's own result stands, and its end (R3.56).
        const last = before?.phase === 'not-started' ? before.last : undefined;
        if (last !== undefined) this.#countStart(hook, -1);
        this.hooks.set(hook, { phase: 'ended', ...result, ...(last && { commandEndedAt: last.endedAt }) });
      }
    }
  }
  #countStart(hook: PlanPosition, by = 1): void {
    this.starts.set(hook, (this.starts.get(hook) ?? 0) + by);
  }
}
