import type { ExecHook, Hook, HookResult, Retry } from '../model/hook.ts';
import type { Instant } from '../model/instant.ts';
import { later } from '../model/instant.ts';
import type { EndedHook, HookState } from './hook-state.ts';
import { timeoutText } from './timeout-text.ts';

/** Whether a start that has ended so is followed by another: only one that has certainly ended is (R3.51). */
export const isTriedAgain = ({ retry, detach }: ExecHook, starts: number, outcome: HookResult): boolean =>
  retry !== undefined &&
  starts < retry.attempts &&
  outcome.reason !== 'canceled' &&
  (outcome.state === 'Failed' || (detach === true && outcome.reason === 'executing')); // R3.52

/** When the next start may be made: the pauses double, up to the longest (R3.53). */
export function nextTryAt({ retry }: Pick<ExecHook, 'retry'>, { endedAt, starts = 0 }: EndedHook): Instant {
  const { delayMs, maxDelayMs }: Pick<Retry, 'delayMs' | 'maxDelayMs'> = retry ?? { delayMs: 0, maxDelayMs: 0 };
  return later(endedAt, Math.min(maxDelayMs, delayMs * 2 ** starts));
}

/** A hook that waits for its next start. */
export const pauseAfter = (hook: Pick<ExecHook, 'retry'>, last: EndedHook): HookState & { phase: 'Waiting' } => ({
  phase: 'Waiting',
  tries: 0,
  retryAt: nextTryAt(hook, last),
  starts: (last.starts ?? 0) + 1,
  last,
});

type Paused = HookState & { phase: 'Waiting'; readonly retryAt: Instant; readonly last: EndedHook };

/** Until the next start is due (R3.53). A request that was refused, and is made again, has no such pause. */
export const isInPause = (state: HookState): state is Paused =>
  state.phase === 'Waiting' && state.last !== undefined && state.retryAt !== undefined && state.why === undefined;

/**
 * The result of a hook that waited for its next start, which is not made: it was executed, so its last start's own result
 * stands, and its end (R3.56).
 */
export function withoutFurtherTry(hook: Hook, last: EndedHook, why: HookResult, endedAt: Instant): EndedHook {
  const attempts = hook.kind === 'exec' ? (hook.retry?.attempts ?? 1) : 1;
  const which = `attempt ${(last.starts ?? 0) + 1} of ${attempts}; no further one was made: ${reasonText(why)}`;
  const message = [tryMessage(hook, last.outcome), which].filter(Boolean).join('; ');
  const outcome = { ...last.outcome, message } as HookResult;
  return { ...last, commandEndedAt: last.endedAt, endedAt, starts: last.starts ?? 0, outcome };
}

/** What was said of the end of a start. The journal has no messages: which timeout is over follows from the hook (R3.29). */
export const tryMessage = (hook: Hook, { message, reason }: HookResult): string | undefined =>
  message ?? (reason === 'executing' ? timeoutText(hook, 'execTimeout') : undefined);

function reasonText({ reason, message }: HookResult): string {
  switch (reason) {
    case 'canceled':
      return 'the run was canceled';
    case 'pod-deleted':
      return 'its pod was deleted';
    case 'pod-replaced':
      return 'its pod was replaced';
    case 'pod-finished':
      return 'its pod has finished';
    default:
      return message ?? reason ?? '';
  }
}

/** How the last start ended, for people. */
export function lastTryText(hook: Hook, { outcome }: EndedHook): string {
  if (outcome.reason === 'exit') return `the last one exited with ${outcome.exitCode}`;
  const message = tryMessage(hook, outcome);
  return `the last one ended ${outcome.state} (${outcome.reason})${message === undefined ? '' : `: ${message}`}`;
}
