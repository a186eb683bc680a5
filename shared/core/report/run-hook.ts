import { waitDeadline } from '../execute/deadlines.ts';
import { isBeingEnded } from '../execute/detached.ts';
import type { HookState } from '../execute/hook-state.ts';
import type { PodRun, RunState } from '../execute/state.ts';
import { hookAt, stateOf } from '../execute/state.ts';
import { isInPause } from '../execute/tries.ts';
import { waitingFor } from '../execute/waiting-for.ts';
import type { HookId, HookResult } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import { formatInstant } from '../model/instant.ts';
import type { HookPosition } from '../model/position.ts';
import { cutText, sanitizeLine } from '../sanitize.ts';
import type { HookRow, RowState } from './hook-row.ts';
import type { RunHook } from './run-document.ts';

/** One row of the report, as the run stands. `number`: which run of the Restore it is. */
export function hookRow(run: RunState, pod: PodRun, at: HookPosition, number: number): HookRow {
  const state = stateOf(pod, at);
  const podUID = state.phase === 'Ended' ? state.podUID : pod.uid;
  const hook = hookAt(pod, at);
  const attempt = attemptOf(run, hook.id, state);
  return { hook: podUID === undefined ? hook : { ...hook, podUID }, run: number, attempt, ...rowState(run, pod, at) };
}

/** Which start of the hook it is (R3.48). */
const attemptOf = (run: RunState, id: HookId, { starts = 0 }: HookState): number =>
  (run.startsBefore.get(id) ?? 0) + starts + 1;

export function attemptNow(run: RunState, id: HookId): number {
  const place = run.places.get(id);
  const state = place && run.pods[place.pod]?.states[place.at];
  return state === undefined ? 1 : attemptOf(run, id, state);
}

/** What has become of a hook so far. */
export function rowState(run: RunState, pod: PodRun, at: HookPosition): RowState {
  const state = stateOf(pod, at);
  if (state.phase === 'Ended') {
    return { ...sanitized(state.outcome), ...started(state), finishedAt: state.commandEndedAt ?? state.endedAt };
  }
  if (isBeingEnded(state)) return { state: 'Running', message: BEING_ENDED, ...started(state) };
  if (state.phase === 'Running' || state.phase === 'Ending') return { state: 'Running', ...started(state) };
  if (state.phase === 'Starting') return { state: 'Running' };
  return { state: 'Waiting', message: waitingText(run, pod, at) };
}

const BEING_ENDED = 'its command is being ended';

/** `Running` as far as anybody knows: its start was asked for, and no answer has come yet. */
export const isAskedFor = ({ state, startedAt }: Pick<RunHook, 'state' | 'startedAt'>): boolean =>
  state === 'Running' && startedAt === undefined;

const started = (state: HookState): { readonly startedAt?: Instant } =>
  'startedAt' in state && state.startedAt !== undefined ? { startedAt: state.startedAt } : {};

const sanitized = (result: HookResult): HookResult =>
  result.message === undefined ? result : { ...result, message: sanitizeLine(result.message) };

/** What a waiting hook waits for, in at most `longest` characters, and until when: for people (R7.9). */
export function waitingText(run: RunState, pod: PodRun, at: HookPosition, longest = Number.POSITIVE_INFINITY): string {
  const what = sanitizeLine(`waiting for ${waitingFor(run, pod, at)}`);
  return `${cutText(what, longest)}${limitText(pod, at)}`;
}

/** A pause ends by itself, and no wait timeout has begun of a hook whose wave isn't open: neither has a limit. */
function limitText(pod: PodRun, at: HookPosition): string {
  const hook = hookAt(pod, at);
  const state = stateOf(pod, at);
  if (isInPause(state) || !pod.waves.isOpen(hook)) return '';
  if (hook.waitTimeoutMs === null) return ', without a limit';
  const deadline = waitDeadline(pod, hook, state.last);
  return deadline === undefined ? '' : `, until ${formatInstant(deadline)}`;
}
