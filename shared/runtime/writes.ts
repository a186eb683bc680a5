import { RestoreHooksError } from '../core/errors.ts';
import { pause } from '../ports/pause.ts';
import type { Clock } from '../ports/ports.ts';

/** How long the first and the last word on a run are tried to be written. */
export const INSIST_MS = 600_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 5_000;
/** An API server that has just restarted may refuse a request that it accepts a second later. Only repeated refusals count. */
const REFUSED_AT_MOST = 5;
/** How often the same trouble is told again. */
const WARN_EVERY_MS = 30_000;

/** What a write beside a run has come to. */
export type Tried =
  | { readonly is: 'written' }
  /** It may be taken the next time. */
  | { readonly is: 'again'; readonly why: RestoreHooksError }
  /** It was refused so often that it won't be taken any more. */
  | { readonly is: 'refused'; readonly why: RestoreHooksError }
  /** There is nothing left to write to: the Restore is gone, or the run is somebody else's. */
  | { readonly is: 'over'; readonly why: RestoreHooksError };

/** The writes of one run: what each failure means, and how long a write is tried. */
export class Writes {
  readonly #clock: Clock;
  readonly #warn: (what: string, error: RestoreHooksError) => void;
  readonly #refused = new Map<string, number>();
  readonly #told = new Map<string, { readonly message: string; readonly at: number }>();

  constructor(clock: Clock, warn: (what: string, error: RestoreHooksError) => void) {
    this.#clock = clock;
    this.#warn = warn;
  }

  /** One try. `what`: what is wrong if it fails, for people, and what tells one write from another. */
  async try(what: string, write: () => Promise<void>, refusedAtMost = REFUSED_AT_MOST): Promise<Tried> {
    try {
      await write();
      this.#refused.delete(what);
      this.#told.delete(what);
      return { is: 'written' };
    } catch (why) {
      if (!(why instanceof RestoreHooksError)) throw why;
      if (why.code === 'RUN_BY_ANOTHER') return { is: 'over', why };
      this.#tell(what, why);
      if (why.code === 'NOT_FOUND') return { is: 'over', why };
      if (why.code === 'CLUSTER_UNREACHABLE' || why.code === 'WRITE_CONFLICT') return { is: 'again', why };
      const times = (this.#refused.get(what) ?? 0) + 1;
      this.#refused.set(what, times);
      return { is: times < refusedAtMost ? 'again' : 'refused', why };
    }
  }

  /** Tries until it is written, is refused for good, or ten minutes are over (R5.11). */
  async insist(what: string, write: () => Promise<void>, refusedAtMost = REFUSED_AT_MOST): Promise<Tried> {
    const giveUpAt = this.#clock.now() + INSIST_MS;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      const tried = await this.try(what, write, refusedAtMost);
      if (tried.is !== 'again' || this.#clock.now() >= giveUpAt) return tried;
      await pause(this.#clock, pauseMs);
    }
  }

  #tell(what: string, error: RestoreHooksError): void {
    const at = this.#clock.now();
    const told = this.#told.get(what);
    if (told !== undefined && told.message === error.message && at - told.at < WARN_EVERY_MS) return;
    this.#told.set(what, { message: error.message, at });
    this.#warn(what, error);
  }
}
