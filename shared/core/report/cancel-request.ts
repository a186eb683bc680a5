import * as z from 'zod/mini';
import { formatDuration, parseDurationMs } from '../model/duration.ts';

/** The Restore's annotation `restorehooks.io/cancel-requested`: which run is to stop (R6.18). */
const CancelRequest = z.strictObject({
  runID: z.string(),
  /** How long running hooks are waited for; absent: until they end. */
  grace: z.optional(z.string()),
});

export interface Cancel {
  readonly graceMs?: number;
}

export const cancelText = (runID: string, graceMs: number | undefined): string =>
  JSON.stringify({ runID, ...(graceMs === undefined ? {} : { grace: formatDuration(graceMs) }) });

/** What is asked of this run; undefined: nothing, or of another one. */
export function cancelOf(text: string | undefined, runID: string): Cancel | undefined {
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = CancelRequest.safeParse(value);
  if (!parsed.success || parsed.data.runID !== runID) return undefined;
  const graceMs = parsed.data.grace === undefined ? undefined : parseDurationMs(parsed.data.grace);
  return graceMs === undefined ? {} : { graceMs };
}
