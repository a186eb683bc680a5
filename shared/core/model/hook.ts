import type { Brand } from './brand.ts';
import type { Instant } from './instant.ts';

/** `namespace/name` of a pod. */
export type PodKey = Brand<string, 'PodKey'>;
/** `<namespace>/<pod>/<container>/<name>/<index>`, percent-encoded parts, `~2` for a repeated one (R7.24). */
export type HookId = Brand<string, 'HookId'>;

export const podKey = (namespace: string, name: string): PodKey => `${namespace}/${name}` as PodKey;

export type OnError = 'Continue' | 'Fail';
/** Whose hook it is: one that Velero runs too, or one that it doesn't know. */
export type HookOrigin = 'velero' | 'restorehooks';
export type HookSource = 'annotation' | 'spec' | 'file';
/** The sources by the names that `--sources` gives them. */
export const SOURCES = ['annotations', 'spec', 'file'] as const;
/** Why a planned hook can never run. */
export type Never = 'no-such-container' | 'empty-command' | 'not-injected';

/** One hook of one pod. Durations are milliseconds. */
interface HookBase {
  readonly id: HookId;
  readonly namespace: string;
  readonly pod: string;
  readonly podUID?: string | undefined;
  readonly container: string;
  readonly source: HookSource;
  /** Whose annotation or file it is: hooks of `velero` are also Velero's to run. */
  readonly origin: HookOrigin;
  readonly name: string;
  /** Position in the entry's `postHooks`, hooks of both kinds counted. */
  readonly index: number;
  /** null = wait for ever. Of an init hook: until its container has ended. */
  readonly waitTimeoutMs: number | null;
  readonly waitTimeoutFrom: HookSource | 'default';
  readonly never?: Never | undefined;
}

/** A command to be run in a container. */
export interface ExecHook extends HookBase {
  readonly kind: 'exec';
  readonly command: readonly string[];
  readonly onError: OnError;
  /** null = no limit. */
  readonly execTimeoutMs: number | null;
  /** `flag`: of --max-exec-timeout, which caps what is written. */
  readonly execTimeoutFrom: HookSource | 'default' | 'flag';
  readonly waitForReady: boolean;
  /** It starts only when every hook of every lower wave has ended (R3.40). Absent: 0. */
  readonly wave?: number | undefined;
  /** Absent: it is started once. */
  readonly retry?: Retry | undefined;
  /** Of the pods that its entry selects, the plan has chosen this one (R3.60). Absent: it runs in all of them. */
  readonly runOn?: RunOn | undefined;
  /** Of `one-per-controller`: what its pod belongs to, as `namespace/kind/name`. */
  readonly controller?: string | undefined;
  /** Of several entries with `runOn` and the same name, which one, counted from 1. Absent: the first. */
  readonly nthEntry?: number | undefined;
  /** Its command is not tied to the exec that starts it (R3.64). */
  readonly detach?: true | undefined;
}

/** How often a command that has certainly failed is started, and the pauses between its starts (R3.50). */
export interface Retry {
  /** How many starts there may be in one run, from 2 to 100. */
  readonly attempts: number;
  /** Before the second start; it doubles with each further one. */
  readonly delayMs: number;
  readonly maxDelayMs: number;
}

export type RunOn = 'one' | 'one-per-controller';

/** An init container that the pod itself runs: it is brought in, if it has to be, and watched. */
export interface InitHook extends HookBase {
  readonly kind: 'init';
  readonly image: string;
  /** Absent: the image's own. */
  readonly command?: readonly string[] | undefined;
  /** SHA-256 of the whole container. Set if the container has more fields than name, image and command. */
  readonly containerDigest?: string | undefined;
  /** How it comes into the pod: it is in it, or its pod has to be created, or deleted and created anew. */
  readonly injection?: Injection | undefined;
}
export type Injection = 'found' | 'create' | 'recreate';

export type Hook = ExecHook | InitHook;

/** Its pod is created for it. */
export const isCreating = <T extends { readonly kind: 'exec' | 'init'; readonly injection?: Injection | undefined }>(
  hook: T,
): hook is Extract<T, { readonly kind: 'init' }> & { readonly injection: Exclude<Injection, 'found'> } =>
  hook.kind === 'init' && (hook.injection === 'create' || hook.injection === 'recreate');

/** How a hook can end, but for success, and the reasons that each end can have (R4.1, R9.1). */
export const REASONS = {
  Failed: ['exit', 'error', 'container-restarted', 'canceled'],
  TimedOut: ['waiting', 'executing'],
  NotExecuted: [
    'aborted',
    'canceled',
    'no-such-container',
    'empty-command',
    'pod-deleted',
    'pod-replaced',
    'pod-finished',
    'not-injected',
    'runner-died',
  ],
  Unknown: ['aborted', 'canceled', 'pod-deleted', 'pod-replaced', 'pod-finished', 'connection-lost', 'runner-died'],
} as const;
type Unsuccessful = keyof typeof REASONS;
type ReasonOf<State extends Unsuccessful> = (typeof REASONS)[State][number];
export type Reason = ReasonOf<Unsuccessful>;

/** How one hook ended (R4.1): each state with the reasons and fields that it can have, and no others. */
export type HookResult =
  /** Without an exit code it is the success of a sidecar that has started. */
  | {
      readonly state: 'Succeeded';
      readonly exitCode?: 0;
      readonly unproven?: true;
      readonly reason?: never;
      readonly message?: never;
    }
  | Ended<'Failed', 'exit', number>
  | Ended<'Failed', 'error' | 'container-restarted' | 'canceled'>
  /** An init container that is tried again and again has an exit code. */
  | Ended<'TimedOut', ReasonOf<'TimedOut'>, number | undefined>
  | Ended<'NotExecuted'>
  | Ended<'Unknown'>;
type Ended<State extends Unsuccessful, Why extends Reason = ReasonOf<State>, ExitCode = never> = {
  readonly state: State;
  readonly reason: Why;
  readonly message?: string;
  readonly unproven?: never;
} & ([ExitCode] extends [never]
  ? { readonly exitCode?: never }
  : undefined extends ExitCode
    ? { readonly exitCode?: NonNullable<ExitCode> }
    : { readonly exitCode: ExitCode });
export type UnsuccessfulResult = Exclude<HookResult, { readonly state: 'Succeeded' }>;

/** The result with these fields, as they were read; undefined where no hook can end so. */
export function hookResult(fields: {
  readonly state: string;
  readonly reason?: string | undefined;
  readonly exitCode?: number | undefined;
  readonly unproven?: true | undefined;
  readonly message?: string | undefined;
}): HookResult | undefined {
  const { state, reason, exitCode, unproven, message } = fields;
  const exit = exitCode === undefined ? {} : { exitCode };
  if (state === 'Succeeded') {
    const isOne = reason === undefined && (exitCode ?? 0) === 0;
    return isOne ? ({ state, ...exit, ...(unproven && { unproven }) } as HookResult) : undefined;
  }
  if (!Object.hasOwn(REASONS, state)) return undefined;
  const reasons: readonly string[] = REASONS[state as Unsuccessful];
  const mayHaveExit = state === 'TimedOut' || (exitCode !== undefined) === (reason === 'exit');
  if (reason === undefined || !reasons.includes(reason) || !mayHaveExit) return undefined;
  return { state, reason, ...exit, ...(message !== undefined && { message }) } as HookResult;
}

/** What one exec request came to, told by the transport (R4.8 to R4.17). */
export type ExecOutcome =
  /** The container's runtime itself gave the exit code. `unproven`: told over a protocol that calls a dead kubelet a success. */
  | {
      readonly kind: 'exited';
      readonly exitCode: number;
      readonly unproven?: true;
      /** Of a detached command: a runner, perhaps an earlier one, has asked for its end. */
      readonly wasEnded?: true;
    }
  /** The command did not run, or the request can never be accepted: no such command, 414, 431, other 4xx. */
  | { readonly kind: 'error'; readonly message: string }
  /** Provably before the start, and worth another try. */
  | { readonly kind: 'notStarted'; readonly why: string; readonly retryAfterMs?: number }
  | { readonly kind: 'podDeleted' }
  /** Another pod stands under the pod's name: nothing was started in it. */
  | { readonly kind: 'podReplaced' }
  /** Another pod stood under the pod's name when the command had ended: in which of the two it ran is not known. */
  | { readonly kind: 'podChanged' }
  | { readonly kind: 'noSuchContainer' }
  /** Of a detached command: its container was restarted, which has ended it. */
  | { readonly kind: 'containerRestarted' }
  /** Of a detached command: its pod is gone, and nobody saw its end. */
  | { readonly kind: 'podGone' }
  /** 401, or a right that is missing: the run itself can't go on. */
  | { readonly kind: 'forbidden'; readonly message: string }
  /** The server, or a proxy before it, lets no WebSocket through: the run itself can't go on. */
  | { readonly kind: 'noWebSocket'; readonly message: string }
  /** Started, or perhaps started, and the end was never seen. */
  | {
      readonly kind: 'connectionLost';
      readonly message: string;
      /** Of a detached command: nothing of it runs on. */
      readonly isOver?: true;
    };

/** What the run reads of a pod. */
export interface PodObservation {
  readonly key: PodKey;
  readonly uid: string;
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';
  /** It is being deleted. */
  readonly isGoing?: true;
  /** Those that commands can be run in. */
  readonly containers: Readonly<Record<string, ContainerObservation>>;
  /** Those that end before the pod's own containers begin, and sidecars. Absent: none. */
  readonly initContainers?: Readonly<Record<string, InitContainerObservation>>;
}

/** An init container, as far as the kubelet has told. Times are the node's. */
export interface InitContainerObservation {
  readonly phase: 'waiting' | 'running' | 'terminated';
  /** Has ended for good: the kubelet won't start it again. */
  readonly isOver: boolean;
  /** A native sidecar counts as done as soon as it has started. */
  readonly isSidecar: boolean;
  readonly startedAt?: Instant;
  readonly finishedAt?: Instant;
  /** Of its last end, if there was one. */
  readonly exitCode?: number;
  /** Why it waits, or how it ended: `ImagePullBackOff`, `OOMKilled`, `signal 9`. */
  readonly reason?: string;
  readonly restarts: number;
}

export interface ContainerObservation {
  /** Of this start of the container: `containerd://…`. */
  readonly id?: string;
  readonly running: boolean;
  readonly ready: boolean;
  /** Kubernetes' waiting or terminated reason (`ImagePullBackOff`, `CrashLoopBackOff`, `OOMKilled`), for people. */
  readonly reason?: string;
  /** Kubernetes' own words for that reason: the scheduler's, or those for an image. */
  readonly message?: string;
}
