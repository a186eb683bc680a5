/** RFC 3339 with milliseconds, in UTC, of milliseconds since the epoch. */
export const formatInstant = (ms: number): string =>
  // biome-ignore lint/style/noRestrictedGlobals: it writes a time that it is given, and reads no clock
  new Date(ms).toISOString();

/** Milliseconds since the epoch, of a time as the API server writes it; undefined where it is none. */
export function parseInstant(text: string): number | undefined {
  // biome-ignore lint/style/noRestrictedGlobals: reads what it is given, no clock.
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}
