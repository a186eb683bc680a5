import type { Instant } from '../../shared/core/model/instant.ts';
import { formatInstant } from '../../shared/core/model/instant.ts';
import type { RunHook } from '../../shared/core/report/run-document.ts';
import { sanitizeLine, sanitizeText } from '../../shared/core/sanitize.ts';
import type { TextSink } from '../process/context.ts';
import type { LogChunk, Stream } from './log-chunk.ts';

export interface LogFormat {
  /** Each line begins with its hook, instead of headers above the lines of a hook. */
  readonly prefix: boolean;
  readonly timestamps: boolean;
  /** A JSON object for each line. */
  readonly json: boolean;
}

/** A line whose end has not come yet. */
interface Begun {
  readonly row: RunHook;
  readonly stream: Stream;
  readonly at: Instant | undefined;
  text: string;
  /** Since when nothing has come for it. */
  since: number;
}

/** Prints output line by line on stdout (R7.32). Lines of several hooks may mix: a header says when the hook changes. */
export class LogPrinter {
  readonly #stdout: TextSink;
  readonly #format: LogFormat;
  readonly #tellMissing: (chunk: LogChunk) => void;
  readonly #begun = new Map<string, Begun>();
  #header = '';

  /** `tellMissing` is called where output was left out, between what stands before it and what follows. */
  constructor(stdout: TextSink, format: LogFormat, tellMissing: (chunk: LogChunk) => void) {
    this.#stdout = stdout;
    this.#format = format;
    this.#tellMissing = tellMissing;
  }

  /** `outcome`: how the hook ended, for its header. `now`: in milliseconds, for `flushOlder`. */
  print(chunk: LogChunk, now: number, outcome?: string): void {
    const { row, stream, at, text, missing } = chunk;
    const key = `${stream} ${row.id}`;
    if (missing > 0) {
      this.#flush(key, outcome);
      this.#tellMissing(chunk);
    }
    const begun = this.#begun.get(key);
    const lines = text.split('\n');
    const rest = lines.pop() ?? '';
    let printed = '';
    for (const [index, line] of lines.entries()) {
      const isFirst = index === 0 && begun !== undefined;
      printed += this.#line(row, stream, isFirst ? begun.at : at, isFirst ? begun.text + line : line);
    }
    if (lines.length > 0) this.#begun.delete(key);
    const last = this.#begun.get(key);
    if (last !== undefined) Object.assign(last, { text: last.text + rest, since: now });
    else if (rest !== '') this.#begun.set(key, { row, stream, at, text: rest, since: now });
    if (printed !== '') this.#stdout.write(this.#headed(row, stream, outcome) + printed);
  }

  /** Print the lines without an end for which nothing has come since `before`: a prompt may wait there. */
  flushOlder(before: number): void {
    for (const [key, { since }] of this.#begun) if (since <= before) this.#flush(key);
  }

  /** Print the lines without an end of a hook of which nothing more comes. */
  end({ id }: RunHook, outcome?: string): void {
    for (const stream of ['stdout', 'stderr']) this.#flush(`${stream} ${id}`, outcome);
  }

  #flush(key: string, outcome?: string): void {
    const begun = this.#begun.get(key);
    if (begun === undefined) return;
    this.#begun.delete(key);
    const { row, stream, at, text } = begun;
    this.#stdout.write(this.#headed(row, stream, outcome) + this.#line(row, stream, at, text));
  }

  #headed(row: RunHook, stream: Stream, outcome: string | undefined): string {
    const { prefix, json } = this.#format;
    if (prefix || json) return '';
    const header = `==> ${sanitizeLine(row.id)} ${stream}${outcome === undefined ? '' : `, ${outcome}`} <==\n`;
    if (header === this.#header) return '';
    const gap = this.#header === '' ? '' : '\n';
    this.#header = header;
    return gap + header;
  }

  #line(row: RunHook, stream: Stream, at: Instant | undefined, text: string): string {
    const { prefix, timestamps, json } = this.#format;
    const time = at === undefined ? undefined : formatInstant(at);
    if (json) {
      const { id: hook, namespace, pod, container } = row;
      const clean = sanitizeText(text);
      return `${JSON.stringify({ ...(time && { time }), hook, namespace, pod, container, stream, text: clean })}\n`;
    }
    const origin = prefix ? `[${sanitizeLine(row.id)}${stream === 'stderr' ? ' stderr' : ''}] ` : '';
    return `${origin}${timestamps && time ? `${time} ` : ''}${text}\n`;
  }
}
