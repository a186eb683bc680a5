import { instant } from '../core/model/instant.ts';
import type { Clock } from '../ports/ports.ts';

/** The longest time that `setTimeout` keeps: anything above fires at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** The wall clock as it stands now, and monotonic from then on: a step of it moves nothing here. */
export function startClock(): Clock {
  const origin = Date.now() - performance.now();
  return clockFrom(() => origin);
}

const clockFrom = (origin: () => number): Clock => ({
  now: () => instant(Math.floor(origin() + performance.now())),
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
});

/** The clock of this process, started with it. It is asked when it is needed: `performance` takes Node long to load. */
export const systemClock: Clock = clockFrom(() => performance.timeOrigin);
