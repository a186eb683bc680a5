const unitNanoseconds: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n, // U+00B5
  μs: 1_000n, // U+03BC
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const LIMIT = 1n << 63n;
const TERM = /([0-9]*)(?:(\.)([0-9]*))?([^.0-9]+)/y;

/**
 * Read a duration as Go's `time.ParseDuration` does: `1m30s`, `1.5h`, `-1s`, `300µs`, `0` (R3.3).
 * Returns nanoseconds, or undefined where Go gives an error (`45`, `1d`, ` 1s`, beyond 292 years).
 */
export function parseGoDuration(text: string): bigint | undefined {
  const signed = /^[-+]/.test(text);
  const body = signed ? text.slice(1) : text;
  if (body === '0') return 0n;
  if (body === '') return undefined;
  let total = 0n;
  TERM.lastIndex = 0;
  while (TERM.lastIndex < body.length) {
    const term = TERM.exec(body);
    if (term === null) return undefined;
    const [, whole = '', , fraction = '', unitName = ''] = term;
    if (whole === '' && fraction === '') return undefined;
    const unit = unitNanoseconds[unitName];
    if (unit === undefined) return undefined;
    let value = BigInt(whole === '' ? '0' : whole);
    if (value > LIMIT / unit) return undefined;
    value = value * unit + fractionOf(fraction, unit);
    total += value;
    if (value > LIMIT || total > LIMIT) return undefined;
  }
  if (text.startsWith('-')) return -total;
  return total === LIMIT ? undefined : total;
}

/** Go reads as many digits as an int64 holds, and rounds in floating point towards zero. */
function fractionOf(digits: string, unit: bigint): bigint {
  let value = 0n;
  let scale = 1;
  for (const digit of digits) {
    if (value > (LIMIT - 1n) / 10n) break;
    const next = value * 10n + BigInt(digit);
    if (next > LIMIT) break;
    value = next;
    scale *= 10;
  }
  return value === 0n ? 0n : BigInt(Math.trunc(Number(value) * (Number(unit) / scale)));
}

/** {@link parseGoDuration} in milliseconds, fractions kept. */
export function parseDurationMs(text: string): number | undefined {
  const nanoseconds = parseGoDuration(text);
  if (nanoseconds === undefined) return undefined;
  return Number(nanoseconds / 1_000_000n) + Number(nanoseconds % 1_000_000n) / 1e6;
}

/** Print milliseconds as Go prints a `time.Duration`: `1m30s`, `1h0m0s`, `1.5s`, `500ms`, `0s` (R7.23). */
export function formatDuration(ms: number): string {
  const whole = Math.trunc(ms);
  const nanoseconds = BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6));
  if (nanoseconds === 0n) return '0s';
  const sign = nanoseconds < 0n ? '-' : '';
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  if (size < 1_000n) return `${sign}${size}ns`;
  if (size < 1_000_000n) return `${sign}${decimal(size, 3)}µs`;
  if (size < 1_000_000_000n) return `${sign}${decimal(size, 6)}ms`;
  const seconds = `${decimal(size % 60_000_000_000n, 9)}s`;
  const minutes = size / 60_000_000_000n;
  if (minutes === 0n) return sign + seconds;
  const hours = minutes / 60n;
  return `${sign}${hours === 0n ? '' : `${hours}h`}${minutes % 60n}m${seconds}`;
}

/** `value / 10^places` without trailing zeros. */
function decimal(value: bigint, places: number): string {
  const scale = 10n ** BigInt(places);
  const fraction = (value % scale).toString().padStart(places, '0').replace(/0+$/, '');
  return fraction === '' ? `${value / scale}` : `${value / scale}.${fraction}`;
}
