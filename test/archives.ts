import { gzipSync } from 'node:zlib';

/** One entry of a tar archive: a file, or what its type flag says. */
export interface TarFile {
  readonly path: string;
  readonly body?: string | Buffer | object;
  /** The header's type flag: `0` a file, `2` a symbolic link, `5` a directory, `x` a pax header. */
  readonly type?: string;
  /** The size in the header, if it differs from the body's length. */
  readonly size?: number;
}

const BLOCK = 512;
const END = Buffer.alloc(2 * BLOCK);

/** Builds a tar archive byte by byte, so that tests can make broken ones, too. */
export function tarOf(files: readonly TarFile[], end: Buffer = END): Buffer {
  return Buffer.concat([...files.flatMap(tarEntry), end]);
}

export const tarGzOf = (files: readonly TarFile[]): Buffer => gzipSync(tarOf(files), { level: 1 });

/** Header, body and padding. */
export function tarEntry({ path, body = '', type = '0', size }: TarFile): Buffer[] {
  const bytes = Buffer.from(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body));
  return [header(path, type, size ?? bytes.length), bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)];
}

function header(path: string, type: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  // The name field has 100 bytes; the folder goes into the prefix field.
  const cut = path.length <= 100 ? -1 : path.lastIndexOf('/', 155);
  block.write(path.slice(cut + 1), 0, 100);
  if (cut >= 0) block.write(path.slice(0, cut), 345, 155);
  block.write('0000644\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0', 136);
  block.write('        ', 148);
  block.write(type, 156);
  block.write('ustar\0', 257);
  block.write('00', 263);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

/** A pax header's record, with its own length before it. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length += 1;
  return `${length}${rest}`;
}

export const VERSION_FILE: TarFile = { path: 'metadata/version', body: '1.1.0\n' };

export interface ArchivedObject {
  readonly metadata: { readonly namespace: string; readonly name: string };
}

/** A pod as Velero stores it: once for each of two paths. */
export const asVelero = (pod: ArchivedObject): TarFile[] => [
  { path: podPath(pod), body: pod },
  { path: podPath(pod, 'v1-preferredversion'), body: pod },
];

export const podPath = ({ metadata: { namespace, name } }: ArchivedObject, version?: string): string =>
  `resources/pods/${version === undefined ? '' : `${version}/`}namespaces/${namespace}/${name}.json`;
