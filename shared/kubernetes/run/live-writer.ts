import type { HookId } from '../../core/model/hook.ts';
import type { Clock, Printed } from '../../ports/ports.ts';
import type { LiveBatch, LiveKey, LivePiece, LiveSource } from './live-output.ts';
import { sealBatch } from './live-output.ts';

/** One line at most in this time, for the whole run. */
const EVERY_MS = 1_000;
/** After a silence a line waits this long, so that what is printed together is in one line. */
const GATHER_MS = 100;
/** Of text in one line. What is printed beyond it before the next line is left out (R5.26). */
const LINE_BYTES = 64 * 1024;
/** Of lines in all: a kubelet keeps 10 MiB of a container's log by default, and the runner's own lines are there too. */
const LOG_BYTES = 6 * 1024 * 1024;

/** Writes what running hooks print into the runner's log, encrypted: at most one line a second, and only if there is something. */
export class LiveWriter {
  readonly #clock: Clock;
  readonly #key: LiveKey;
  readonly #source: LiveSource;
  readonly #write: (line: string) => void;
  #pieces: LivePiece[] = [];
  /** Of text in `#pieces`. */
  #bytes = 0;
  #sequence = 0;
  #written = 0;
  #isOver = false;
  #nextAt = 0;
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, key: LiveKey, source: LiveSource, write: (line: string) => void) {
    this.#clock = clock;
    this.#key = key;
    this.#source = source;
    this.#write = write;
  }

  printed(hook: HookId, { stream, from, text }: Printed): void {
    const room = LINE_BYTES - this.#bytes;
    if (this.#isOver || room <= 0) return;
    const size = Buffer.byteLength(text);
    const fitting = size <= room ? text : beginning(text, room);
    const at = this.#clock.now();
    const last = this.#pieces.at(-1);
    const goesOn =
      last?.hook === hook &&
      last.stream === stream &&
      at - last.at < GATHER_MS &&
      last.from + Buffer.byteLength(last.text) === from;
    if (goesOn) this.#pieces[this.#pieces.length - 1] = { ...last, text: last.text + fitting };
    else this.#pieces.push({ hook, stream, at, from, text: fitting });
    this.#bytes += size;
    this.#cancelTimer ??= this.#clock.setTimer(Math.max(GATHER_MS, this.#nextAt - at), () => this.flush());
  }

  /** Write what there is, without waiting. */
  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#pieces.length === 0) return;
    const line = this.#seal({ pieces: this.#pieces });
    this.#pieces = [];
    this.#bytes = 0;
    this.#nextAt = this.#clock.now() + EVERY_MS;
    this.#written += line.length;
    // A sequence number is used once, so the line that doesn't fit is left out with its number.
    this.#isOver = this.#written > LOG_BYTES;
    this.#write(this.#isOver ? this.#seal({ pieces: [], isLast: true }) : line);
  }

  #seal(batch: LiveBatch): string {
    const line = sealBatch(this.#key, this.#source, this.#sequence, batch);
    this.#sequence += 1;
    return line;
  }
}

/** The first characters of a text that take at most so many bytes. */
function beginning(text: string, room: number): string {
  const bytes = Buffer.from(text);
  let end = room;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}
