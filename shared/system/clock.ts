import type { Clock } from '../ports/ports.ts';

/** The longest time that `setTimeout` keeps: anything above fires at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** `now` is the wall clock; timers run on the monotonic one, so a step of the wall clock doesn't move them. */
export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer(afterMs, fire) {
    const due = performance.now() + afterMs;
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const left = due - performance.now();
      timer =
        left > LONGEST_TIMEOUT_MS
          ? setTimeout(arm, LONGEST_TIMEOUT_MS)
          : setTimeout(fire, Math.max(0, Math.ceil(left)));
    };
    arm();
    return () => clearTimeout(timer);
  },
  soon: (run) => queueMicrotask(run),
};
