import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { Extract } from 'tar-stream';
import { extract as tarExtract } from 'tar-stream';
import { RestoreHooksError } from '../../../shared/core/errors.ts';
import { cutText } from '../../../shared/core/sanitize.ts';

const MiB = 1024 * 1024;

/** Far more than an object of Kubernetes can have: etcd takes at most 1.5 MiB. */
const MAX_ENTRY = 64 * MiB;
/** Takes half an hour to read. The objects of one cluster don't come near. */
const MAX_TOTAL = 64 * 1024 * MiB;
/** What may stand between two entries: long names and padding. */
const MAX_BETWEEN = 16 * MiB;

const CHUNK = 128 * 1024;
/**
 * Room for some chunks, so that one is unpacked while the next is read. The type of zlib's options lacks highWaterMark.
 */
const GUNZIP = { chunkSize: CHUNK, highWaterMark: 4 * CHUNK, rejectGarbageAfterEnd: true };
const TAR_BLOCK = 512;

type TarEntry = Extract extends AsyncIterable<infer Each> ? Each : never;

export interface Entry {
  /** A relative path without `.` and `..`. */
  readonly path: string;
  readonly size: number;
  /** The content. Call it before the next entry is read, or never. */
  body(): Promise<Buffer>;
}

/** The files of a tar archive, gzipped or not, one after the other. `name`: how errors name the archive. */
export async function* entriesOf(bytes: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Entry> {
  const extract = tarExtract();
  const progress = { read: 0, entryEnd: 0 };
  const broken: { error?: unknown } = {};
  const feeding = feed(decompressed(bytes, name), extract, progress, name).catch((error: unknown) => {
    broken.error = error;
    extract.destroy(error as Error);
  });
  const refuse = (error: unknown): never => {
    throw asArchiveError(broken.error ?? error, name);
  };
  try {
    for await (const entry of extract) {
      const { type, size } = entry.header;
      progress.entryEnd = progress.read + size;
      const path = checkedPath(entry, name);
      if (type !== 'directory') yield { path, size, body: () => bodyOf(entry).catch(refuse) };
      entry.resume();
    }
    await feeding;
  } catch (error) {
    refuse(error);
  } finally {
    extract.destroy();
    await feeding;
  }
  if (broken.error !== undefined) refuse(broken.error);
}

async function feed(
  chunks: AsyncIterable<Uint8Array>,
  extract: Extract,
  progress: { read: number; readonly entryEnd: number },
  name: string,
): Promise<void> {
  let tail = Buffer.alloc(0);
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      progress.read += chunk.length;
      if (progress.read > MAX_TOTAL) throw invalid(`${name}: more than 64 GiB, unpacked: not a backup of objects`);
      if (progress.read - progress.entryEnd > MAX_BETWEEN) {
        throw invalid(`${name}: data without a file header: not a backup of Velero`);
      }
      tail = Buffer.from(chunk.length >= 2 * TAR_BLOCK ? chunk.subarray(-2 * TAR_BLOCK) : [...tail, ...chunk]);
      yield chunk;
    }
    const end = tail.subarray(-2 * TAR_BLOCK);
    // A tar ends with two blocks of zeros. tar reads archives without them, but they alone show that an archive was not
    // cut off between two files.
    if (end.length < 2 * TAR_BLOCK || end.some((byte) => byte !== 0)) throw truncated(name);
  };
  await pipeline(counted, extract);
}

async function bodyOf(entry: TarEntry): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of entry as AsyncIterable<Buffer>) parts.push(part);
  const [first] = parts;
  return parts.length === 1 && first ? first : Buffer.concat(parts);
}

/** Refuse an entry that Velero never writes: the archive is damaged, or something else has made it (R1.18). */
function checkedPath({ header }: TarEntry, archive: string): string {
  const { name, size } = header;
  // The type says that this is never null; for a header of an unknown kind it is.
  const type: string | null = header.type;
  const refuse = (what: string) =>
    invalid(`${archive}: ${JSON.stringify(shortened(name))} ${what}: not a backup that Velero has written`);
  if (type !== 'file' && type !== 'contiguous-file' && type !== 'directory') {
    throw refuse(`is ${KINDS[type] ?? 'neither file nor directory'}`);
  }
  if (name.startsWith('/') || /^[A-Za-z]:/.test(name)) throw refuse('is an absolute path');
  const parts = name.split(/[/\\]/);
  if (parts.includes('..')) throw refuse('leads out of the archive');
  if (size > MAX_ENTRY) throw refuse('is longer than 64 MiB');
  return parts.filter((part) => part !== '.' && part !== '').join('/');
}

const KINDS: Readonly<Record<string, string>> = {
  symlink: 'a symbolic link',
  link: 'a hard link',
  'character-device': 'a device',
  'block-device': 'a device',
  fifo: 'a named pipe',
};

const shortened = (text: string): string => (text.length <= 120 ? text : `${cutText(text, 119)}…`);

async function* decompressed(bytes: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  const source = bytes[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < TAR_BLOCK) {
    const { value, done } = await source.next();
    if (done) break;
    head = Buffer.concat([head, value]);
  }
  const whole = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield head;
      for (let next = await source.next(); !next.done; next = await source.next()) yield next.value;
    } finally {
      await source.return?.();
    }
  };
  const format = formatOf(head);
  if (format === 'tar') yield* whole();
  else if (format === 'gzip') yield* gunzipped(whole());
  else {
    await source.return?.();
    throw invalid(`${name}: ${format}, expected the .tar.gz of a backup`, 'get it with velero backup download');
  }
}

async function* gunzipped(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip(GUNZIP);
  const source = Readable.from(bytes);
  source.once('error', (error) => gunzip.destroy(error));
  source.pipe(gunzip);
  try {
    yield* gunzip;
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}

function formatOf(head: Buffer): string {
  if (head.length === 0) return 'it is empty';
  const begins = (hex: string): boolean => head.toString('hex', 0, hex.length / 2) === hex;
  if (begins('1f8b')) return 'gzip';
  if (head.toString('latin1', 257, 262) === 'ustar' || (head.length >= TAR_BLOCK && head.every((byte) => byte === 0))) {
    return 'tar';
  }
  if (begins('504b0304')) return 'it is a zip file';
  if (begins('28b52ffd')) return 'it is compressed with zstd';
  if (begins('425a68')) return 'it is compressed with bzip2';
  if (begins('fd377a58')) return 'it is compressed with xz';
  return 'it is neither gzip nor tar';
}

function asArchiveError(error: unknown, name: string): unknown {
  if (error instanceof RestoreHooksError) return error;
  const { code = '', message = '' } = (error ?? {}) as { code?: string; message?: string };
  if (code === 'Z_BUF_ERROR' || message === 'Unexpected end of data') return truncated(name, error);
  if (code === 'ERR_TRAILING_JUNK_AFTER_STREAM_END')
    return damaged(name, 'something follows the end of the gzip', error);
  if (code.startsWith('Z_')) return damaged(name, `the gzip is damaged (${message})`, error);
  if (/header|format/i.test(message)) return damaged(name, 'the tar in it is damaged', error);
  return error;
}

const AGAIN = 'get it anew: velero backup download NAME';
const truncated = (name: string, cause?: unknown): RestoreHooksError =>
  new RestoreHooksError('INVALID_INPUT', `${name}: ends in the middle; it is not whole`, { hint: AGAIN, cause });
const damaged = (name: string, what: string, cause: unknown): RestoreHooksError =>
  new RestoreHooksError('INVALID_INPUT', `${name}: ${what}`, { hint: AGAIN, cause });
export const invalid = (message: string, hint?: string): RestoreHooksError =>
  new RestoreHooksError('INVALID_INPUT', message, hint === undefined ? {} : { hint });
