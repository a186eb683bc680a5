import type { HookResult } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';

/** How often it was started in this run before that: each of these starts is over. Absent: never. */
interface Counted {
  readonly starts?: number;
}

/** Deadlines are not kept here: they follow from these times and the hook's timeouts. */
export type HookState = OpenHook | EndedHook;

/** `last`: how its last start ended, which is followed by another (R3.51). */
type OpenHook = OpenPhase & Counted & { readonly last?: EndedHook };

type OpenPhase =
  /** `retryAt`, `why`: the last try was not started, and is made again from then on. */
  | {
      readonly phase: 'Waiting';
      readonly tries: number;
      readonly retryAt?: Instant;
      readonly why?: string;
    }
  /** The intent to start it is being made durable. */
  | { readonly phase: 'Recording'; readonly tries: number; readonly detached?: DetachedCommand }
  /** Asked for; nobody knows yet whether it has started. */
  | { readonly phase: 'Starting'; readonly tries: number; readonly detached?: DetachedCommand }
  /** `commandEndedAt`: it has ended, and how is about to be told. */
  | {
      readonly phase: 'Running';
      readonly startedAt: Instant;
      readonly commandEndedAt?: Instant;
      readonly detached?: DetachedCommand;
    }
  /** It is known how its init container ended, and its log is being read. */
  | {
      readonly phase: 'Ending';
      readonly outcome: HookResult;
      readonly startedAt: Instant | undefined;
      readonly endedAt: Instant;
    };

/** What is known of a command that is not tied to its connection (R3.80). */
export interface DetachedCommand {
  /** The container's own id when its intent was made. */
  readonly containerID?: string | undefined;
  /** Since when it is asked for, or was found again. */
  readonly since?: Instant;
  /** An earlier runner may have started it: it is attached to as soon as its pod is seen (R3.81). */
  readonly begun?: { readonly isAsked: boolean; readonly startedAt?: Instant | undefined; readonly key?: string };
  /** It is being ended: since when, and why. */
  readonly ending?: { readonly since: Instant; readonly why: 'executing' | 'canceled' };
}

/** `podUID`: of the pod as it was known then. */
export interface EndedHook extends Counted {
  readonly phase: 'Ended';
  readonly outcome: HookResult;
  readonly startedAt?: Instant;
  readonly endedAt: Instant;
  /** When its last start ended, where the hook itself ended later: no further one was made (R3.56). */
  readonly commandEndedAt?: Instant;
  readonly podUID?: string;
  readonly last?: never;
}
