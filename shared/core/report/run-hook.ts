import { waitDeadline } from '../executor/deadlines.ts';
import type { HookState, PodRun, RunState } from '../executor/state.ts';
import { hookAt, isActive, stateOf } from '../executor/state.ts';
import type { HookOutcome } from '../hook.ts';
import { sanitizeLine } from '../sanitize.ts';
import { formatInstant } from './instant.ts';
import { hookDocument } from './make-plan-document.ts';
import type { RunHook } from './run-document.ts';

/** One row of the report, as the run stands. Output is added by whoever holds it. */
export function runHook(run: RunState, pod: PodRun, at: number, attempt: number): RunHook {
  return { ...hookDocument(hookAt(pod, at)), ...result(run, pod, at), attempt };
}

function result(
  run: RunState,
  pod: PodRun,
  at: number,
): Omit<RunHook, keyof ReturnType<typeof hookDocument> | 'attempt'> {
  const state = stateOf(pod, at);
  if (state.phase === 'Ended') {
    return { ...outcomeFields(state.outcome), ...started(state), finishedAt: formatInstant(state.endedAt) };
  }
  if (state.phase === 'Running') return { state: 'Running', ...started(state) };
  if (state.phase === 'Starting') return { state: 'Running' };
  return { state: 'Waiting', message: sanitizeLine(waitingFor(run, pod, at)) };
}

/** `Running` as far as anybody knows: its start was asked for, and no answer has come yet. */
export const isAskedFor = ({ state, startedAt }: Pick<RunHook, 'state' | 'startedAt'>): boolean =>
  state === 'Running' && startedAt === undefined;

const started = ({ startedAt }: { readonly startedAt?: number }) =>
  startedAt === undefined ? {} : { startedAt: formatInstant(startedAt) };

function outcomeFields(outcome: HookOutcome) {
  if (outcome.state === 'Succeeded') {
    return { state: outcome.state, exitCode: 0, ...(outcome.unproven && { unproven: true as const }) };
  }
  const { state, reason, exitCode, message } = outcome;
  return {
    state,
    reason,
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(message === undefined ? {} : { message: sanitizeLine(message) }),
  };
}

/** What a waiting hook waits for, and until when: for people. */
export function waitingFor(run: RunState, pod: PodRun, at: number): string {
  const deadline = waitDeadline(pod, hookAt(pod, at));
  const until = deadline === undefined ? '' : `, until ${formatInstant(deadline)}`;
  return `waiting for ${whatFor(run, pod, at)}${until}`;
}

function whatFor(run: RunState, pod: PodRun, at: number): string {
  const hook = hookAt(pod, at);
  if (pod.observed === undefined) return 'the pod';
  const ahead = pod.states.findIndex(
    (state, index) => isActive(state) || (index < at && isBefore(pod, index, at, state)),
  );
  if (ahead >= 0 && ahead !== at) return `hook ${hookAt(pod, ahead).id}`;
  const state = stateOf(pod, at);
  if (state.phase === 'Waiting' && state.why !== undefined) return `another try: ${state.why}`;
  const container = pod.observed.containers[hook.container];
  const reason = container?.reason ? ` (${container.reason})` : '';
  if (!container?.running) return `container ${hook.container} to run${reason}`;
  if (hook.waitForReady && !container.ready) return `container ${hook.container} to be ready${reason}`;
  return `one of ${run.maxConcurrent} slots`;
}

/** A hook of the same container that comes first. */
const isBefore = (pod: PodRun, index: number, at: number, state: HookState): boolean =>
  state.phase !== 'Ended' && hookAt(pod, index).container === hookAt(pod, at).container;
