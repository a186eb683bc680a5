import { formatDuration } from '../model/duration.ts';
import type { ExecHook, ExecOutcome, HookId, HookResult } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import { FOREVER, later, latest } from '../model/instant.ts';
import type { DetachedCommand, HookState } from './hook-state.ts';
import type { RunState } from './state.ts';
import { stateOf } from './state.ts';
import { timeoutText } from './timeout-text.ts';

/* Commands that outlive their connection: they are attached to by whoever goes on, and can be ended (R3.80). */

/** By what a detached command is found again; `starts`: how often the run has started its hook before (R3.80). */
export const commandKey = (runID: string, hook: HookId, starts = 0): string => `${runID}/${hook}/${starts + 1}`;

/** A hook whose detached command is asked for, or runs. */
export type DetachedState = HookState & { phase: 'Starting' | 'Running' } & { readonly detached: DetachedCommand };

export const isDetached = (state: HookState): state is DetachedState =>
  (state.phase === 'Starting' || state.phase === 'Running') && state.detached !== undefined;

/** An earlier runner may have started it, and its pod has not been seen since. */
export const isToAttach = (state: HookState): boolean =>
  state.phase === 'Starting' && state.detached?.begun?.isAsked === false;

export const isBeingEnded = (state: HookState): boolean =>
  isDetached(state) && state.detached.ending !== undefined && !isToAttach(state);

/** Its pod was seen: its command is attached to. */
export function attached(state: DetachedState, since: Instant): HookState {
  const { detached } = state;
  return { ...state, detached: { ...detached, since, begun: { ...detached.begun, isAsked: true } } };
}

export const asEnding = (state: DetachedState, since: Instant, why: 'executing' | 'canceled'): HookState => ({
  ...state,
  detached: { ...state.detached, ending: state.detached.ending ?? { since, why } },
});

/** What has ended while no runner looked says so first, whatever its exec timeout. */
const ATTACHING_MS = 5_000;
/** TERM, KILL 5 s later, and a kubelet that is restarted meanwhile. Then the hook is given up. */
const ENDING_MS = 60_000;

/** When something is to be done about it, should nothing happen: it is ended, or given up (R3.83, R3.84). */
export function detachedDeadline(state: DetachedState, { execTimeoutMs }: ExecHook): Instant {
  const { ending, since, begun } = state.detached;
  if (ending !== undefined) return later(ending.since, ENDING_MS);
  if (execTimeoutMs === null || (state.phase === 'Running' && state.commandEndedAt !== undefined)) return FOREVER;
  if (state.phase === 'Starting')
    return since === undefined || isToAttach(state) ? FOREVER : later(since, execTimeoutMs);
  const end = later(state.startedAt, execTimeoutMs);
  return begun === undefined || since === undefined ? end : latest(end, later(since, ATTACHING_MS));
}

/** The result of a detached command that was being ended, perhaps by an earlier runner; undefined of any other (R3.83). */
export function endedOutcome(
  state: HookState,
  hook: ExecHook,
  outcome: ExecOutcome,
  { canceled }: Pick<RunState, 'canceled'>,
): HookResult | undefined {
  if (!isDetached(state) || outcome.kind !== 'exited' || !outcome.wasEnded) return undefined;
  const { ending } = state.detached;
  return ending?.why === 'canceled' || (ending === undefined && canceled)
    ? { state: 'Failed', reason: 'canceled', message: `canceled: ${WAS_ENDED}` }
    : { state: 'TimedOut', reason: 'executing', message: `${timeoutText(hook, 'execTimeout')}; ${WAS_ENDED}` };
}

const WAS_ENDED = 'the command was ended, and nothing of it runs on';

/** It was ended before it could start: so it is as if it had not been asked for. */
export const wasEndedUnstarted = (state: HookState, { kind }: ExecOutcome): boolean =>
  kind === 'notStarted' &&
  isDetached(state) &&
  state.detached.ending !== undefined &&
  state.detached.begun?.startedAt === undefined;

/** Nobody could end it: its container is not reached. */
export function notEnded({ detached }: DetachedState, hook: ExecHook): HookResult {
  const what = `it could not be ended within ${formatDuration(ENDING_MS)}, and may still be running in the container`;
  return detached.ending?.why === 'canceled'
    ? { state: 'Unknown', reason: 'canceled', message: `canceled: ${what}` }
    : { state: 'Unknown', reason: 'connection-lost', message: `${timeoutText(hook, 'execTimeout')}: ${what}` };
}

/** Nothing runs that a runner has to wait for: a detached command goes on without it (R3.87). */
export const isIdle = ({ active, pods }: RunState): boolean => {
  const detached = pods.flatMap((pod) => [...pod.open.active].filter((at) => isDetached(stateOf(pod, at))));
  return active === detached.length;
};
