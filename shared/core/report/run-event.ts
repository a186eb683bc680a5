import type { RunState } from '../execute/state.ts';
import { cutText, sanitizeLine } from '../sanitize.ts';
import type { RunStatus } from './run-status.ts';
import { progressLine } from './run-status.ts';

/** A Kubernetes Event about a run, on its Restore (R5.23). It holds no command and no output. */
export interface RunEvent {
  /** Which of the run's events it is: each is written once, whatever number of runners the run has. */
  readonly id: 'started' | 'hook-failed' | 'ended';
  readonly type: 'Normal' | 'Warning';
  /** `RestoreHooksStarted`, `RestoreHooksHookFailed`, or `RestoreHooks` and the phase in which the run ended. */
  readonly reason: string;
  /** One line, at most 1,024 bytes. */
  readonly message: string;
}

/** Written before anything has ended: what has not is to be run, the rest has its result from an earlier run. */
export function startedEvent({ runID, attempt, counts }: RunStatus, openPods: number): RunEvent {
  const toRun = counts.waiting + counts.running;
  const kept = counts.planned - toRun;
  return event('started', 'Normal', 'Started', [
    `run ${runID} (attempt ${attempt}) has started: ${counted(toRun, 'hook')} in ${counted(openPods, 'pod')}`,
    ...(kept === 0 ? [] : [`${kept} of the plan's ${counts.planned} hooks keep the results of earlier runs`]),
  ]);
}

/** `stop`: what the first hook with `onError: Fail` that did not succeed has stopped (R3.22). */
export const hookFailedEvent = ({ runID }: Pick<RunStatus, 'runID'>, { message }: NonNullable<RunState['stop']>) =>
  event('hook-failed', 'Warning', 'HookFailed', [`run ${runID}: ${message}; no further hook is started`]);

export function endedEvent({ runID, phase, counts, failure, failures }: RunStatus): RunEvent {
  const isAsWished = phase === 'Completed' || phase === 'Canceled';
  const [first] = failures;
  return event('ended', isAsWished ? 'Normal' : 'Warning', phase, [
    `run ${runID} has ended: ${progressLine(counts)}`,
    ...(failure === undefined ? [] : [failure.message]),
    ...(first === undefined
      ? []
      : [
          `the first failure is hook ${first.id}: ${first.state} (${first.reason}${first.exitCode === undefined ? '' : ` ${first.exitCode}`})`,
        ]),
  ]);
}

/** Kubernetes allows 1,024 bytes; a character takes at most three bytes for each UTF-16 unit. */
const LONGEST_MESSAGE = 341;

const event = (id: RunEvent['id'], type: RunEvent['type'], what: string, parts: readonly string[]): RunEvent => ({
  id,
  type,
  reason: `RestoreHooks${what}`,
  message: cutText(sanitizeLine(parts.join('; ')), LONGEST_MESSAGE),
});

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
