import type { Clock } from '../../shared/ports/ports.ts';
import type { CommandStop } from './stop.ts';

/** Where text goes: stdout or stderr. */
export interface TextSink {
  /** Control characters are removed from what is written: see output/clean.ts. */
  write(text: string): void;
  /**
   * Writes without removing control characters. Only for colours, the live line and a filter's bytes; clean the rest
   * first.
   */
  readonly raw?: (text: string) => void;
  readonly isTTY: boolean;
  /** The current width of the terminal; undefined if it is none. */
  readonly columns: number | undefined;
}

/** What a command may use of its process. Tests pass their own. */
export interface Context {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  readonly clock: Clock;
  /** Aborted by the first Ctrl-C (also SIGTERM, SIGHUP); its reason is an `AbortError`. */
  readonly signal: AbortSignal;
  /** Aborted by the second signal. */
  readonly secondSignal: AbortSignal;
  /** Ends the command on the first signal, or asks it to end by itself. */
  readonly stop: CommandStop;
  /** Aborted when stdout is closed (`| head`). A command that follows a run may stop then; a run must not. */
  readonly outputClosed: AbortSignal;
}
