import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import * as z from 'zod/mini';

/**
 * Live output travels through the log of the runner's pod, which more people may read than the report. So it is
 * encrypted with a key of the runner's own, which stands in a Secret beside a part of the report: who may read the one
 * may read the other (docs/adr/0005-live-output-through-the-log.md). A line of the log has one batch:
 *
 *   {"level":"info","time":"…","live":"<base64>","msg":"output"}
 *
 * In base64: 4 bytes of sequence number, big-endian from 0; the AES-256-GCM ciphertext of the deflated JSON of a
 * `LiveBatch`; 16 bytes of tag. The nonce is the sequence number in 12 bytes, as a key is used by one runner only. The
 * run, the runner and the number are authenticated, so a line can't be moved to another place (R5.25).
 */
export const LIVE_MESSAGE = 'output';

/** What a runner writes beside the first part of the report that is its own. */
const LiveKey = z.strictObject({
  /** 32 bytes, in base64. */
  key: z.string(),
  /** The runner's pod, in whose log the output is. */
  pod: z.string(),
});
export type LiveKey = z.infer<typeof LiveKey>;

/** Which runner's output it is: the number of the runner in its run is from 1. */
export interface LiveSource {
  readonly runID: string;
  readonly runner: number;
}

const LivePiece = z.strictObject({
  hook: z.string(),
  stream: z.enum(['stdout', 'stderr']),
  /** When the runner received it: milliseconds since the epoch, by the runner's clock. */
  at: z.int(),
  /** How many bytes of the stream's text come before it: a gap shows what was left out. */
  from: z.int(),
  text: z.string(),
  /** Which start of the hook printed it (R3.48); absent: the first. */
  attempt: z.optional(z.int()),
});
export type LivePiece = z.infer<typeof LivePiece>;

const LiveBatch = z.strictObject({
  pieces: z.array(LivePiece),
  /** The last batch: the log is to hold no more of it. */
  isLast: z.optional(z.literal(true)),
});
export type LiveBatch = z.infer<typeof LiveBatch>;

/** A batch has at most 64 KiB of text, and its JSON a few times as much. */
const UNPACKED_LIMIT = 4 * 1024 * 1024;
const TAG_BYTES = 16;

export const newLiveKey = (pod: string): LiveKey => ({ key: randomBytes(32).toString('base64'), pod });

/** The value of a Secret's key; undefined: it is none that this version can read. */
export function parseLiveKey(base64: string | undefined): LiveKey | undefined {
  if (base64 === undefined) return undefined;
  try {
    const { data } = LiveKey.safeParse(JSON.parse(Buffer.from(base64, 'base64').toString()));
    return data !== undefined && Buffer.from(data.key, 'base64').length === 32 ? data : undefined;
  } catch {
    return undefined;
  }
}

export const liveKeyValue = (live: LiveKey): string => Buffer.from(JSON.stringify(live)).toString('base64');

/** The text of one line; `sequence` may be used once with a key. */
export function sealBatch({ key }: LiveKey, source: LiveSource, sequence: number, batch: LiveBatch): string {
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(key, 'base64'), nonceOf(sequence));
  cipher.setAAD(placeOf(source, sequence));
  const head = Buffer.alloc(4);
  head.writeUInt32BE(sequence);
  const body = [cipher.update(deflateRawSync(JSON.stringify(batch))), cipher.final()];
  return Buffer.concat([head, ...body, cipher.getAuthTag()]).toString('base64');
}

/** Undefined: the line is not one of this runner, or was changed. */
export function openBatch(
  { key }: LiveKey,
  source: LiveSource,
  line: string,
): { readonly sequence: number; readonly batch: LiveBatch } | undefined {
  const bytes = Buffer.from(line, 'base64');
  if (bytes.length < 4 + TAG_BYTES) return undefined;
  const sequence = bytes.readUInt32BE();
  try {
    const decipher = createDecipheriv('aes-256-gcm', Buffer.from(key, 'base64'), nonceOf(sequence), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(placeOf(source, sequence));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const packed = Buffer.concat([decipher.update(bytes.subarray(4, -TAG_BYTES)), decipher.final()]);
    const text = inflateRawSync(packed, { maxOutputLength: UNPACKED_LIMIT }).toString();
    const { data } = LiveBatch.safeParse(JSON.parse(text));
    return data && { sequence, batch: data };
  } catch {
    return undefined;
  }
}

function nonceOf(sequence: number): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(sequence, 8);
  return nonce;
}

const placeOf = ({ runID, runner }: LiveSource, sequence: number): Buffer =>
  Buffer.from(`restorehooks live output/${runID}/${runner}/${sequence}`);
