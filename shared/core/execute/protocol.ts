import type { ExecOutcome, HookId, PodKey, PodObservation } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import type { EndedHook } from './hook-state.ts';

/** Something that has happened. Facts that arrive together are folded together, then acted on once. */
export type Fact =
  | { readonly type: 'podObserved'; readonly pod: PodObservation }
  | { readonly type: 'podDeleted'; readonly key: PodKey; readonly uid: string }
  /** The first listing is complete: a planned pod that hasn't been observed isn't there. */
  | { readonly type: 'podsListed' }
  /** The intent to start this hook is durable. */
  | { readonly type: 'intentRecorded'; readonly hook: HookId }
  | { readonly type: 'execStarted'; readonly hook: HookId }
  /** Its command has ended. How is told when the pod has been asked for once more: until then no time runs out. */
  | { readonly type: 'commandEnded'; readonly hook: HookId }
  | { readonly type: 'execEnded'; readonly hook: HookId; readonly outcome: ExecOutcome }
  /** What there is of an init container's log has been read. */
  | { readonly type: 'logRead'; readonly hook: HookId }
  | { readonly type: 'podCreated'; readonly key: PodKey; readonly uid: string }
  | { readonly type: 'podNotCreated'; readonly key: PodKey; readonly message: string; readonly left: PodLeft }
  /** It is time to look at this pod again. */
  | { readonly type: 'timerFired'; readonly key: PodKey }
  /** Somebody gave up: start nothing more. */
  | { readonly type: 'cancelRequested' }
  /** The runner has to end, not the run: start nothing more, and leave what waits to the next runner. */
  | { readonly type: 'suspendRequested' }
  /** Don't wait for running hooks any longer either. */
  | { readonly type: 'dropRequested' }
  /** The run itself can't go on. */
  | { readonly type: 'runFailed'; readonly failure: RunFailure }
  /** How the other shards of the run stand by now. */
  | { readonly type: 'shardsTold'; readonly elsewhere: Elsewhere };

/** What stands under the name of a pod that could not be created: what stood there before, another pod, or none. */
export type PodLeft = 'as-before' | 'another' | 'missing';

/** Why a run can't go on. */
export interface RunFailure {
  readonly code: 'forbidden' | 'restore-deleted' | 'error';
  readonly message: string;
}

/** How far the other shards of a run are, as far as that is durable. */
export interface Elsewhere {
  /** The lowest wave in which a hook there has not ended; absent: there is none. */
  readonly openWave?: number | undefined;
  /** When the last hook of each wave there that is over ended. */
  readonly waveEnds: readonly (readonly [wave: number, endedAt: Instant])[];
  /** A hook with `onError: Fail` did not succeed there: which one, for people. */
  readonly stop?: string | undefined;
  /** The run can't go on there. */
  readonly failure?: RunFailure | undefined;
}

/** Something to be done, derived from hooks that changed their phase. */
export type Effect =
  | { readonly type: 'recordIntent'; readonly hook: HookId; readonly attempt: number; readonly containerID?: string }
  /** The intent is taken back. */
  | { readonly type: 'recordNotStarted'; readonly hook: HookId }
  | { readonly type: 'recordStarted'; readonly hook: HookId; readonly at: Instant }
  /** A start has ended, and is followed by another. */
  | { readonly type: 'recordTried'; readonly hook: HookId; readonly result: EndedHook }
  | { readonly type: 'recordResult'; readonly hook: HookId; readonly result: EndedHook }
  | { readonly type: 'startExec'; readonly hook: HookId }
  | { readonly type: 'dropExec'; readonly hook: HookId }
  /** A detached command is to be ended. */
  | { readonly type: 'endExec'; readonly hook: HookId }
  /** A detached command has ended: once that is durable, what is kept of it in its container is not needed any more. */
  | { readonly type: 'forgetExec'; readonly hook: HookId }
  | { readonly type: 'readLog'; readonly hook: HookId }
  | { readonly type: 'createPod'; readonly key: PodKey }
  /** Instead of the pod's last one, if that is another. */
  | { readonly type: 'setTimer'; readonly key: PodKey; readonly at: Instant }
  | { readonly type: 'clearTimer'; readonly key: PodKey };
