import type { PodKey } from '../core/model/hook.ts';
import type { Instant } from '../core/model/instant.ts';
import type { Clock } from '../ports/ports.ts';

/** The timers of a run's pods: at most one for each pod, the last that was set. */
export class PodTimers {
  readonly #clock: Clock;
  readonly #fired: (key: PodKey) => void;
  readonly #timers = new Map<PodKey, { readonly at: Instant; readonly cancel: () => void }>();

  /** `fired` is called when the time of a pod's timer has come. */
  constructor(clock: Clock, fired: (key: PodKey) => void) {
    this.#clock = clock;
    this.#fired = fired;
  }

  /** Takes the place of the pod's timer, if that is for another time. */
  set(key: PodKey, at: Instant): void {
    const last = this.#timers.get(key);
    if (last?.at === at) return;
    last?.cancel();
    const fire = () => {
      this.#timers.delete(key);
      this.#fired(key);
    };
    this.#timers.set(key, { at, cancel: this.#clock.setTimer(at - this.#clock.now(), fire) });
  }

  clear(key: PodKey): void {
    this.#timers.get(key)?.cancel();
    this.#timers.delete(key);
  }

  clearAll(): void {
    for (const { cancel } of this.#timers.values()) cancel();
    this.#timers.clear();
  }
}
