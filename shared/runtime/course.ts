import type { RestoreHooksError } from '../core/errors.ts';
import type { RunFailure } from '../core/execute/protocol.ts';
import type { RunState } from '../core/execute/state.ts';
import type { Clock } from '../ports/ports.ts';
import type { Engine } from './engine.ts';
import type { RunWishes } from './wishes.ts';

/** Whether a run still goes on in this process, and what keeps it from going on. */
export class Course {
  readonly #run: RunState;
  readonly #clock: Clock;
  readonly #engine: Engine;
  readonly #wishes: Pick<RunWishes, 'isSuspended' | 'isLeaving'>;
  readonly #others: { readonly othersHaveEnded: boolean } | undefined;
  #lost: RestoreHooksError | undefined;
  #failedLate: RunFailure | undefined;
  #wake: () => void = () => undefined;

  /** `others`: the shards that this one waits for at its end. */
  constructor(
    run: RunState,
    clock: Clock,
    engine: Engine,
    wishes: Pick<RunWishes, 'isSuspended' | 'isLeaving'>,
    others?: { readonly othersHaveEnded: boolean },
  ) {
    this.#run = run;
    this.#others = others;
    this.#clock = clock;
    this.#engine = engine;
    this.#wishes = wishes;
  }

  /** Nothing more happens here: the run has ended, is suspended, or another runner has it. */
  get isOver(): boolean {
    if (this.#lost !== undefined) return true;
    return !this.#isWaiting && (this.#run.finishedAt !== undefined || this.#wishes.isSuspended);
  }

  /** Other shards are waited for. */
  get #isWaiting(): boolean {
    return this.#others?.othersHaveEnded === false && !this.#wishes.isLeaving && this.#failedLate === undefined;
  }

  /** What keeps a run whose hooks have all ended here from ending as they did. */
  get failedLate(): RunFailure | undefined {
    return this.#failedLate;
  }

  /** Why the run is another runner's by now, if it is. */
  get lost(): RestoreHooksError | undefined {
    return this.#lost;
  }

  /** The run can't go on, and ends as `Failed`. */
  fail(failure: RunFailure): void {
    if (this.#run.finishedAt === undefined) this.#engine.tell({ type: 'runFailed', failure });
    else if (this.#isWaiting) this.failAtEnd(failure);
  }

  /** The same where it is too late for that if its hooks have ended: then the end that they have come to isn't told. */
  failAtEnd(failure: RunFailure): void {
    if (this.#run.finishedAt === undefined) {
      this.fail(failure);
      return;
    }
    this.#failedLate ??= failure;
    this.wakeIfOver();
  }

  /** The run can't go on because of this error: `FORBIDDEN` keeps its code, everything else is an `error`. */
  failBecause(error: RestoreHooksError): void {
    this.fail(failureOf(error));
  }

  /** What happens here can't be kept any more. */
  loseHold(error: RestoreHooksError): void {
    this.failAtEnd(failureOf(error));
  }

  /** Another runner has the run: this one stops at once, and writes nothing more. */
  loseTo(error: RestoreHooksError): void {
    this.#lost ??= error;
    this.#engine.stop();
    this.#wake();
  }

  /** Resolves after `ms`, or as soon as `wakeIfOver` finds the run over. */
  pause(ms: number): Promise<void> {
    if (this.isOver) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.#clock.setTimer(ms, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
  }

  wakeIfOver(): void {
    if (this.isOver) this.#wake();
  }
}

const failureOf = ({ code, message }: RestoreHooksError): RunFailure => ({
  code: code === 'FORBIDDEN' ? 'forbidden' : 'error',
  message,
});
