import type { Fact } from '../core/execute/protocol.ts';
import type { RunState } from '../core/execute/state.ts';
import type { Instant } from '../core/model/instant.ts';
import { earliest, FOREVER, later } from '../core/model/instant.ts';
import type { Clock, Wishes } from '../ports/ports.ts';

/**
 * What a run was asked while it goes on: to cancel, which somebody writes beside the Restore, or to suspend and to drop
 * what runs, which whoever started this process asks.
 */
export class RunWishes {
  readonly #run: RunState;
  readonly #clock: Clock;
  readonly #tell: (fact: Fact) => void;
  #isSuspending = false;
  #isDropped = false;
  /** When the grace of a cancel is over. */
  #dropAt: Instant | undefined;

  constructor(run: RunState, clock: Clock, tell: (fact: Fact) => void) {
    this.#run = run;
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Do what is asked beside the Restore, where the same request is found again at each look. */
  heed({ cancel }: Wishes): void {
    if (cancel === undefined) return;
    if (!this.#run.canceled) this.cancel();
    if (cancel.graceMs === undefined) return;
    this.#dropAt = earliest(this.#dropAt ?? FOREVER, later(this.#clock.now(), cancel.graceMs)); // R6.19
  }

  /** Start nothing more: the run ends when running hooks have. */
  cancel(): void {
    this.#tell({ type: 'cancelRequested' });
  }

  /** Start nothing more, and leave what waits to the next runner. */
  suspend(): void {
    this.#isSuspending = true;
    this.#tell({ type: 'suspendRequested' });
  }

  /** Don't wait for running hooks. A run that is suspended leaves them as they are, for its next runner. */
  drop(): void {
    this.#isDropped = true;
    if (!this.#isSuspending) this.#tell({ type: 'dropRequested' });
  }

  /** Drop what runs if the grace of a cancel is over. True: this call dropped it. */
  dropIfDue(): boolean {
    if (this.#dropAt === undefined || this.#clock.now() < this.#dropAt || this.#isDropped) return false;
    this.#isDropped = true;
    this.#tell({ type: 'dropRequested' });
    return true;
  }

  /** How long the grace of a cancel still lasts, from 0; undefined where nothing will be dropped. */
  get graceLeftMs(): number | undefined {
    return this.#dropAt === undefined || this.#isDropped ? undefined : Math.max(0, this.#dropAt - this.#clock.now());
  }

  /** The run was asked to be left to its next runner. */
  get isSuspending(): boolean {
    return this.#isSuspending;
  }

  /** It was asked so, and nothing runs that this runner waits for. */
  get isSuspended(): boolean {
    const isIdle = this.#run.suspended && this.#run.active === 0;
    return this.#isSuspending && (this.#isDropped || isIdle);
  }
}
