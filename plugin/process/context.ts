import type { Clock } from '../../shared/ports/ports.ts';
import type { Stop } from './stop.ts';

/** Where text goes: stdout or stderr. */
export interface TextSink {
  /** Of what is written here a terminal acts on nothing: see output/clean.ts. */
  write(text: string): void;
  /** For colours, the live line and a filter's bytes alone: what stands between them has been cleaned by then. */
  readonly raw?: (text: string) => void;
  readonly isTTY: boolean;
  /** The terminal's width now; undefined when it isn't a terminal. */
  readonly columns: number | undefined;
}

/** All that a command may touch of the process that it runs in. Tests pass their own. */
export interface Context {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly clock: Clock;
  /** Aborted by the first Ctrl-C (also SIGTERM, SIGHUP); its reason is an `AbortError`. */
  readonly signal: AbortSignal;
  /** Aborted by the second. */
  readonly secondSignal: AbortSignal;
  /** Ends the command on the first signal, or lets it end by itself. */
  readonly stop: Stop;
  /** Aborted when nobody reads stdout any more (`| head`): a follower may stop, a run must not. */
  readonly outputClosed: AbortSignal;
}
