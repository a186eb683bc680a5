import type { Clock } from '../ports/ports.ts';

/** The longest time that `setTimeout` keeps: anything above fires at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** The wall clock as it stood when the process began, and monotonic from then on: a step of it moves nothing here. */
export const systemClock: Clock = {
  now: () => Math.floor(performance.timeOrigin + performance.now()),
  setTimer(afterMs, fire) {
    const due = performance.now() + afterMs;
    let timer: NodeJS.Timeout;
    const arm = (): void => {
      const leftMs = Math.max(0, Math.ceil(due - performance.now()));
      timer = setTimeout(elapsed, Math.min(leftMs, LONGEST_TIMEOUT_MS));
    };
    // setTimeout may be a little early, and whoever reads the clock then would find that nothing is due.
    const elapsed = (): void => (performance.now() < due ? arm() : fire());
    arm();
    return () => clearTimeout(timer);
  },
  soon: (run) => queueMicrotask(run),
};
