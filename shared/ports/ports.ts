import type { RestoreHooksError } from '../core/errors.ts';
import type { EndedHook } from '../core/execute/hook-state.ts';
import type { PodLeft } from '../core/execute/protocol.ts';
import type { ExecOutcome, HookId, PodKey, PodObservation } from '../core/model/hook.ts';
import type { Instant } from '../core/model/instant.ts';
import type { PodIndex } from '../core/model/position.ts';
import type { RunHook } from '../core/report/run-document.ts';
import type { RunEvent } from '../core/report/run-event.ts';
import type { ShardStatus } from '../core/report/shard-status.ts';

/**
 * What the runtime needs of the world. Ports answer by callback, not by promise: a promise puts a microtask between
 * an answer and its event, and then the order of two answers depends on the runtime.
 */

export interface Clock {
  now(): Instant;
  /** Call `fire` once, `afterMs` from now (any length). Returns how to cancel it. */
  setTimer(afterMs: number, fire: () => void): () => void;
  /** Call `run` when what is happening now is done, before anything else happens. */
  soon(run: () => void): void;
}

export interface ExecRequest {
  readonly namespace: string;
  readonly pod: string;
  /** Of the pod that is meant: in another one of its name nothing is run. */
  readonly podUID?: string | undefined;
  readonly container: string;
  readonly command: readonly string[];
  /** Absent: the command is tied to this exec. */
  readonly detached?: Detached | undefined;
}

/** How a command is found again whose connection, or runner, is gone. */
export interface Detached {
  /** Of the run, the hook and the start: who asks with the same key attaches to what was started before. */
  readonly key: string;
  /** The container's own id as it was seen before the first request with this key: in another one it can't be running. */
  readonly containerID: string | undefined;
  /** An earlier runner may have asked with this key. */
  readonly isBegun: boolean;
  /** It has seen the command start: where nothing is kept of it, it is not started again. */
  readonly wasStarted?: boolean;
}

/** The last bytes of what a command printed, control characters stripped. Absent = nothing was captured. */
export interface Output {
  readonly stdout?: string;
  readonly stderr?: string;
  /** How many bytes of UTF-8 the stream had in all, control characters stripped; absent: that is all of it. */
  readonly stdoutBytes?: number;
  readonly stderrBytes?: number;
}

/** A piece of what a running command prints, control characters stripped. */
export interface Printed {
  readonly stream: 'stdout' | 'stderr';
  /** How many bytes of the stream's text come before it. */
  readonly from: number;
  readonly text: string;
}

export interface ExecAnswer {
  started(): void;
  commandEnded?(): void;
  /** As it comes, before `ended` has all of it. */
  printed?(piece: Printed): void;
  /** What a command has printed whose stream was dropped: told while it is dropped. */
  dropped?(output: Output): void;
  ended(outcome: ExecOutcome, output: Output): void;
}

export interface HookExec {
  /**
   * Ask for one command in one container. `started` is called at most once, when the command may be running;
   * `commandEnded` at most once, when it is known how it ended, but not yet whether in the pod that is meant;
   * then `ended`, exactly once, unless the returned function has dropped the stream before: that tells `dropped`, and
   * after that there is silence.
   * Dropping never ends the command in the container (R3.19).
   */
  start(request: ExecRequest, answer: ExecAnswer): () => void;
  /** End a detached command: TERM to its process group, KILL after 5 s. `ended` of its exec tells what came of it. */
  end?(request: ExecRequest): void;
  /** Remove what a detached command keeps in its container: its result is durable. Nothing is told of it. */
  forget?(request: ExecRequest): void;
}

export interface LogReader {
  /** Read the last lines that a container printed. `read` is called exactly once, with nothing where it can't be. */
  read(container: Omit<ExecRequest, 'command'>, read: (output: Output) => void): void;
}

export type PodCreation =
  | { readonly created: true; readonly uid: string }
  | { readonly created: false; readonly message: string; readonly left: PodLeft };

export interface PodCreator {
  /** Create a pod of the plan; `answer` is called exactly once. */
  create(key: PodKey, answer: (creation: PodCreation) => void): void;
}

export type PodEvent =
  | { readonly type: 'podObserved'; readonly pod: PodObservation }
  | { readonly type: 'podDeleted'; readonly key: PodKey; readonly uid: string }
  /** Every pod of the first listing has been told. */
  | { readonly type: 'podsListed' }
  /** The pods can't be watched any more (forbidden, gone for good): the run can't go on. */
  | { readonly type: 'podsLost'; readonly error: RestoreHooksError };

export interface PodSource {
  /** List, then watch until the returned function is called. */
  start(tell: (event: PodEvent) => void): () => void;
}

export interface Intent {
  /** From 1. */
  readonly attempt: number;
  readonly podUID: string | undefined;
  /** Of a detached command: the container's own id as it was seen. */
  readonly containerID?: string | undefined;
}

/** Where a run's progress is made durable, in the order in which it is told (R6.1). */
export interface Journal {
  /**
   * Record that this hook is about to be started; `recorded` is called once that is durable and this runner may start
   * it, if ever.
   */
  intent(hook: HookId, intent: Intent, recorded: () => void): void;
  /** The intent is taken back: provably not started. */
  notStarted(hook: HookId): void;
  started(hook: HookId, at: Instant): void;
  /** How a start ended that is followed by another. */
  tried(hook: HookId, result: EndedHook): void;
  result(hook: HookId, result: EndedHook): void;
  /** When the wait timeouts of a pod began, by its index. */
  seen(pod: PodIndex, at: Instant): void;
}

/** This runner's hold on its run: nothing is begun, and nothing written, after it is lost. */
export interface Hold {
  /** Once: `RUN_BY_ANOTHER`, somebody else has the run; anything else: the journal can't be written any more. */
  onLost(lost: (error: RestoreHooksError) => void): void;
  /** Calls back when all that the journal was told is durable (true), or can't become so any more (false). */
  whenDurable(durable: (isDurable: boolean) => void): void;
}

export interface EventWriter {
  /** Write an event on the run's Restore, once. `written` is called at most once; `error`: why it could not be written. */
  write(event: RunEvent, written: (error?: RestoreHooksError) => void): void;
}

/** What somebody asks of the run, as it stands beside its Restore. */
export interface Wishes {
  /** Start nothing more; `graceMs`: how long running hooks are waited for, from when it is first seen. */
  readonly cancel?: { readonly graceMs?: number };
}

/**
 * Where the shards of a run tell each other how they stand. All answer how all do, by their numbers, and reject with a
 * RestoreHooksError; `RUN_BY_ANOTHER`: another runner has this shard.
 */
export interface ShardBoard {
  tell(own: ShardStatus): Promise<ReadonlyMap<number, ShardStatus>>;
  /** Tell the end of a shard, unless a runner has taken it. */
  endUntaken(index: number, end: ShardStatus): Promise<ReadonlyMap<number, ShardStatus>>;
  read(): Promise<ReadonlyMap<number, ShardStatus>>;
}

/** Where a run is reported: beside its Restore. All reject with a RestoreHooksError; `NOT_FOUND`: no Restore any more. */
export interface RunStore {
  /** Set (or, with null, remove) annotations of the Restore. */
  annotate(annotations: Readonly<Record<string, string | null>>): Promise<Wishes>;
  /** Add to the report the rows that are new or changed. Returns how many parts stand. */
  addToReport(rows: readonly RunHook[]): Promise<number>;
  /** Set the Restore's own phase, and annotations with it, where the phase still is `from`. */
  setRestorePhase(from: string, to: string, annotations: Readonly<Record<string, string | null>>): Promise<void>;
  /** Rejects where the Restore is gone or being deleted. */
  checkRestore(): Promise<Wishes>;
}
