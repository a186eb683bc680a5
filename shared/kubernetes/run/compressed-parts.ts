import { gunzipSync, gzipSync } from 'node:zlib';
import { RestoreHooksError } from '../../core/errors.ts';

/** How much of a Secret is used; its data may have 1 MiB. */
const PART_BYTES = 900 * 1024;
/** The largest text that a reader unpacks. */
const UNPACKED_LIMIT = 512 * 1024 * 1024;

export const compress = (value: unknown): Buffer => gzipSync(JSON.stringify(value));

export function decompress(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(gunzipSync(bytes, { maxOutputLength: UNPACKED_LIMIT }).toString());
  } catch (error) {
    throw new RestoreHooksError('INVALID_INPUT', `${what} is damaged: it isn't gzipped JSON`, { cause: error });
  }
}

/** Cut bytes into pieces that each fit a Secret. */
export function cut(bytes: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += PART_BYTES) pieces.push(bytes.subarray(at, at + PART_BYTES));
  return pieces;
}

/** Compress rows into parts that each fit a Secret, and that can each be read alone. */
export function compressRows<Row>(rows: readonly Row[], wrap: (rows: readonly Row[]) => unknown): Buffer[] {
  const bytes = compress(wrap(rows));
  if (bytes.length <= PART_BYTES || rows.length === 1) return [bytes];
  const middle = rows.length >> 1;
  return [...compressRows(rows.slice(0, middle), wrap), ...compressRows(rows.slice(middle), wrap)];
}
