import { sanitizeLine } from '../../shared/core/sanitize.ts';
import type { Clock } from '../../shared/ports/ports.ts';
import type { TextSink } from '../process/context.ts';
import { writeRaw } from './clean.ts';
import { truncate } from './width.ts';

/** What happens, told while it happens. */
export interface Progress {
  /** Something has happened: a line that stays. */
  event(line: string): void;
  /** How things stand: the live line of a terminal. Not shown anywhere else. */
  status(line: string): void;
  /** Take the live line away and tell nothing more. */
  end(): void;
}

const REDRAW_EVERY_MS = 100;
const ERASE_TO_END = '\x1b[K';

/** Events as lines, and on a terminal one live line below them: redrawn at most ten times a second, never wrapped (R7.15). */
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
      // One write for the event and the live line below it, so that nothing flickers.
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
