import type { Instant } from '../../shared/core/model/instant.ts';
import type { RunHook } from '../../shared/core/report/run-document.ts';

export type Stream = 'stdout' | 'stderr';

/** A piece of what a hook has printed. */
export interface LogChunk {
  readonly row: RunHook;
  readonly stream: Stream;
  /** When the runner received it; where only the report has it, when the hook ended. Absent: not known. */
  readonly at?: Instant | undefined;
  readonly text: string;
  /** How many bytes of the stream were left out before it. */
  readonly missing: number;
}
