import type { RunHook } from '../../shared/core/report/run-document.ts';
import { sanitizeLine } from '../../shared/core/sanitize.ts';
import type { TextSink } from '../process/context.ts';
import { isOpen } from '../report/report.ts';
import type { LogChunk } from './log-chunk.ts';

const MOST_NAMED = 3;

const say = (stderr: TextSink, line: string): void => stderr.write(`${sanitizeLine(line)}\n`);

/** `3 bytes`, `12.3 KiB`, `1.2 MiB` */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}`;
  const isLarge = bytes >= 1024 * 1024;
  return `${(bytes / (isLarge ? 1024 * 1024 : 1024)).toFixed(1)} ${isLarge ? 'MiB' : 'KiB'}`;
}

/** Says on stderr that output is missing here. */
export function tellMissing(stderr: TextSink, { row, stream, missing }: LogChunk): void {
  say(stderr, `left out here: ${sizeText(missing)} of the ${stream} of ${row.id}`);
}

/** Says on stderr why nothing is shown of these hooks: one line for each reason. `run`: its number. */
export function tellSilent(stderr: TextSink, rows: readonly RunHook[], run: number): void {
  const why = Map.groupBy(rows, (row) => silence(row, run));
  for (const [reason, hooks] of why) {
    const named = hooks.slice(0, MOST_NAMED).map(({ id }) => id);
    const more = hooks.length - named.length;
    say(stderr, `no output: ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''} (${reason})`);
  }
}

function silence(row: RunHook, run: number): string {
  if (row.outputDropped) return 'left out: the run printed more than a report holds';
  if (row.stdout || row.stderr) return 'nothing since then';
  if (row.run < run) return `kept from run ${row.run} of the Restore, and not run again`;
  if (row.state === 'Waiting') return 'not started yet';
  if (isOpen(row)) return 'still running';
  if (row.state === 'NotExecuted' || row.reason === 'waiting') return 'never started';
  if (row.reason === 'runner-died') return 'the runner died before it could report what was printed';
  return 'printed nothing, or nothing was kept';
}
