/** `namespace/name` of a pod. */
export type PodKey = string & { readonly brand: 'PodKey' };
/** `<namespace>/<pod>/<container>/<name>/<index>`, percent-encoded parts, `~2` for a repeated one (contract §7). */
export type HookId = string & { readonly brand: 'HookId' };

export const podKey = (namespace: string, name: string): PodKey => `${namespace}/${name}` as PodKey;

export type OnError = 'Continue' | 'Fail';
export type HookSource = 'annotation' | 'spec' | 'file';
/** Why a planned hook can never run. */
export type Never = 'no-such-container' | 'empty-command';

/** One hook of one pod, ready to be run. Durations are milliseconds. */
export interface PlannedHook {
  readonly id: HookId;
  readonly kind: 'exec';
  readonly namespace: string;
  readonly pod: string;
  readonly podUID?: string;
  readonly container: string;
  readonly source: HookSource;
  /** Whose annotation or file it is: hooks of `velero` are also Velero's to run. */
  readonly origin: 'velero' | 'restorehooks';
  readonly name: string;
  /** Position in the entry's `postHooks`, init hooks counted. */
  readonly index: number;
  readonly command: readonly string[];
  readonly onError: OnError;
  /** null = no limit. */
  readonly execTimeoutMs: number | null;
  readonly execTimeoutFrom: HookSource | 'default';
  /** null = wait for ever. */
  readonly waitTimeoutMs: number | null;
  readonly waitTimeoutFrom: HookSource | 'default';
  readonly waitForReady: boolean;
  readonly never?: Never;
}

/** Why a hook ended as it did (contract §4). */
export type Reason =
  | 'exit'
  | 'error'
  | 'waiting'
  | 'executing'
  | 'aborted'
  | 'canceled'
  | 'no-such-container'
  | 'empty-command'
  | 'pod-deleted'
  | 'pod-replaced'
  | 'pod-finished'
  | 'not-injected'
  | 'connection-lost'
  | 'runner-died';

/** How one hook ended (contract §4). A success needs no reason. */
export type HookOutcome =
  | { readonly state: 'Succeeded'; readonly exitCode: 0; readonly unproven?: true }
  | {
      readonly state: 'Failed' | 'TimedOut' | 'NotExecuted' | 'Unknown';
      readonly reason: Reason;
      readonly exitCode?: number;
      readonly message?: string;
    };

/** What one exec request came to, told by the transport (contract §4, "Before and after the start"). */
export type ExecOutcome =
  /** The container's runtime itself gave the exit code. `unproven`: told over a protocol that calls a dead kubelet a success. */
  | { readonly kind: 'exited'; readonly exitCode: number; readonly unproven?: true }
  /** The command did not run, or the request can never be accepted: no such command, 414, 431, other 4xx. */
  | { readonly kind: 'error'; readonly message: string }
  /** Provably before the start, and worth another try. */
  | { readonly kind: 'notStarted'; readonly why: string; readonly retryAfterMs?: number }
  | { readonly kind: 'podDeleted' }
  | { readonly kind: 'noSuchContainer' }
  /** 401 or 403: the run itself can't go on. */
  | { readonly kind: 'forbidden'; readonly message: string }
  /** Started, or perhaps started, and the end was never seen. */
  | { readonly kind: 'connectionLost'; readonly message: string };

/** What the run reads of a pod. */
export interface PodObservation {
  readonly key: PodKey;
  readonly uid: string;
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';
  readonly containers: Readonly<Record<string, ContainerObservation>>;
}

export interface ContainerObservation {
  readonly running: boolean;
  readonly ready: boolean;
  /** Kubernetes' waiting or terminated reason (`ImagePullBackOff`, `CrashLoopBackOff`, `OOMKilled`), for people. */
  readonly reason?: string;
}
