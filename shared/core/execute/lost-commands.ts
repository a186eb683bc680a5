import type { ExecHook, Hook, HookResult, PodKey, Reason } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import { FOREVER, instant, later, latest } from '../model/instant.ts';
import type { RunStart } from './run-start.ts';

export const RUNNER_DIED = {
  state: 'Unknown',
  reason: 'runner-died',
  message: 'the command may have been started, and nobody saw its end',
} as const satisfies HookResult;

/** What became of a detached command whose pod went while nobody looked (R3.82). */
export const UNSEEN = 'its pod went before anybody saw how the command ended';

/** Nobody saw its end: its runner died, its connection was lost, or it was dropped by `cancel`. It may be running. */
export const isLost = ({ state, reason }: { readonly state: string; readonly reason?: Reason | undefined }): boolean =>
  state === 'Unknown' && (reason === 'runner-died' || reason === 'connection-lost' || reason === 'canceled');

/** Until when a command that was started at `since`, at the latest, may be running: for ever without a limit. */
export const mayRunUntil = (since: Instant, { execTimeoutMs }: ExecHook): Instant =>
  execTimeoutMs === null ? FOREVER : later(since, execTimeoutMs); // R4.5

/** Until when lost commands of a pod may be running (R6.4). */
export function quietUntil(pod: PodKey, hooks: readonly Hook[], { resumed, quiet }: RunStart): Instant | undefined {
  let until = quiet?.get(pod); // R6.4, R6.1.6
  for (const hook of hooks) {
    if (hook.kind !== 'exec') continue;
    const state = resumed?.ended.get(hook.id); // What earlier runs have left stands in `quiet`.
    // Without a start that anybody saw, it was before the end that was given to it.
    const end = state !== undefined && isLost(state.outcome) ? (state.startedAt ?? state.endedAt) : undefined;
    const since = state === undefined ? resumed?.lost.get(hook.id) : end;
    if (since !== undefined) until = latest(until ?? instant(0), mayRunUntil(since, hook));
  }
  return until;
}
