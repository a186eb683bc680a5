import type { LiveKey, LivePiece, LiveSource } from '../../shared/kubernetes/run/live-output.ts';
import { LIVE_MESSAGE, openBatch } from '../../shared/kubernetes/run/live-output.ts';

/** Opens the lines of one runner's log that hold output (R5.25). */
export class LiveLines {
  readonly #key: LiveKey;
  readonly #source: LiveSource;
  #next = 0;
  #isOver = false;
  #lastTime: string | undefined;
  #unreadable = 0;

  constructor(key: LiveKey, source: LiveSource) {
    this.#key = key;
    this.#source = source;
  }

  /** The output in a line; none where it is another line, or was read before. */
  read(text: string): readonly LivePiece[] {
    const line = parsed(text);
    if (line === undefined) return [];
    const opened = openBatch(this.#key, this.#source, line.live);
    if (opened === undefined) {
      this.#unreadable += 1;
      return [];
    }
    this.#lastTime = line.time;
    if (opened.sequence < this.#next) return [];
    this.#next = opened.sequence + 1;
    this.#isOver = opened.batch.isLast === true;
    return opened.batch.pieces;
  }

  /** The log is to hold no more output of this runner. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** When the line that was read last was written, as the log says it. */
  get lastTime(): string | undefined {
    return this.#lastTime;
  }

  /** How many lines were not of this runner, or were changed. */
  get unreadable(): number {
    return this.#unreadable;
  }
}

function parsed(text: string): { readonly live: string; readonly time: string | undefined } | undefined {
  // Most lines hold no output.
  if (!text.includes('"live":"')) return undefined;
  try {
    const { msg, live, time } = JSON.parse(text) as { msg?: unknown; live?: unknown; time?: unknown };
    if (msg !== LIVE_MESSAGE || typeof live !== 'string') return undefined;
    return { live, time: typeof time === 'string' ? time : undefined };
  } catch {
    return undefined;
  }
}
