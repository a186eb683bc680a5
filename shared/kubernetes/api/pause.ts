import type { Clock } from '../../ports/ports.ts';

/** Wait; an aborted signal ends the wait at once. */
export const pause = (clock: Clock, ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const cancelTimer = clock.setTimer(ms, over);
    function over(): void {
      cancelTimer();
      signal?.removeEventListener('abort', over);
      resolve();
    }
    if (signal?.aborted) over();
    else signal?.addEventListener('abort', over);
  });
