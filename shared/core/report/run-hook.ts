import { waitDeadline } from '../execute/deadlines.ts';
import type { PodRun, RunState } from '../execute/state.ts';
import { hookAt, stateOf } from '../execute/state.ts';
import { waitingFor } from '../execute/waiting-for.ts';
import type { HookResult } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import { formatInstant } from '../model/instant.ts';
import type { HookPosition } from '../model/position.ts';
import { sanitizeLine } from '../sanitize.ts';
import type { HookRow, RowState } from './hook-row.ts';
import type { RunHook } from './run-document.ts';

/** One row of the report, as the run stands. `number`: which run of the Restore it is. */
export function hookRow(run: RunState, pod: PodRun, at: HookPosition, number: number): HookRow {
  const state = stateOf(pod, at);
  const podUID = state.phase === 'Ended' ? state.podUID : pod.uid;
  const hook = hookAt(pod, at);
  const attempt = (run.startsBefore.get(hook.id) ?? 0) + (state.starts ?? 0) + 1; // R3.48
  return { hook: podUID === undefined ? hook : { ...hook, podUID }, run: number, attempt, ...rowState(run, pod, at) };
}

/** What has become of a hook so far. */
export function rowState(run: RunState, pod: PodRun, at: HookPosition): RowState {
  const state = stateOf(pod, at);
  if (state.phase === 'Ended') {
    return { ...sanitized(state.outcome), ...started(state), finishedAt: state.endedAt };
  }
  if (state.phase === 'Running' || state.phase === 'Ending') return { state: 'Running', ...started(state) };
  if (state.phase === 'Starting') return { state: 'Running' };
  return { state: 'Waiting', message: sanitizeLine(waitingText(run, pod, at)) };
}

/** `Running` as far as anybody knows: its start was asked for, and no answer has come yet. */
export const isAskedFor = ({ state, startedAt }: Pick<RunHook, 'state' | 'startedAt'>): boolean =>
  state === 'Running' && startedAt === undefined;

const started = ({ startedAt }: { readonly startedAt?: Instant | undefined }) =>
  startedAt === undefined ? {} : { startedAt };

const sanitized = (result: HookResult): HookResult =>
  result.message === undefined ? result : { ...result, message: sanitizeLine(result.message) };

/** What a waiting hook waits for, and until when: for people (R7.9). */
function waitingText(run: RunState, pod: PodRun, at: HookPosition): string {
  const deadline = waitDeadline(pod, hookAt(pod, at));
  const until = deadline === undefined ? '' : `, until ${formatInstant(deadline)}`;
  return `waiting for ${waitingFor(run.maxConcurrent, pod, at)}${until}`;
}
