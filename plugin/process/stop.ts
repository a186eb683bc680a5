import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Clock } from '../../shared/ports/ports.ts';

/**
 * Ends a command early, on a signal or when `--timeout` is over. A command that has not written anything is ended at
 * once, whatever it waits for (a hanging API server, stdin). A command that has begun to write, or follows a run, calls
 * `hold`: then it is asked to end, and ends by itself (R6.27).
 */
export class CommandStop {
  readonly #secondSignal: AbortSignal;
  readonly #listeners = new Set<(why: RestoreHooksError) => void>();
  #why: RestoreHooksError | undefined;
  #isHeld = false;
  #end: (why: RestoreHooksError) => void = () => undefined;
  #cancelTimer: () => void = () => undefined;

  constructor(signal: AbortSignal, secondSignal: AbortSignal) {
    this.#secondSignal = secondSignal;
    const ask = (): void => this.#ask(reasonOf(signal));
    if (signal.aborted) ask();
    else signal.addEventListener('abort', ask, { once: true });
  }

  /** Why the command has been asked to end; undefined if it has not. */
  get why(): RestoreHooksError | undefined {
    return this.#why;
  }

  /** Ask the command to end after this time, which the flag has set. */
  limit(clock: Clock, ms: number | undefined, flag = '--timeout'): void {
    if (ms === undefined) return;
    this.#cancelTimer();
    this.#cancelTimer = clock.setTimer(ms, () =>
      this.#ask(new RestoreHooksError('TIMEOUT', `${flag} is over; ${NOTHING}`)),
    );
  }

  /** Run a whole command. Rejects as soon as the command is asked to end, unless it is in `hold`. */
  async race<T>(work: () => Promise<T>): Promise<T> {
    const ended = new Promise<never>((_, reject) => {
      this.#end = reject;
    });
    try {
      if (this.#why !== undefined) throw this.#why;
      return await Promise.race([work(), ended]);
    } finally {
      this.#cancelTimer();
    }
  }

  /**
   * Run work that ends by itself when the command is asked to end. Rejects without running it if that has been asked.
   */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isHeld) return work();
    if (this.#why !== undefined) throw this.#why;
    this.#isHeld = true;
    try {
      return await work();
    } finally {
      this.#isHeld = false;
    }
  }

  /**
   * Call the listener once, when the command is asked to end, or now if it has been asked. Returns a function that
   * removes the listener.
   */
  onAsked(listener: (why: RestoreHooksError) => void): () => void {
    if (this.#why !== undefined) listener(this.#why);
    else this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Wait for work, but reject as soon as the command is asked to end. */
  async or<T>(work: Promise<T>): Promise<T> {
    return this.#unless((reject) => this.onAsked(reject), work);
  }

  /**
   * Wait for changes that belong together, also after the command is asked to end. Rejects if they then take too long,
   * and at once on the second signal; `what` names the changes that may be made in part (R6.28).
   */
  async finish<T>(clock: Clock, what: string, hint: string, work: Promise<T>): Promise<T> {
    return this.#unless((reject) => {
      let cancelTimer: () => void = () => undefined;
      const now = (): void =>
        reject(new RestoreHooksError(this.#why?.code ?? 'INTERRUPTED', `interrupted while ${what}`, { hint }));
      const forget = this.onAsked(() => {
        cancelTimer = clock.setTimer(GRACE_MS, now);
      });
      this.#secondSignal.addEventListener('abort', now, { once: true });
      return () => {
        forget();
        cancelTimer();
        this.#secondSignal.removeEventListener('abort', now);
      };
    }, work);
  }

  async #unless<T>(listen: (reject: (why: RestoreHooksError) => void) => () => void, work: Promise<T>): Promise<T> {
    let forget: () => void = () => undefined;
    const stopped = new Promise<never>((_, reject) => {
      forget = listen(reject);
    });
    try {
      return await Promise.race([work, stopped]);
    } finally {
      forget();
    }
  }

  #ask(why: RestoreHooksError): void {
    if (this.#why !== undefined) return;
    this.#why = why;
    if (!this.#isHeld) this.#end(why);
    for (const listener of this.#listeners) listener(why);
    this.#listeners.clear();
  }
}

/** How long a change that has begun may still take when the command is asked to end: half a change helps nobody. */
const GRACE_MS = 5_000;
const NOTHING = 'nothing has been changed';

/** The exit codes are a shell's: 130 after Ctrl-C, 143 after SIGTERM (R7.4, R7.20). */
function reasonOf({ reason }: AbortSignal): RestoreHooksError {
  const [, signal] = /^received (\w+)$/.exec(reason instanceof Error ? reason.message : '') ?? [];
  if (signal === undefined) return new RestoreHooksError('INTERRUPTED', 'interrupted');
  return new RestoreHooksError(
    signal === 'SIGTERM' ? 'TERMINATED' : 'INTERRUPTED',
    `interrupted (${signal}); ${NOTHING}`,
  );
}
