import { sanitizeText } from '../../core/sanitize.ts';

/** How much of each stream is kept: its last 4 KiB (R5.16). */
const tailBytes = 4096;

export interface OutputTail {
  add(bytes: Uint8Array): void;
  /** The kept bytes as text that is safe for a terminal; undefined if nothing was printed. */
  text(): string | undefined;
}

/**
 * Keeps the last bytes of a stream in a ring buffer. The bytes are copied, because a frame's buffer may be far larger.
 */
export function outputTail(limit = tailBytes): OutputTail {
  let ring: Buffer | undefined;
  let total = 0;

  return {
    add(bytes) {
      if (bytes.length === 0) return;
      ring ??= Buffer.alloc(limit);
      const last = bytes.length > limit ? bytes.subarray(bytes.length - limit) : bytes;
      const at = (total + bytes.length - last.length) % limit;
      const fits = Math.min(last.length, limit - at);
      ring.set(last.subarray(0, fits), at);
      ring.set(last.subarray(fits), 0);
      total += bytes.length;
    },
    text() {
      if (ring === undefined) return undefined;
      if (total <= limit) return printable(ring.subarray(0, total), limit);
      const at = total % limit;
      return printable(fromCharacter(Buffer.concat([ring.subarray(at), ring.subarray(0, at)])), limit);
    },
  };
}

/** Invalid UTF-8 becomes U+FFFD, which takes three bytes, so the text is cut to the limit again (R5.18). */
function printable(bytes: Buffer, limit: number): string {
  const text = Buffer.from(sanitizeText(bytes.toString('utf8')));
  return fromCharacter(text.length > limit ? text.subarray(text.length - limit) : text).toString('utf8');
}

/** Drop the rest of a character whose first byte was cut off. */
function fromCharacter(bytes: Buffer): Buffer {
  let start = 0;
  while (start < 3 && start < bytes.length && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  return bytes.subarray(start);
}
