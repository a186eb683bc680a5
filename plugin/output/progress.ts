import { formatDuration } from '../../shared/core/model/duration.ts';
import { sanitizeLine } from '../../shared/core/sanitize.ts';
import type { Context, TextSink } from '../process/context.ts';
import { writeRaw } from './clean.ts';
import { truncate } from './width.ts';

/** Print a line about something that has happened. */
export const say = (stderr: Pick<TextSink, 'write'>, line: string): void => stderr.write(`${sanitizeLine(line)}\n`);

/**
 * Whether stderr is drawn on. Not for `TERM=dumb`, not for a reader who asks for plain lines with `ACCESSIBLE` (screen
 * readers read every redrawing aloud), and not where each request is shown (`-v=6`).
 */
export const hasScreen = ({ stderr, env, isVerbose }: Pick<Context, 'stderr' | 'env' | 'isVerbose'>): boolean =>
  stderr.isTTY && env['TERM'] !== 'dumb' && (env['ACCESSIBLE'] ?? '') === '' && isVerbose !== true;

/** How far some work has come. */
export interface WorkDone {
  readonly done: number;
  /** Absent: how much there is isn't known. */
  readonly total?: number | undefined;
  readonly unit: 'bytes' | 'files' | 'pods';
  /** More about it, such as `311 pods`. */
  readonly more?: string;
}

/** Tells on stderr that this command itself is working on something that takes long. */
export interface Work {
  /** Cheap: it may be called for each file. */
  at(done: WorkDone): void;
  /** Take the bar away. */
  end(): void;
}

const REDRAW_EVERY_MS = 100;
/** Work that takes less isn't told on a terminal. */
const TELL_AFTER_MS = 500;
const LINE_EVERY_MS = 10_000;
const ERASE_LINE = '\r\x1b[K';

/**
 * Begin work that may take long: a bar on a terminal, a line every 10 s anywhere else, nothing where a program reads the
 * result (`-o json`) (R7.40). `what`: such as `reading Backup nightly`. A signal ends it too, since what it tells of may
 * wait for ever (for stdin, say) and is then abandoned.
 */
export function beginWork(
  context: Pick<Context, 'stderr' | 'env' | 'clock' | 'signal' | 'isVerbose' | 'isForProgram'>,
  what: string,
): Work {
  if (context.isForProgram || context.signal.aborted) return { at: () => undefined, end: () => undefined };
  const { stderr, clock, signal } = context;
  const isDrawn = hasScreen(context);
  const everyMs = isDrawn ? REDRAW_EVERY_MS : LINE_EVERY_MS;
  const startedAt = clock.now();
  let now: WorkDone | undefined;
  let toldAt: number = startedAt + (isDrawn ? TELL_AFTER_MS - REDRAW_EVERY_MS : 0);
  let isShown = false;

  const tell = (): void => {
    const at = clock.now();
    if (at - toldAt < everyMs) return;
    toldAt = at;
    if (!isDrawn) {
      say(stderr, workLine(what, now, at - startedAt));
      return;
    }
    isShown = true;
    const line = workLine(what, now, at - startedAt, (stderr.columns || 80) - 1);
    writeRaw(stderr, `\r${line}\x1b[K`);
  };
  // What others write stands above the bar.
  if (isDrawn) {
    stderr.divert?.((text) => {
      writeRaw(stderr, `${isShown ? ERASE_LINE : ''}${text}`);
      isShown = false;
    });
  }
  let stopTimer: () => void = () => undefined;
  const tick = (): void => {
    tell();
    stopTimer = clock.setTimer(everyMs, tick);
  };
  stopTimer = clock.setTimer(everyMs, tick);
  const end = (): void => {
    signal.removeEventListener('abort', end);
    stopTimer();
    stderr.divert?.(undefined);
    if (isShown) writeRaw(stderr, ERASE_LINE);
    isShown = false;
  };
  signal.addEventListener('abort', end);
  return {
    at(done) {
      now = done;
      tell();
    },
    end,
  };
}

const BAR = 20;

/** `reading x: [====>     ] 40%, 1.2 GiB of 3.0 GiB, 311 pods, 45 MiB/s, 41s left`; the bar only for `columns`. */
export function workLine(what: string, at: WorkDone | undefined, elapsedMs: number, columns?: number): string {
  const elapsed = formatDuration(Math.floor(elapsedMs / 1000) * 1000);
  if (at === undefined) return cut(`${what}: ${elapsed}`, columns);
  const { done, unit, more } = at;
  const total = at.total !== undefined && at.total >= done && at.total > 0 ? at.total : undefined;
  const perSecond = (done / Math.max(1, elapsedMs)) * 1000;
  const left = total === undefined || done === 0 ? undefined : Math.ceil((total - done) / perSecond);
  const parts = [
    total === undefined ? sizeText(done, unit) : `${sizeText(done, unit)} of ${sizeText(total, unit)}`,
    ...(more === undefined ? [] : [more]),
    `${sizeText(perSecond, unit)}/s`,
    left === undefined ? elapsed : `${formatDuration(left * 1000)} left`,
  ];
  const share = total === undefined ? undefined : done / total;
  const percent = share === undefined ? [] : [`${Math.floor(share * 100)}%`];
  const bar = share === undefined || columns === undefined ? '' : `${barOf(share)} `;
  return cut(`${what}: ${bar}${[...percent, ...parts].join(', ')}`, columns);
}

function barOf(share: number): string {
  const full = Math.floor(share * BAR);
  return `[${'='.repeat(full)}${'.'.repeat(BAR - full)}]`;
}

const cut = (line: string, columns: number | undefined): string =>
  columns === undefined ? line : truncate(sanitizeLine(line), columns);

function sizeText(amount: number, unit: WorkDone['unit']): string {
  if (unit !== 'bytes') return `${Math.round(amount)} ${unit}`;
  const [size, name] = [
    [2 ** 30, 'GiB'],
    [2 ** 20, 'MiB'],
    [2 ** 10, 'KiB'],
  ].find(([each]) => amount >= Number(each)) ?? [1, 'B'];
  return `${(amount / Number(size)).toFixed(name === 'B' ? 0 : 1)} ${name}`;
}
