import process from 'node:process';
import type { Clock } from '../../../shared/ports/ports.ts';
import type { TextSink } from '../../process/context.ts';
import { writeRaw } from '../clean.ts';

/** One screen of a terminal that is drawn again as what it shows changes. */
export interface Screen {
  /** What is shown has changed: it is drawn again, at most ten times a second. */
  changed(): void;
  /** Leave the terminal as it was before, and print what was written meanwhile. */
  end(): void;
}

export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

const REDRAW_EVERY_MS = 100;
/** Times go on though nothing changes. */
const TICK_MS = 1_000;
/** Keys that the user types leave letters on the screen, so everything is drawn again from time to time. */
const REDRAW_ALL_MS = 10_000;
/** What was written meanwhile, the last lines. */
const MOST_KEPT = 200;

/** The alternate screen, without cursor and without wrapping; and back. */
const ENTER = '\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J';
const LEAVE = '\x1b[?7h\x1b[?25h\x1b[?1049l';

type Paint = (size: ScreenSize, notes: readonly string[]) => readonly string[];

/**
 * Take the terminal's alternate screen and draw there what `paint` returns: at most `rows` lines of at most `columns`
 * cells, safe for a terminal. Only lines that differ are written. What others write to `stream` meanwhile goes to
 * `paint` as `notes`, and is printed after the end.
 */
export const openScreen = (stream: TextSink, clock: Pick<Clock, 'now' | 'setTimer'>, paint: Paint): Screen =>
  new TerminalScreen(stream, clock, paint);

class TerminalScreen implements Screen {
  readonly #stream: TextSink;
  readonly #clock: Pick<Clock, 'now' | 'setTimer'>;
  readonly #paint: Paint;
  /** The lines that stand on the terminal; empty: nobody knows what does. */
  #drawn: readonly string[] = [];
  #drawnAllAt = Number.NEGATIVE_INFINITY;
  #notes: string[] = [];
  #isOn = false;
  #isStale = true;
  /** It was drawn a moment ago. */
  #isCooling = false;
  #stopTimer: () => void = () => undefined;
  readonly #forgetSize: (() => void) | undefined;

  constructor(stream: TextSink, clock: Pick<Clock, 'now' | 'setTimer'>, paint: Paint) {
    this.#stream = stream;
    this.#clock = clock;
    this.#paint = paint;
    this.#forgetSize = stream.onResize?.(() => {
      this.#drawnAllAt = Number.NEGATIVE_INFINITY;
      this.changed();
    });
    process.on('SIGTSTP', this.#suspend).on('SIGCONT', this.#enter).on('exit', this.#leave);
    this.#enter();
  }

  changed(): void {
    this.#isStale = true;
    if (this.#isOn && !this.#isCooling) this.#turn();
  }

  end(): void {
    this.#leave();
    this.#forgetSize?.();
    process.off('SIGTSTP', this.#suspend).off('SIGCONT', this.#enter).off('exit', this.#leave);
    for (const note of this.#notes.splice(0)) this.#stream.write(`${note}\n`);
  }

  readonly #enter = (): void => {
    this.#isOn = true;
    this.#stream.divert?.((text) => {
      this.#notes = [...this.#notes, ...text.split('\n').filter((line) => line !== '')].slice(-MOST_KEPT);
      this.changed();
    });
    writeRaw(this.#stream, ENTER);
    this.#drawnAllAt = Number.NEGATIVE_INFINITY;
    this.#turn();
  };

  readonly #leave = (): void => {
    if (!this.#isOn) return;
    this.#isOn = false;
    this.#stopTimer();
    this.#stream.divert?.(undefined);
    writeRaw(this.#stream, LEAVE);
  };

  /** Ctrl-Z. */
  readonly #suspend = (): void => {
    this.#leave();
    process.kill(process.pid, 'SIGSTOP');
  };

  /** Draw at once. Changes of the next moment are drawn together. */
  readonly #turn = (): void => {
    this.#stopTimer();
    this.#draw();
    this.#isCooling = true;
    this.#stopTimer = this.#clock.setTimer(REDRAW_EVERY_MS, () => {
      this.#isCooling = false;
      if (this.#isStale) this.#turn();
      else this.#stopTimer = this.#clock.setTimer(TICK_MS - REDRAW_EVERY_MS, this.#turn);
    });
  };

  #draw(): void {
    this.#isStale = false;
    const now = this.#clock.now();
    const isAll = now - this.#drawnAllAt >= REDRAW_ALL_MS;
    if (isAll) this.#drawnAllAt = now;
    const { columns, rows } = this.#stream;
    const size = { columns: columns || 80, rows: rows || 24 };
    const lines = this.#paint(size, this.#notes);
    const changed = lines.flatMap((line, index) =>
      isAll || line !== this.#drawn[index] ? [`\x1b[${index + 1};1H\x1b[2K${line}`] : [],
    );
    if ((isAll || lines.length < this.#drawn.length) && lines.length < size.rows) {
      changed.push(`\x1b[${lines.length + 1};1H\x1b[J`);
    }
    this.#drawn = lines;
    // At home a key that the user types does the least harm.
    if (changed.length > 0) writeRaw(this.#stream, `${changed.join('')}\x1b[H`);
  }
}
