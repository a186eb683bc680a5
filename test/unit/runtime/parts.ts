import type { ErrorCode } from '../../../shared/core/errors.ts';
import { RestoreHooksError } from '../../../shared/core/errors.ts';
import type { Fact } from '../../../shared/core/execute/protocol.ts';
import { createRun } from '../../../shared/core/execute/state.ts';
import { step } from '../../../shared/core/execute/step.ts';
import type { Hook } from '../../../shared/core/model/hook.ts';
import { instant } from '../../../shared/core/model/instant.ts';
import { ANNOTATION } from '../../../shared/core/names.ts';
import type { RunHook } from '../../../shared/core/report/run-document.ts';
import type { RunStatus } from '../../../shared/core/report/run-status.ts';
import type { RunStore, Wishes } from '../../../shared/ports/ports.ts';
import { Course } from '../../../shared/runtime/course.ts';
import { Rows } from '../../../shared/runtime/rows.ts';
import { RunWrites } from '../../../shared/runtime/run-writes.ts';
import { RunWishes } from '../../../shared/runtime/wishes.ts';
import { Writes } from '../../../shared/runtime/writes.ts';
import { VirtualClock } from '../../sim/virtual-clock.ts';
import { execHook } from './hooks.ts';

export const refused = (code: ErrorCode): RestoreHooksError => new RestoreHooksError(code, `refused: ${code}`);

/** The parts of a run whose engine only notes what it is told, and whose store keeps what it is given. */
export class Parts {
  readonly clock = new VirtualClock();
  readonly told: Fact[] = [];
  /** What was written, in its order: `report`, `annotate InProgress`, `phase Completed`, `check`. */
  readonly written: string[] = [];
  readonly statuses: RunStatus[] = [];
  readonly reports: (readonly RunHook[])[] = [];
  /** By the first word of what is written: why it isn't. */
  readonly refusals = new Map<string, ErrorCode>();
  asked: Wishes = {};
  isStopped = false;
  readonly run;
  readonly rows: Rows;
  readonly wishes: RunWishes;
  readonly course: Course;
  readonly writes: RunWrites;

  constructor(hooks: readonly Hook[] = [execHook('p')]) {
    this.run = createRun(hooks, { startedAt: instant(0), maxConcurrent: 8 });
    this.rows = new Rows(this.run, 1, new Map());
    const engine = {
      tell: (fact: Fact) => void this.told.push(fact),
      stop: () => {
        this.isStopped = true;
      },
    };
    this.wishes = new RunWishes(this.run, this.clock, engine.tell);
    this.course = new Course(this.run, this.clock, engine, this.wishes);
    this.writes = new RunWrites(new Writes(this.clock, () => undefined), this.course);
  }

  /** Make one step of the run, and tell the rows of it. */
  step(...facts: Fact[]): void {
    this.rows.stepped(step(this.run, facts, this.clock.now()).touched);
  }

  /** Let time go on, and promises with it. */
  async passed(ms: number): Promise<void> {
    const until = this.clock.now() + ms;
    this.clock.setTimer(ms, () => undefined);
    await this.clock.runUntilWithPromises(until);
  }

  readonly store: RunStore = {
    annotate: async (annotations) => {
      this.#write(`annotate ${annotations[ANNOTATION.phase]}`);
      this.statuses.push(JSON.parse(annotations[ANNOTATION.status] ?? '') as RunStatus);
      return this.asked;
    },
    addToReport: async (rows) => {
      this.#write('report');
      return this.reports.push(rows);
    },
    setRestorePhase: async (_from, to) => this.#write(`phase ${to}`),
    checkRestore: async () => {
      this.#write('check');
      return this.asked;
    },
  };

  #write(what: string): void {
    const refusal = this.refusals.get(what.split(' ')[0] ?? '');
    if (refusal !== undefined) throw refused(refusal);
    this.written.push(what);
  }
}
