import type { ExecHook, ExecOutcome } from '../../shared/core/model/hook.ts';

/** What was told of a pod. */
export interface ToldPod {
  readonly index: number;
  readonly hooks: readonly ExecHook[];
  uid: string | undefined;
  phase?: string;
  gone?: 'pod-deleted' | 'pod-replaced';
  replaced: boolean;
  /** Until when a command whose connection was lost may go on in it. */
  quietUntil: number;
  waitingSince?: number;
  /** When the listing showed that it isn't there. */
  listedAt?: number;
  readonly upSince: Map<string, { running: number | undefined; ready: number | undefined }>;
}

/** `retryAt`: from when on the next start may be made. */
interface Tried {
  readonly answer: ExecOutcome;
  readonly at: number;
  readonly startedAt: number | undefined;
  readonly retryAt: number;
}

/** What was asked of the world for one hook, and answered. */
export interface Requests {
  durable: boolean;
  asked: number;
  open: boolean;
  begun: boolean;
  startedAt: number | undefined;
  startRecorded: boolean;
  answer: ExecOutcome | undefined;
  answeredAt: number;
  retryAt: number;
  results: number;
  dropped: boolean;
  /** Another pod had been told under the name before the answer. */
  replaced: boolean;
  /** Its starts that have ended and are followed by others. */
  readonly tried: Tried[];
  /** How many of them were recorded. */
  triedTold: number;
}
