import type { RestoreHooksError } from '../core/errors.ts';
import type { Course } from './course.ts';
import type { Tried, Writes } from './writes.ts';

/** The writes of one run beside its Restore, and what becomes of the run where they fail. */
export class RunWrites {
  readonly #writes: Writes;
  readonly #course: Course;

  constructor(writes: Writes, course: Course) {
    this.#writes = writes;
    this.#course = course;
  }

  /** Try once. False: it is worth another try. */
  async tryOnce(what: string, write: () => Promise<void>): Promise<boolean> {
    return this.#course.lost !== undefined || this.#heeded(await this.#writes.try(what, write)).is !== 'again';
  }

  /** Try until it is written, or can't be any more; answers why it isn't, where there still is a run to write down. */
  async insist(
    what: string,
    write: () => Promise<void>,
    refusedAtMost?: number,
  ): Promise<RestoreHooksError | undefined> {
    if (this.#course.lost !== undefined) return undefined;
    const tried = this.#heeded(await this.#writes.insist(what, write, refusedAtMost));
    return tried.is === 'again' || tried.is === 'refused' ? tried.why : undefined;
  }

  /** The run ends where its Restore is gone, where another runner has it, and where the right to write is missing (R5.2). */
  #heeded(tried: Tried): Tried {
    if (tried.is === 'over' && tried.why.code === 'RUN_BY_ANOTHER') this.#course.loseTo(tried.why);
    else if (tried.is === 'over') this.#course.failAtEnd(DELETED);
    else if (tried.is === 'refused' && tried.why.code === 'FORBIDDEN') this.#course.failBecause(tried.why);
    return tried;
  }
}

const DELETED = { code: 'restore-deleted', message: 'the Restore was deleted' } as const;
