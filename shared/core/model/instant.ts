import type { Brand } from './brand.ts';

/** A point in time: milliseconds since the epoch. */
export type Instant = Brand<number, 'Instant'>;

/** The epoch, for whoever has no clock: `instant(5)` is 5 ms after it. */
export const instant = (ms: number): Instant => ms as Instant;
/** After every other instant. */
export const FOREVER = instant(Number.POSITIVE_INFINITY);

export const later = (at: Instant, ms: number): Instant => instant(at + ms);
export const earliest = (one: Instant, other: Instant): Instant => (other < one ? other : one);
export const latest = (one: Instant, other: Instant): Instant => (other > one ? other : one);

/** RFC 3339 with milliseconds, in UTC. */
export const formatInstant = (at: Instant): string =>
  // biome-ignore lint/style/noRestrictedGlobals: it writes a time that it is given, and reads no clock
  new Date(at).toISOString();

/** The time that the API server has written; undefined where the text is no time. */
export function parseInstant(text: string): Instant | undefined {
  // biome-ignore lint/style/noRestrictedGlobals: reads what it is given, no clock.
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : instant(ms);
}
