import type { Clock, Hold } from '../ports/ports.ts';

/** Results are written together, so those of a second share one look at the journal. */
const GATHER_MS = 1_000;

/**
 * Does what may be done only once the results of detached commands are durable (R3.86): until then the next runner may need
 * what is kept of them in their containers. Of a run that was lost to another runner nothing is done.
 */
export class Forgetting {
  readonly #clock: Clock;
  readonly #hold: Pick<Hold, 'whenDurable'> | undefined;
  #waiting: (() => void)[] = [];
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, hold: Pick<Hold, 'whenDurable'> | undefined) {
    this.#clock = clock;
    this.#hold = hold;
  }

  add(forget: () => void): void {
    this.#waiting.push(forget);
    this.#cancelTimer ??= this.#clock.setTimer(GATHER_MS, () => this.flush());
  }

  /** Don't wait for others. */
  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const now = this.#waiting;
    this.#waiting = [];
    if (now.length === 0) return;
    this.#hold?.whenDurable((isDurable) => {
      if (isDurable) for (const forget of now) forget();
    });
  }
}
