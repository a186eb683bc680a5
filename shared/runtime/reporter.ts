import type { RestoreHooksError } from '../core/errors.ts';
import { phaseOf } from '../core/execute/run-phase.ts';
import type { RunState } from '../core/execute/state.ts';
import type { Instant } from '../core/model/instant.ts';
import { formatInstant, later } from '../core/model/instant.ts';
import { ANNOTATION } from '../core/names.ts';
import { openWaveOf } from '../core/report/open-wave.ts';
import type { RunStatus } from '../core/report/run-status.ts';
import { failuresOf, progressLine, statusText } from '../core/report/run-status.ts';
import type { Clock, RunStore } from '../ports/ports.ts';
import type { Course } from './course.ts';
import type { Rows } from './rows.ts';
import type { RunWrites } from './run-writes.ts';
import type { ShardLink } from './shards.ts';
import type { RunWishes } from './wishes.ts';

/** How often a run's state is told: at most once a second, and less often the longer it takes (R5.11). */
const TELL_EVERY_MS = 1_000;
const TELL_AT_LEAST_EVERY_MS = 5_000;
const CHECK_EVERY_MS = 3_000;
const REPORT_EVERY_MS = 5_000;
/** Over all runners of a run. */
const MOST_REPORTS = 200;
/** By how much more than there is, so that not every report needs a status of its own before it; of one of many shards, less. */
const ANNOUNCE_BYTES = 256 * 1024;
const ANNOUNCE_SHARE = 1 / 16;

export interface ReporterParts {
  readonly clock: Clock;
  readonly store: RunStore;
  readonly run: RunState;
  readonly rows: Rows;
  readonly writes: RunWrites;
  readonly course: Course;
  readonly wishes: RunWishes;
  /** Absent: the run has one shard. */
  readonly link?: ShardLink | undefined;
}

/** Writes beside the Restore how its run stands: the report's parts, and the status. It decides nothing of what is run. */
export class Reporter {
  readonly #parts: ReporterParts;
  /** As it was when this runner took the run. */
  readonly #taken: RunStatus;
  readonly #takenAt: Instant;
  #reportParts: number;
  /** Reports of all the run's runners, as far as this one knows. */
  #reports: number;
  /** How many bytes of output the status has announced: no more of it is put into the report. */
  #announced: number;
  /** The status that was written last is not how the run stands. */
  #isStale = false;

  constructor(taken: RunStatus, parts: ReporterParts) {
    this.#parts = parts;
    this.#taken = taken;
    this.#takenAt = parts.clock.now();
    this.#reportParts = taken.reportParts;
    this.#reports = taken.reportParts;
    this.#announced = taken.outputBytes ?? 0;
  }

  /** The run has changed: the next status tells how. */
  noteChange(): void {
    this.#isStale = true;
  }

  /**
   * The first report and the first status. A runner that dies must have said what it was about to do, so nothing is
   * started before these are written. Answers why they are not, if so (R5.15).
   */
  async writeFirst(): Promise<RestoreHooksError | undefined> {
    const { writes } = this.#parts;
    return (
      (await writes.insist('the first report could not be written', () => this.#beginReport(), 1)) ??
      (await writes.insist('the first status could not be written', () => this.#writeStatus()))
    );
  }

  async #beginReport(): Promise<void> {
    await this.writeReport();
    // A first shard without pods has no rows of its own, and begins the report of all shards (R8.48).
    if (this.#reportParts === 0) this.#reportParts = await this.#parts.store.addToReport([]);
  }

  /** Tell of the run, and look what is asked of it, until it is over here. */
  async tellUntilOver(): Promise<void> {
    const { clock, course, wishes, writes, link } = this.#parts;
    void link?.listen(this);
    let nextReport = this.#nextReport(clock.now());
    let nextCheck = later(this.#takenAt, CHECK_EVERY_MS);
    this.#isStale = false;
    for (;;) {
      await course.pause(this.#pauseMs());
      if (course.isOver) return link?.stop();
      // What was dropped has ended: the ending tells of it.
      if (wishes.dropIfDue()) continue;
      const now = clock.now();
      if (now >= nextReport && (await this.#reportIfAnnounced())) nextReport = this.#nextReport(now);
      if (this.#isStale) {
        this.#isStale = false;
        nextCheck = later(now, CHECK_EVERY_MS);
        const isDone = await writes.tryOnce('the status could not be written', () => this.#writeStatus());
        if (!isDone) this.#isStale = true;
      } else if (now >= nextCheck) {
        nextCheck = later(now, CHECK_EVERY_MS);
        await writes.tryOnce('the Restore could not be read', () => this.#checkRestore());
      }
    }
  }

  /** False: the report has to wait for a status that announces its output, or there is nothing to report. */
  async #reportIfAnnounced(): Promise<boolean> {
    const { rows, writes } = this.#parts;
    if (!rows.hasUnwritten) return false;
    if (!this.isAnnounced) {
      this.#isStale = true;
      return false;
    }
    await writes.tryOnce('the report could not be written', () => this.writeReport());
    return true;
  }

  /** The status holds as much output as the next report will, so that the next runner knows of it. */
  get isAnnounced(): boolean {
    return this.#parts.rows.outputBytes <= this.#announced;
  }

  writeReport(): Promise<void> {
    return this.#parts.rows.write(async (changed) => {
      this.#reportParts = await this.#parts.store.addToReport(changed);
      this.#reports += 1;
      // Readers find the new part by the status.
      this.#isStale = true;
    });
  }

  /** That the run is over is written last, by the ending, when all else is written. */
  async #writeStatus(): Promise<void> {
    if (!this.#parts.course.isOver) await this.annotate();
  }

  async annotate(): Promise<void> {
    const { store, wishes, link } = this.#parts;
    const status = this.statusNow();
    const heard = link?.isFollower ? store.checkRestore() : store.annotate(annotations(link?.joined(status) ?? status));
    wishes.heed(await heard);
    // The other shards begin once the first one has told anything: by then the run's status stands (R8.43).
    await link?.tell(status);
    this.#announced = status.outputBytes ?? 0;
  }

  /** The status of the whole run: this shard's, and what the others have told of theirs. */
  get runNow(): RunStatus {
    const status = this.statusNow();
    return this.#parts.link?.joined(status) ?? status;
  }

  async #checkRestore(): Promise<void> {
    this.#parts.wishes.heed(await this.#parts.store.checkRestore());
  }

  /** `incomplete`: what else has to be known of the result. */
  statusNow(incomplete: readonly string[] = []): RunStatus {
    const { clock, run, rows, wishes, course } = this.#parts;
    const failure = run.failure ?? course.failedLate;
    // An earlier runner of this run may have said the same.
    const openWave = openWaveOf(run);
    const notices = new Set([...(this.#taken.notices ?? []), ...(run.unproven ? [UNPROVEN] : []), ...incomplete]);
    const { openWave: _, ...taken } = this.#taken;
    return {
      ...taken,
      phase: phaseOf({ ...run, failure }),
      startedAt: formatInstant(run.startedAt),
      ...(run.finishedAt === undefined ? {} : { finishedAt: formatInstant(run.finishedAt) }),
      ...(run.finishedAt === undefined && wishes.isSuspending && !wishes.isOverdue
        ? { suspendedAt: formatInstant(clock.now()) }
        : {}),
      counts: { ...run.counts },
      ...(openWave && { openWave }),
      failures: failuresOf(run),
      reportParts: this.#reportParts,
      ...(rows.outputBytes === 0 ? {} : { outputBytes: this.#announcement() }),
      ...(notices.size === 0 ? {} : { notices: [...notices] }),
      ...(failure === undefined ? {} : { failure }),
    };
  }

  /** A runner that dies may have reported all that it had announced: the next one counts that as used. */
  #announcement(): number {
    const { outputBytes, outputLimit } = this.#parts.rows;
    if (this.#parts.course.isOver) return outputBytes;
    const more = Math.min(ANNOUNCE_BYTES, Math.floor(outputLimit * ANNOUNCE_SHARE));
    return this.isAnnounced ? this.#announced : Math.min(outputBytes + more, outputLimit);
  }

  #pauseMs(): number {
    const elapsedMs = this.#parts.clock.now() - this.#takenAt;
    const everyMs = Math.max(TELL_EVERY_MS, Math.min(TELL_AT_LEAST_EVERY_MS, elapsedMs / 4));
    return Math.min(everyMs, this.#parts.wishes.graceLeftMs ?? everyMs);
  }

  #nextReport(now: Instant): Instant {
    return later(now, reportAgainMs(now - this.#parts.run.startedAt, this.#reports));
  }
}

/**
 * How long after a report the next one is due (R5.14): four times the age of the run, divided by what is left of 200
 * reports. So the intervals grow, reports never stop, and one runner would reach 200 only after centuries.
 */
const reportAgainMs = (elapsedMs: number, reports: number): number =>
  Math.max(REPORT_EVERY_MS, (4 * elapsedMs) / Math.max(1, MOST_REPORTS - 1 - reports));

const UNPROVEN =
  'the API server speaks only v5.channel.k8s.io, which calls a killed kubelet a success: successes are not proven';

export const annotations = (status: RunStatus): Record<string, string> => ({
  [ANNOTATION.phase]: status.phase,
  [ANNOTATION.progress]: progressLine(status.counts),
  [ANNOTATION.status]: statusText(status),
});
