/** RFC 3339 with milliseconds, in UTC, of milliseconds since the epoch. */
export const formatInstant = (ms: number): string =>
  // biome-ignore lint/style/noRestrictedGlobals: it writes a time that it is given, and reads no clock
  new Date(ms).toISOString();
