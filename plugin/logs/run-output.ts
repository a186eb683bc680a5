import type { Instant } from '../../shared/core/model/instant.ts';
import { instant, parseInstant } from '../../shared/core/model/instant.ts';
import type { RunHook } from '../../shared/core/report/run-document.ts';
import { JoinedReport } from '../../shared/core/report/run-document.ts';
import type { LiveKey, LivePiece, LiveSource } from '../../shared/kubernetes/run/live-output.ts';
import type { ReportPartRead } from '../../shared/kubernetes/run/run-store.ts';
import { isOpen } from '../report/report.ts';
import type { ChosenHooks } from './chosen-hooks.ts';
import type { LogChunk } from './log-chunk.ts';
import { ShownOutput } from './shown-output.ts';

const STREAMS = ['stdout', 'stderr'] as const;

export interface RunOutputOptions {
  readonly chosen: ChosenHooks;
  /** Only hooks that did not succeed: a hook's output is shown once it is known that it is one. */
  readonly failed: boolean;
  /** Output from this time on. */
  readonly since: Instant | undefined;
}

/** What opens the log of one runner that writes output into it. */
export interface RunnerLog {
  /** Which of the runners of its shard it is, from 1. */
  readonly runner: number;
  readonly shard: number;
  readonly key: LiveKey;
}

/** Joins the live output of a run's runners and its report to one text for each stream of a hook (R7.33). */
export class RunOutput {
  readonly #options: RunOutputOptions;
  readonly #emit: (chunk: LogChunk) => void;
  readonly #report = new JoinedReport();
  readonly #rows = new Map<string, RunHook>();
  readonly #shown = new ShownOutput();
  /** The runner whose output a row of the report holds. */
  readonly #printedBy = new Map<string, number>();
  /** By shard and runner. */
  readonly #logs = new Map<string, RunnerLog>();
  /** Hooks of which anything was emitted. */
  readonly #seen = new Set<string>();
  /** The runner of each shard that has written its report last. */
  readonly #newest = new Map<number, number>();

  /** `emit` is called with each piece of output that is new. */
  constructor(options: RunOutputOptions, emit: (chunk: LogChunk) => void) {
    this.#options = options;
    this.#emit = emit;
  }

  /** Read a part of the report. Returns the rows that it changes. */
  add(part: ReportPartRead): RunHook[] {
    const { runner = 0, live, hooks } = part;
    const shard = part.shard?.index ?? 0;
    this.#newest.set(shard, Math.max(this.#newest.get(shard) ?? 0, runner));
    const id = `${shard}/${runner}`;
    // A part that was written without an answer is written again.
    if (live !== undefined && !this.#logs.has(id)) this.#logs.set(id, { runner, shard, key: live });
    for (const { id, stdout, stderr } of hooks) {
      if (stdout !== undefined || stderr !== undefined) this.#printedBy.set(id, runner);
    }
    const changed = this.#report.add(part);
    // Also rows whose output has become longer.
    for (const row of changed.length > 0 || part.before ? this.#report.rows : []) this.#rows.set(row.id, row);
    return changed;
  }

  /** In plan order. */
  get rows(): readonly RunHook[] {
    return [...this.#rows.values()];
  }

  /** The row as the report has it by now. */
  row(id: string): RunHook | undefined {
    return this.#rows.get(id);
  }

  /** No other runner has its shard by now. */
  isNewest({ shard, runner }: RunnerLog): boolean {
    return this.#newest.get(shard) === runner;
  }

  /** Of the runners that write output into their logs, the first ones first. */
  get logs(): readonly RunnerLog[] {
    return [...this.#logs.values()].sort((one, other) => one.runner - other.runner || one.shard - other.shard);
  }

  hasShown(id: string): boolean {
    return this.#seen.has(id);
  }

  piece({ hook, stream, at, from, text, attempt = 1 }: LivePiece, { runner }: LiveSource): void {
    const row = this.#rows.get(hook);
    if (row === undefined || this.#options.failed || !this.#options.chosen.has(row)) return;
    this.#tell(row, stream, { runner, attempt, from, text, at: instant(at) });
  }

  /** Emit what the report has of a hook that has ended, and that was not shown yet. */
  settle(row: RunHook): void {
    if (isOpen(row) || !this.#options.chosen.has(row)) return;
    const runner = this.#printedBy.get(row.id) ?? 0;
    const at = row.finishedAt === undefined ? undefined : parseInstant(row.finishedAt);
    for (const stream of STREAMS) {
      const text = row[stream];
      if (text === undefined) continue;
      const kept = Buffer.byteLength(text);
      const from = Math.max(0, (row[`${stream}Bytes`] ?? kept) - kept);
      this.#tell(row, stream, { runner, attempt: row.attempt, from, text, at });
    }
  }

  #tell(
    row: RunHook,
    stream: LogChunk['stream'],
    piece: {
      readonly runner: number;
      readonly attempt: number;
      readonly from: number;
      readonly text: string;
      readonly at: Instant | undefined;
    },
  ): void {
    const { since } = this.#options;
    const { text, missing } = this.#shown.next(row.id, stream, piece);
    if (text === '' || (since !== undefined && piece.at !== undefined && piece.at < since)) return;
    this.#seen.add(row.id);
    this.#emit({ row, stream, at: piece.at, text, missing });
  }
}
