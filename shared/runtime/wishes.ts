import { isIdle } from '../core/execute/detached.ts';
import { isAsked } from '../core/execute/pod-life.ts';
import type { Fact } from '../core/execute/protocol.ts';
import type { RunState } from '../core/execute/state.ts';
import type { Instant } from '../core/model/instant.ts';
import { earliest, FOREVER, later } from '../core/model/instant.ts';
import type { Clock, Wishes } from '../ports/ports.ts';

/** How long running hooks may take to end after the run's deadline: as long as after SIGTERM in the Job's pod. */
const DEADLINE_GRACE_MS = 50_000;

/**
 * What a run was asked while it goes on: to cancel, which somebody writes beside the Restore, or to suspend and to drop
 * what runs, which whoever started this process asks.
 */
export class RunWishes {
  readonly #run: RunState;
  readonly #clock: Clock;
  readonly #tell: (fact: Fact) => void;
  #isCanceled = false;
  #isSuspending = false;
  #isDropped = false;
  /** What has not ended is left to whoever goes on. */
  #isLeft = false;
  #isOverdue = false;
  #isLeaving = false;
  /** When the grace of a cancel, or that of the deadline, is over. */
  #dropAt: Instant | undefined;

  constructor(run: RunState, clock: Clock, tell: (fact: Fact) => void) {
    this.#run = run;
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Do what is asked beside the Restore, where the same request is found again at each look. */
  heed({ cancel }: Wishes): void {
    if (cancel === undefined) return;
    if (!this.#isCanceled) this.cancel();
    if (cancel.graceMs === undefined) return;
    this.#dropAt = earliest(this.#dropAt ?? FOREVER, later(this.#clock.now(), cancel.graceMs)); // R6.19
  }

  /** Start nothing more: the run ends when running hooks have. */
  cancel(): void {
    this.#isCanceled = true;
    this.#tell({ type: 'cancelRequested' });
  }

  /** Start nothing more, and leave what waits to the next runner. */
  suspend(): void {
    this.#isLeaving = true;
    this.#suspend();
  }

  #suspend(): void {
    this.#isSuspending = true;
    this.#tell({ type: 'suspendRequested' });
  }

  /** The run's deadline has passed: it is suspended, and what runs has a grace to end in. */
  endAtDeadline(): void {
    this.#isOverdue = true;
    this.#dropAt = earliest(this.#dropAt ?? FOREVER, later(this.#clock.now(), DEADLINE_GRACE_MS)); // R7.82
    this.#suspend();
  }

  /** Don't wait for running hooks. A run that is suspended leaves them as they are, for its next runner. */
  drop(): void {
    this.#drop(this.#isSuspending);
  }

  /** Drop what runs if its grace is over. True: this call dropped it. */
  dropIfDue(): boolean {
    if (this.#dropAt === undefined || this.#clock.now() < this.#dropAt || this.#isDropped) return false;
    this.#drop(this.#isSuspending && !this.#run.canceled); // R6.19, R7.82
    return true;
  }

  #drop(isLeft: boolean): void {
    this.#isDropped = true;
    this.#isLeft = isLeft;
    if (!isLeft) this.#tell({ type: 'dropRequested' });
  }

  /** How long the grace still lasts, from 0; undefined where nothing will be dropped. */
  get graceLeftMs(): number | undefined {
    return this.#dropAt === undefined || this.#isDropped ? undefined : Math.max(0, this.#dropAt - this.#clock.now());
  }

  /** It was asked to cancel, maybe after the last hook here had ended. */
  get isCanceled(): boolean {
    return this.#isCanceled;
  }

  /** The run was asked to be left to its next runner. */
  get isSuspending(): boolean {
    return this.#isSuspending;
  }

  /** This process was asked to end. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** It was asked so because its deadline has passed. */
  get isOverdue(): boolean {
    return this.#isOverdue;
  }

  /** It was asked so, and nothing runs that this runner waits for. */
  get isSuspended(): boolean {
    const hasLeft = this.#run.suspended && isIdle(this.#run);
    // Nobody goes on after the deadline: a pod that is being replaced would be lost (R2.17).
    const mayLeave = this.#isLeft && !(this.#isOverdue && this.#run.pods.some(isAsked));
    return this.#isSuspending && (mayLeave || hasLeft);
  }
}
