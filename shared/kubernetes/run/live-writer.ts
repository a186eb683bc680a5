import type { HookId } from '../../core/model/hook.ts';
import type { Clock, Printed } from '../../ports/ports.ts';
import type { LiveBatch, LiveKey, LivePiece, LiveSource } from './live-output.ts';
import { sealBatch } from './live-output.ts';

/** One line at most in this time, for the whole run. */
const EVERY_MS = 1_000;
/** After a silence a line waits this long, so that what is printed together is in one line. */
const GATHER_MS = 100;
/** Of text in one line. If more is printed, the oldest of the stream that prints most is left out (R5.26). */
const LINE_BYTES = 64 * 1024;
/** Of lines in all: a kubelet keeps 10 MiB of a container's log by default, and the runner's own lines are there too. */
const LOG_BYTES = 6 * 1024 * 1024;

/** A piece that waits for the next line; what follows it at once is added to it. */
interface Piece extends Pick<LivePiece, 'hook' | 'stream' | 'at' | 'attempt'> {
  from: number;
  text: string;
  /** Of the text, in UTF-8. */
  bytes: number;
}

/** Writes what running hooks print into the runner's log, encrypted: at most one line a second, and only if there is something. */
export class LiveWriter {
  readonly #clock: Clock;
  readonly #key: LiveKey;
  readonly #source: LiveSource;
  readonly #write: (line: string) => void;
  #pieces: Piece[] = [];
  /** Of text in `#pieces`, by stream. */
  #bytes = new Map<string, number>();
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

  printed(hook: HookId, { stream, from, text, attempt = 1 }: Printed & { readonly attempt?: number }): void {
    if (this.#isOver) return;
    const at = this.#clock.now();
    const bytes = Buffer.byteLength(text);
    const last = this.#pieces.at(-1);
    const isSame = last?.hook === hook && last.stream === stream && (last.attempt ?? 1) === attempt;
    const goesOn = isSame && at - last.at < GATHER_MS;
    if (goesOn) Object.assign(last, { text: last.text + text, bytes: last.bytes + bytes });
    else this.#pieces.push({ hook, stream, at, from, text, bytes, ...(attempt > 1 && { attempt }) });
    this.#count(hook, stream, bytes);
    this.#leaveOut();
    this.#cancelTimer ??= this.#clock.setTimer(Math.max(GATHER_MS, this.#nextAt - at), () => this.flush());
  }

  #count(hook: string, stream: string, bytes: number): void {
    const key = `${stream} ${hook}`;
    this.#bytes.set(key, (this.#bytes.get(key) ?? 0) + bytes);
  }

  /** A stream that prints much neither hides what others print, nor its own last words. */
  #leaveOut(): void {
    for (;;) {
      const excess = [...this.#bytes.values()].reduce((sum, each) => sum + each, 0) - LINE_BYTES;
      if (excess <= 0) return;
      const [most] = [...this.#bytes].reduce((one, other) => (other[1] > one[1] ? other : one));
      const index = this.#pieces.findIndex(({ stream, hook }) => `${stream} ${hook}` === most);
      const oldest = this.#pieces[index];
      if (oldest === undefined) return;
      const text = oldest.bytes <= excess ? '' : end(oldest.text, oldest.bytes - excess);
      const bytes = Buffer.byteLength(text);
      this.#count(oldest.hook, oldest.stream, bytes - oldest.bytes);
      if (text === '') this.#pieces.splice(index, 1);
      else Object.assign(oldest, { text, bytes, from: oldest.from + oldest.bytes - bytes });
    }
  }

  /** Write what there is, without waiting. */
  flush(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#pieces.length === 0) return;
    const line = this.#seal({ pieces: this.#pieces.map(({ bytes: _, ...piece }) => piece) });
    this.#pieces = [];
    this.#bytes.clear();
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

/** The last characters of a text that take at most so many bytes. */
function end(text: string, most: number): string {
  const bytes = Buffer.from(text);
  let from = bytes.length - most;
  // Not within a character: its further bytes begin with 10.
  while (((bytes[from] ?? 0) & 0xc0) === 0x80) from += 1;
  return bytes.toString('utf8', from);
}
