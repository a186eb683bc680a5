import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Clock } from '../../shared/ports/ports.ts';

/**
 * What ends a command early (R6.27): a signal, or `--timeout`. A command that holds nothing is ended at once, whatever it waits
 * for (an API server that hangs, stdin): it has written nothing. One that has begun to write, or follows a run, holds,
 * and ends by itself.
 */
export class Stop {
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

  /** Why the command has to end, if it has. */
  get why(): RestoreHooksError | undefined {
    return this.#why;
  }

  /** From now on the command may take this long. */
  limit(clock: Clock, ms: number | undefined): void {
    if (ms === undefined) return;
    this.#cancelTimer = clock.setTimer(ms, () => this.#ask(TIME_IS_OVER()));
  }

  /** A whole command: rejects as soon as it is asked to end while it holds nothing. */
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

  /** Work that ends by itself when it is asked to; not begun where that was asked for before. */
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

  /** Called once, at once where it has been asked already. Answers how to listen no more. */
  onAsked(listener: (why: RestoreHooksError) => void): () => void {
    if (this.#why !== undefined) listener(this.#why);
    else this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Rejects as soon as the command is asked to end. */
  async or<T>(work: Promise<T>): Promise<T> {
    return this.#unless((reject) => this.onAsked(reject), work);
  }

  /**
   * Changes that belong together (R6.28): begun, they are carried to their end. Rejects where that takes too long after the
   * command was asked to end, and at the second signal at once; `what` says then what is done in part.
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

/** What has been begun when the command is asked to end may take this long: half of a change helps nobody. */
const GRACE_MS = 5_000;
const NOTHING = 'nothing has been changed';
const TIME_IS_OVER = (): RestoreHooksError => new RestoreHooksError('TIMEOUT', `--timeout is over; ${NOTHING}`);

/** As a shell has it: 130 after Ctrl-C, 143 after SIGTERM (R7.4, R7.20). */
function reasonOf({ reason }: AbortSignal): RestoreHooksError {
  const [, signal] = /^received (\w+)$/.exec(reason instanceof Error ? reason.message : '') ?? [];
  if (signal === undefined) return new RestoreHooksError('INTERRUPTED', 'interrupted');
  return new RestoreHooksError(
    signal === 'SIGTERM' ? 'TERMINATED' : 'INTERRUPTED',
    `interrupted (${signal}); ${NOTHING}`,
  );
}
