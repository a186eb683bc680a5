import { StringDecoder } from 'node:string_decoder';
import { SanitizedStream } from '../../core/sanitize.ts';

/** A ring of this size is made for the first bytes; it grows to the limit as it is needed. */
const FIRST_BYTES = 4096;

export interface OutputTail {
  add(bytes: Uint8Array): void;
  /** The kept end of the text, when all has been added; undefined if nothing was printed. */
  text(): string | undefined;
  /** How many bytes of UTF-8 all of the text takes, control characters removed, as far as it was added (R5.16). */
  readonly bytes: number;
}

/**
 * Keeps the last bytes of a stream as text that is safe for a terminal (R5.18): bytes that are no UTF-8 are U+FFFD. The
 * bytes are copied, because a frame's buffer may be far larger. `printed` is called with each piece of the text, and with
 * the number of bytes of text before it.
 */
export function outputTail(limit: number, printed?: (from: number, text: string) => void): OutputTail {
  const decoder = new StringDecoder('utf8');
  const clean = new SanitizedStream();
  let ring: Buffer | undefined;
  let total = 0;

  function keep(text: string): void {
    if (text === '') return;
    const bytes = Buffer.from(text);
    ring = grown(ring, total, bytes.length, limit);
    const last = bytes.subarray(Math.max(0, bytes.length - limit));
    const at = (total + bytes.length - last.length) % limit;
    const fits = Math.min(last.length, ring.length - at);
    ring.set(last.subarray(0, fits), at);
    ring.set(last.subarray(fits), 0);
    printed?.(total, text);
    total += bytes.length;
  }

  return {
    add(bytes) {
      if (bytes.length === 0) return;
      ring ??= Buffer.alloc(Math.min(FIRST_BYTES, limit));
      keep(clean.add(decoder.write(bytes)));
    },
    text() {
      if (ring === undefined) return undefined;
      keep(clean.add(decoder.end()) + clean.end());
      if (total <= limit) return ring.toString('utf8', 0, total);
      const at = total % limit;
      return fromCharacter(Buffer.concat([ring.subarray(at), ring.subarray(0, at)])).toString('utf8');
    },
    get bytes() {
      return total;
    },
  };
}

/** The ring with room for so many bytes behind the first `total`. It has wrapped only once it has its full size. */
function grown(ring: Buffer | undefined, total: number, more: number, limit: number): Buffer {
  const size = ring?.length ?? 0;
  if (ring !== undefined && (size === limit || total + more <= size)) return ring;
  const larger = Buffer.alloc(Math.min(limit, Math.max(FIRST_BYTES, 2 * size, total + more)));
  ring?.copy(larger);
  return larger;
}

/** Drop the rest of a character whose first byte was cut off. */
function fromCharacter(bytes: Buffer): Buffer {
  let start = 0;
  while (start < 3 && start < bytes.length && ((bytes[start] ?? 0) & 0xc0) === 0x80) start += 1;
  return bytes.subarray(start);
}
