import type { ExecHook, Hook, HookId, HookResult, PodKey, Reason } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import { FOREVER, instant, later, latest } from '../model/instant.ts';
import type { PodIndex } from '../model/position.ts';
import type { EndedHook } from './hook-state.ts';

/** What the runners before this one have done of a run, as its journal has it. */
export interface Resumed {
  readonly ended: ReadonlyMap<HookId, EndedHook>;
  /** How often a hook that is pending has been tried. */
  readonly attempts: ReadonlyMap<HookId, number>;
  /** Pending hooks whose command may be running, by the time at which it started at the latest. */
  readonly lost: ReadonlyMap<HookId, Instant>;
  /** When the wait timeouts of a pod began, by its index. */
  readonly waitingSince: ReadonlyMap<PodIndex, Instant>;
  /** Another runner has had this run: it may have deleted, and created, any pod that was to be created. */
  readonly wasTaken: boolean;
}

export interface RunOptions {
  readonly startedAt: Instant;
  readonly maxConcurrent: number;
  /** Hooks that ended in an earlier run of the Restore, and keep their result. */
  readonly ended?: ReadonlyMap<HookId, EndedHook> | undefined;
  /** What the runners before this one have done of this very run. */
  readonly resumed?: Resumed | undefined;
  /** Until when commands of earlier runs may be running in a pod, whether or not this plan has their hooks. */
  readonly quiet?: ReadonlyMap<PodKey, Instant> | undefined;
}

export const RUNNER_DIED = {
  state: 'Unknown',
  reason: 'runner-died',
  message: 'the command may have been started, and nobody saw its end',
} as const satisfies HookResult;

/** Nobody saw its end: its runner died, its connection was lost, or it was dropped by `cancel`. It may be running. */
export const isLost = ({ state, reason }: { readonly state: string; readonly reason?: Reason | undefined }): boolean =>
  state === 'Unknown' && (reason === 'runner-died' || reason === 'connection-lost' || reason === 'canceled');

/** Until when a command that was started at `since`, at the latest, may be running: for ever without a limit. */
export const mayRunUntil = (since: Instant, { execTimeoutMs }: ExecHook): Instant =>
  execTimeoutMs === null ? FOREVER : later(since, execTimeoutMs); // R4.5

/** Until when lost commands of a pod may be running (R6.4). */
export function quietUntil(
  pod: PodKey,
  hooks: readonly Hook[],
  { ended, resumed, quiet }: RunOptions,
): Instant | undefined {
  let until = quiet?.get(pod); // R6.4, R6.1.6
  for (const hook of hooks) {
    if (hook.kind !== 'exec') continue;
    const state = ended?.get(hook.id) ?? resumed?.ended.get(hook.id);
    // Without a start that anybody saw, it was before the end that was given to it.
    const end = state !== undefined && isLost(state.outcome) ? (state.startedAt ?? state.endedAt) : undefined;
    const since = state === undefined ? resumed?.lost.get(hook.id) : end;
    if (since !== undefined) until = latest(until ?? instant(0), mayRunUntil(since, hook));
  }
  return until;
}
