import type { HookResult } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';

/** Deadlines are not kept here: they follow from these times and the hook's timeouts. */
export type HookState = Phase & {
  /** How often it was started in this run before that: each of these starts is over. Absent: never. */
  readonly starts?: number;
};

type Phase =
  /** `retryAt`, `why`: the last try was not started, and is made again from then on. */
  | {
      readonly phase: 'Waiting';
      readonly tries: number;
      readonly retryAt?: Instant;
      readonly why?: string;
    }
  /** The intent to start it is being made durable. */
  | { readonly phase: 'Recording'; readonly tries: number }
  /** Asked for; nobody knows yet whether it has started. */
  | { readonly phase: 'Starting'; readonly tries: number }
  /** `commandEndedAt`: it has ended, and how is about to be told. */
  | { readonly phase: 'Running'; readonly startedAt: Instant; readonly commandEndedAt?: Instant }
  /** It is known how its init container ended, and its log is being read. */
  | {
      readonly phase: 'Ending';
      readonly outcome: HookResult;
      readonly startedAt: Instant | undefined;
      readonly endedAt: Instant;
    }
  /** `podUID`: of the pod as it was known then. */
  | {
      readonly phase: 'Ended';
      readonly outcome: HookResult;
      readonly startedAt?: Instant;
      readonly endedAt: Instant;
      readonly podUID?: string;
    };

export type EndedHook = HookState & { phase: 'Ended' };
