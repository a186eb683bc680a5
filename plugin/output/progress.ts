import { sanitizeLine } from '../../shared/core/sanitize.ts';
import type { Clock } from '../../shared/ports/ports.ts';
import type { TextSink } from '../process/context.ts';
import { writeRaw } from './clean.ts';
import { truncate } from './width.ts';

/** Tells on stderr what happens while a command runs. */
export interface Progress {
  /** Print a line about something that has happened. It stays on the screen. */
  event(line: string): void;
  /** Set the live line of a terminal. It is not shown without a terminal. */
  status(line: string): void;
  /** Remove the live line and print nothing more. */
  end(): void;
}

const REDRAW_EVERY_MS = 100;
const ERASE_TO_END = '\x1b[K';

/**
 * Prints events as lines. On a terminal a live line stands below them, redrawn at most ten times a second and never
 * wrapped (R7.15).
 */
export function createProgress(
  stream: TextSink,
  clock: Clock,
  env: Readonly<Record<string, string | undefined>>,
): Progress {
  const isLive = stream.isTTY && env['TERM'] !== 'dumb';
  let wanted = '';
  let drawn = '';
  let stopTimer: (() => void) | undefined;
  let ended = false;

  const draw = (): void => {
    const line = truncate(wanted, (stream.columns ?? 80) - 1);
    if (line === drawn) return;
    drawn = line;
    writeRaw(stream, `\r${line}${ERASE_TO_END}`);
  };
  const redrawSoon = (): void => {
    if (stopTimer !== undefined) return;
    draw();
    stopTimer = clock.setTimer(REDRAW_EVERY_MS, () => {
      stopTimer = undefined;
      if (wanted !== drawn) draw();
    });
  };
  return {
    event(line) {
      if (ended) return;
      const text = sanitizeLine(line);
      if (drawn === '') stream.write(`${text}\n`);
      // The event and the live line are written at once, so that nothing flickers.
      else writeRaw(stream, `\r${text}${ERASE_TO_END}\n${drawn}${ERASE_TO_END}`);
    },
    status(line) {
      if (ended || !isLive) return;
      wanted = sanitizeLine(line);
      redrawSoon();
    },
    end() {
      if (ended) return;
      ended = true;
      stopTimer?.();
      if (drawn !== '') writeRaw(stream, `\r${ERASE_TO_END}`);
    },
  };
}
