import { instant } from '../core/model/instant.ts';
import type { Clock } from '../ports/ports.ts';

/** The longest time that `setTimeout` can wait: a longer timer fires at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * A clock that starts at the wall clock's time and is monotonic from then on: changes of the wall clock don't affect
 * it.
 */
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
    // setTimeout may fire a little early. Then the deadline would not have passed yet by this clock.
    const elapsed = (): void => (performance.now() < due ? arm() : fire());
    arm();
    return () => clearTimeout(timer);
  },
  soon: (run) => queueMicrotask(run),
});

/** The clock of this process. It is made when it is first used, because Node takes long to load `performance`. */
export const systemClock: Clock = clockFrom(() => performance.timeOrigin);
