import type { RestoreHooksError } from '../core/errors.ts';
import type { Elsewhere, Fact } from '../core/execute/protocol.ts';
import type { Counts, RunState } from '../core/execute/state.ts';
import type { Instant } from '../core/model/instant.ts';
import { waveHere } from '../core/report/open-wave.ts';
import type { RunMetrics } from '../core/report/run-metrics.ts';
import { sumOf } from '../core/report/run-metrics.ts';
import type { RunStatus } from '../core/report/run-status.ts';
import { deadlineText } from '../core/report/run-status.ts';
import type { ShardStatus, Told, WhyUntaken } from '../core/report/shard-status.ts';
import { elsewhere, endUntaken, joinedStatus, shardStatus, toldBy } from '../core/report/shard-status.ts';
import { pause } from '../ports/pause.ts';
import type { Clock, Hold, ShardBoard } from '../ports/ports.ts';
import type { Course } from './course.ts';
import type { RunWrites } from './run-writes.ts';
import type { RunWishes } from './wishes.ts';

/** How often a shard asks how the others stand (R8.46). */
const LOOK_EVERY_MS = 1_000;

/** One shard's part of a run, as it begins. */
export interface ShardOfRun {
  readonly index: number;
  /** How all shards stand, in their order. */
  readonly standing: readonly ShardStatus[];
  /** The waves of the whole plan; none where there is one at most. */
  readonly waves: readonly number[];
  /** In how many pods of the plan hooks are to be run. */
  readonly openPods: number;
  /** How the hooks of each shard count if no runner takes it. */
  readonly ifUntaken: () => readonly Counts[];
  readonly board: ShardBoard;
}

/** How the shards of a run stand, as this one knows. */
export class Standings {
  readonly index: number;
  /** In how many pods of the plan hooks are to be run. */
  readonly openPods: number;
  readonly #waves: readonly number[];
  readonly #ifUntaken: () => readonly Counts[];
  #standing: readonly ShardStatus[];
  #told: ReadonlySet<number> = new Set();

  constructor({ index, standing, waves, openPods, ifUntaken }: Omit<ShardOfRun, 'board'>) {
    this.index = index;
    this.#ifUntaken = ifUntaken;
    this.openPods = openPods;
    this.#standing = standing;
    this.#waves = waves;
  }

  /** The first shard writes the status of the run; the others tell theirs only to each other (R8.45). */
  get isFollower(): boolean {
    return this.index > 0;
  }

  /** What this shard's runners before this one have told. */
  get told(): Told | undefined {
    return this.#standing[this.index]?.told;
  }

  get hasWaves(): boolean {
    return this.#waves.length > 0;
  }

  get #others(): readonly ShardStatus[] {
    return this.#standing.filter((_, index) => index !== this.index);
  }

  get othersHaveEnded(): boolean {
    return this.#others.every(({ ended }) => ended);
  }

  /** Another shard has stopped the run. */
  get isStopped(): boolean {
    const { stop, failure } = this.elsewhere;
    return stop !== undefined || failure !== undefined;
  }

  get elsewhere(): Elsewhere {
    return elsewhere(this.#others);
  }

  /** The ends of the shards of which nothing was told so far, if that stays so. */
  untaken(at: Instant, why: WhyUntaken): (readonly [index: number, ShardStatus])[] {
    const open = [...this.#standing.entries()].filter(([index, { ended }]) => !ended && !this.#told.has(index));
    // To count the whole plan takes long, and this is asked once a second.
    const counts = open.length === 0 ? [] : this.#ifUntaken();
    return open.flatMap(([index, known]) => {
      const counted = counts[index];
      return counted === undefined ? [] : [[index, endUntaken(known, counted, at, why)] as const];
    });
  }

  heard(told: ReadonlyMap<number, ShardStatus>): void {
    this.#told = new Set(told.keys());
    this.#standing = this.#standing.map((known, index) => told.get(index) ?? known);
  }

  /** `run`: what is the same for all shards. */
  joined(run: RunStatus, own: ShardStatus): RunStatus {
    const all = this.#standing.map((each, index) => (index === this.index ? own : each));
    return joinedStatus(run, all, this.#waves);
  }

  /** What the runners of this shard before this one have counted. */
  get metricsBefore(): RunMetrics | undefined {
    return this.#standing[this.index]?.metrics;
  }

  joinedMetrics(own: RunMetrics): RunMetrics {
    return sumOf([own, ...this.#others.flatMap(({ metrics }) => (metrics ? [metrics] : []))]);
  }
}

interface Listening {
  /** The status of this shard's own hooks. */
  statusNow(): RunStatus;
  /** Another shard has told something new. */
  noteChange(): void;
}

export interface LinkParts {
  readonly clock: Clock;
  readonly run: RunState;
  readonly board: ShardBoard;
  readonly hold: Pick<Hold, 'whenDurable'>;
  readonly course: Course;
  readonly writes: RunWrites;
  readonly wishes: Pick<RunWishes, 'isSuspended' | 'isOverdue' | 'isCanceled'>;
  readonly tell: (fact: Fact) => void;
  /** An earlier runner of this shard has ended hooks because the run was canceled. */
  readonly wasCanceled: boolean;
}

/** Tells the other shards of a run how this one stands, and hears how they do. */
export class ShardLink {
  readonly #standings: Standings;
  readonly #parts: LinkParts;
  /** What is durable of what the others act upon, and the latest of it. */
  #told: Told;
  #latest: Told;
  #isUrgent = false;
  #isStopped = false;
  #hasEnded = false;
  /** As the last runner of this shard left it. */
  #metrics: RunMetrics | undefined;
  /** Undefined where it isn't known what stands. */
  #written: string | undefined;
  #heard = '';
  #wake = (): void => undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #onNews: () => void = () => undefined;

  constructor(standings: Standings, parts: LinkParts) {
    this.#standings = standings;
    this.#parts = parts;
    this.#told = (parts.wasCanceled ? standings.told : undefined) ?? toldBy(parts.run);
    this.#latest = this.#told;
    this.#metrics = standings.metricsBefore;
  }

  get isFollower(): boolean {
    return this.#standings.isFollower;
  }

  /** The first shard ends last, as it writes the run's result (R8.45). */
  get mayEnd(): boolean {
    return this.isFollower || this.#standings.othersHaveEnded;
  }

  /**
   * After each step: a wave that has ended here, or a hook that stops the run, is told once it is durable. A wave that ends
   * because of a cancel opens no other: the other shards may not have heard of it yet (R8.47).
   */
  stepped(): void {
    if (this.#parts.run.canceled) return;
    const told = toldBy(this.#parts.run);
    if (told.openWave === this.#latest.openWave && told.stop === this.#latest.stop) return;
    this.#latest = told;
    this.#parts.hold.whenDurable((isDurable) => {
      if (!isDurable) return;
      this.#told = told;
      this.#isUrgent = true;
      this.#wake();
    });
  }

  /** Listen until `stop`. */
  async listen(reporter: Listening): Promise<void> {
    if (!this.isFollower) this.#onNews = () => reporter.noteChange();
    const { clock, writes, course } = this.#parts;
    while (!this.#isStopped && course.lost === undefined) {
      if (!this.#isUrgent) {
        await new Promise<void>((resolve) => {
          const cancel = clock.setTimer(LOOK_EVERY_MS, resolve);
          this.#wake = () => {
            cancel();
            resolve();
          };
        });
      }
      if (this.#isStopped) return;
      const isDone = this.#isUrgent
        ? await writes.tryOnce('the other shards could not be told', () => this.tell(reporter.statusNow()))
        : await writes.tryOnce('the other shards could not be heard', () => this.#look(reporter));
      if (!isDone || this.#written === undefined) await pause(clock, LOOK_EVERY_MS);
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#wake();
  }

  /** Tell how this shard stands, unless that was told. One write at a time. */
  tell(status: RunStatus): Promise<void> {
    const told = this.#queue.then(
      () => this.#tell(status),
      () => this.#tell(status),
    );
    this.#queue = told;
    return told;
  }

  /** The last word of this runner. Answers why it could not be told, if so. */
  leave(status: RunStatus, hasEnded: boolean, metrics: RunMetrics | undefined): Promise<RestoreHooksError | undefined> {
    this.#hasEnded = hasEnded;
    this.#metrics = metrics;
    return this.#parts.writes.insist('how this shard stands could not be told', () => this.tell(status));
  }

  /** The status of the whole run. */
  joined(status: RunStatus): RunStatus {
    return this.#standings.joined(status, this.#own(status));
  }

  /** The metrics of the whole run (R8.72), once this runner has left. */
  get joinedMetrics(): RunMetrics | undefined {
    return this.#metrics && this.#standings.joinedMetrics(this.#metrics);
  }

  #own(status: RunStatus): ShardStatus {
    const { run } = this.#parts;
    const wave = this.#standings.hasWaves ? waveHere(run) : undefined;
    const metrics = this.#metrics;
    return { ...shardStatus(status, run, wave, this.#told, this.#hasEnded), ...(metrics && { metrics }) };
  }

  async #tell(status: RunStatus): Promise<void> {
    const own = this.#own(status);
    const text = JSON.stringify(own);
    this.#isUrgent = false;
    if (text === this.#written) return;
    // A write that fails may have been made.
    this.#written = undefined;
    try {
      this.#hear(await this.#parts.board.tell(own));
      this.#written = text;
    } catch (error) {
      this.#isUrgent = true;
      throw error;
    }
  }

  async #look(reporter: Listening): Promise<void> {
    this.#hear(await this.#parts.board.read());
    if (this.isFollower || !this.#isStoppedHere) return;
    // The next runner of this shard has to find the same: it would go on, and these shards would be left out.
    await new Promise<void>((resolve) => this.#parts.hold.whenDurable(() => resolve()));
    if (this.#parts.course.lost === undefined) await this.#endUntaken(reporter.statusNow());
  }

  /** Nothing may start any more, and nothing runs here. */
  get #isStoppedHere(): boolean {
    const { run, wishes } = this.#parts;
    const isDone = run.finishedAt !== undefined || wishes.isSuspended;
    // Once its own hooks have ended, a shard takes no note of a stop.
    return isDone && (run.stop !== undefined || wishes.isCanceled || wishes.isOverdue || this.#standings.isStopped);
  }

  /** A shard whose pod is not up would have nothing to start: the run doesn't wait for it (R8.45). */
  async #endUntaken(status: RunStatus): Promise<void> {
    const { board, clock, wishes } = this.#parts;
    const { isCanceled, isOverdue } = wishes;
    const failure = isOverdue ? ({ code: 'deadline', message: deadlineText(status) } as const) : undefined;
    for (const [index, end] of this.#standings.untaken(clock.now(), { isCanceled, failure })) {
      this.#hear(await board.endUntaken(index, end));
    }
  }

  #hear(told: ReadonlyMap<number, ShardStatus>): void {
    const standings = this.#standings;
    standings.heard(told);
    const now = JSON.stringify([...told].filter(([index]) => index !== standings.index));
    if (now === this.#heard) return;
    this.#heard = now;
    this.#parts.tell({ type: 'shardsTold', elsewhere: standings.elsewhere });
    this.#onNews();
    this.#parts.course.wakeIfOver();
  }
}
