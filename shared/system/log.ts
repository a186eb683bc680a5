import type { DestinationStream } from 'pino';
import { pino, stdTimeFunctions } from 'pino';
import { escapeUnsafe } from '../core/sanitize.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
type Log = (message: string, fields?: Readonly<Record<string, unknown>>) => void;

/** Messages are constant texts; values are fields, with Velero's names. Commands and their output are never logged. */
export type Logger = Readonly<Record<LogLevel, Log>>;

/** Writes one JSON object per line: `{"level":"info","time":"…","pod":"…","msg":"…"}`. */
export function jsonLogger(stream: DestinationStream, level: LogLevel = 'info'): Logger {
  const log = pino(
    { level, base: null, timestamp: stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } },
    { write: (line) => stream.write(escapeUnsafe(line)) },
  );
  const at =
    (name: LogLevel): Log =>
    (message, fields) =>
      log[name](fields ?? {}, message);
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
