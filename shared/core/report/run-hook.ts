import { waitDeadline } from '../execute/deadlines.ts';
import type { PodRun, RunState } from '../execute/state.ts';
import { hookAt, stateOf } from '../execute/state.ts';
import { waitingFor } from '../execute/waiting-for.ts';
import type { HookResult } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import { formatInstant } from '../model/instant.ts';
import type { HookPosition } from '../model/position.ts';
import { hookDocument } from '../plan/make-plan-document.ts';
import { sanitizeLine } from '../sanitize.ts';
import type { RunHook } from './run-document.ts';

/** One row of the report, as the run stands. Output is added by whoever holds it. */
export function runHook(run: RunState, pod: PodRun, at: HookPosition, attempt: number): RunHook {
  const state = stateOf(pod, at);
  const podUID = state.phase === 'Ended' ? state.podUID : pod.uid;
  const known = podUID === undefined ? {} : { podUID };
  return { ...hookDocument(hookAt(pod, at)), ...known, ...result(run, pod, at), attempt };
}

function result(
  run: RunState,
  pod: PodRun,
  at: HookPosition,
): Omit<RunHook, keyof ReturnType<typeof hookDocument> | 'attempt'> {
  const state = stateOf(pod, at);
  if (state.phase === 'Ended') {
    return { ...outcomeFields(state.outcome), ...started(state), finishedAt: formatInstant(state.endedAt) };
  }
  if (state.phase === 'Running' || state.phase === 'Ending') return { state: 'Running', ...started(state) };
  if (state.phase === 'Starting') return { state: 'Running' };
  return { state: 'Waiting', message: sanitizeLine(waitingText(run, pod, at)) };
}

/** `Running` as far as anybody knows: its start was asked for, and no answer has come yet. */
export const isAskedFor = ({ state, startedAt }: Pick<RunHook, 'state' | 'startedAt'>): boolean =>
  state === 'Running' && startedAt === undefined;

const started = ({ startedAt }: { readonly startedAt?: Instant | undefined }) =>
  startedAt === undefined ? {} : { startedAt: formatInstant(startedAt) };

function outcomeFields(outcome: HookResult) {
  if (outcome.state === 'Succeeded') {
    const exitCode = outcome.exitCode === undefined ? {} : { exitCode: 0 };
    return { state: outcome.state, ...exitCode, ...(outcome.unproven && { unproven: true as const }) };
  }
  const { state, reason, exitCode, message } = outcome;
  return {
    state,
    reason,
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(message === undefined ? {} : { message: sanitizeLine(message) }),
  };
}

/** What a waiting hook waits for, and until when: for people (R7.9). */
function waitingText(run: RunState, pod: PodRun, at: HookPosition): string {
  const deadline = waitDeadline(pod, hookAt(pod, at));
  const until = deadline === undefined ? '' : `, until ${formatInstant(deadline)}`;
  return `waiting for ${waitingFor(run.maxConcurrent, pod, at)}${until}`;
}
