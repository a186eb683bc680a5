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
  /** The current size of the terminal; undefined if it is none. */
  readonly columns: number | undefined;
  readonly rows?: number | undefined;
  /** Call the listener whenever the size has changed. Returns how to stop that. */
  readonly onResize?: (listener: () => void) => () => void;
  /** From now on `write` gives its text to `taker`; without one, to the stream again. */
  readonly divert?: (taker: ((text: string) => void) | undefined) => void;
}

/** What a command may use of its process. Tests pass their own. */
export interface Context {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdin: AsyncIterable<Uint8Array | string> & { readonly isTTY?: boolean };
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  /** `--color`; absent: `auto`. */
  readonly color?: 'auto' | 'always' | 'never';
  /** Each request is shown (`-v=6`): nothing is drawn over it. */
  readonly isVerbose?: boolean;
  /** A program reads the result (`-o json`). */
  readonly isForProgram?: boolean;
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
