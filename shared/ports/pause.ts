import type { Clock } from './ports.ts';

/** Resolves `ms` from now, on this clock. */
export const pause = (clock: Pick<Clock, 'setTimer'>, ms: number): Promise<void> =>
  new Promise((resolve) => void clock.setTimer(ms, resolve));
