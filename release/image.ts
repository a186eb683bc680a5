import { globSync, mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { DEFAULT_IMAGE, VERSION } from '../shared/core/version.ts';
import type { DebianText } from './debian-texts.ts';
import { debianTexts } from './debian-texts.ts';
import type { Architecture, NodeBinary } from './node-binaries.ts';
import { ARCHITECTURES } from './node-binaries.ts';
import { PINS } from './pins.ts';
import { ReleaseError, ROOT, requireDebian, run, sha256, write } from './tools.ts';

/** The files of ours in the image: the runner, and the plugin for a CronJob that rehearses. */
export const IN_IMAGE = ['runner.cjs', 'kubectl-restorehooks'] as const;

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly arch: Architecture;
  readonly sha256: string;
}

export interface Image {
  /** Of each architecture. */
  readonly packages: readonly DebianPackage[];
  /** About their licences: the same for each architecture. */
  readonly texts: readonly DebianText[];
}

/** Write one archive with the images of all architectures: an OCI index (R9.12). */
export function imageIndex(
  nodes: Readonly<Record<Architecture, NodeBinary>>,
  { notices, repository, newerLibraries }: { notices: string; repository: string; newerLibraries: boolean },
  work: string,
  archive: string,
): Image {
  requireDebian(['buildah', 'binutils']);
  const made = ARCHITECTURES.map((arch) => {
    const root = join(work, `root-${arch}`);
    mkdirSync(root);
    const debian = debianPackages(arch, join(work, `debian-${arch}`), newerLibraries);
    const texts = debianTexts(debian);
    fillRoot(root, nodes[arch], debian, notices);
    writeTexts(root, texts);
    requireLibraries(root);
    return { packages: debian.map(({ folder: _, ...known }) => known), texts };
  });
  const env = { ...process.env, IMAGE: DEFAULT_IMAGE, VERSION, REPOSITORY: repository };
  run(
    'bash',
    ['deploy/image/index.sh', archive, ...ARCHITECTURES.map((arch) => `${arch}=${join(work, `root-${arch}`)}`)],
    { env },
  );
  return { packages: made.flatMap(({ packages }) => packages), texts: made[0]?.texts ?? [] };
}

type Unpacked = DebianPackage & { readonly folder: string };

/** Fetch and unpack the pinned packages, without installing anything here. apt gets a state of its own for it. */
function debianPackages(arch: Architecture, work: string, newer: boolean): readonly Unpacked[] {
  for (const folder of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(work, folder), { recursive: true });
  writeFileSync(join(work, 'status'), '');
  const settings = [
    `Dir::State=${work}`,
    `Dir::State::lists=${work}/lists`,
    `Dir::State::status=${work}/status`,
    `Dir::Cache=${work}/cache`,
    `APT::Architecture=${arch}`,
    `APT::Architectures=${arch}`,
    'APT::Sandbox::User=root',
    // Descriptions and icons, which take apt longer than the rest.
    'Acquire::Languages=none',
    'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false',
  ].flatMap((setting) => ['-o', setting]);
  run('apt-get', [...settings, 'update', '-qq']);
  return PINS.debian.map(({ name, version, licence }) => {
    const folder = join(work, name);
    mkdirSync(folder);
    try {
      run('apt-get', [...settings, 'download', '-qq', `${name}=${version}`], { cwd: work });
    } catch (error) {
      const why = `Debian's mirror has no ${name} ${version} any more: move release/pins.ts on, or give --newer-libraries`;
      if (!newer) throw new ReleaseError(why, { cause: error });
      process.stderr.write(`warning: ${why}\n`);
      run('apt-get', [...settings, 'download', '-qq', name], { cwd: work });
    }
    const [deb = ''] = globSync(join(work, `${name}_*.deb`));
    run('dpkg-deb', ['-x', deb, folder]);
    const got = run('dpkg-deb', ['-f', deb, 'Version']).trim();
    return { name, version: got, licence, arch, sha256: sha256(deb), folder };
  });
}

/** The libraries that Node and its libraries name. */
const LIBRARIES = /^(?:ld-linux-.*|lib(?:c|dl|m|pthread|gcc_s|stdc\+\+))\.so\.\d+$/;
const LOADER: Readonly<Record<Architecture, string>> = { amd64: 'lib64', arm64: 'lib' };

function fillRoot(root: string, node: NodeBinary, packages: readonly Unpacked[], notices: string): void {
  write(join(root, 'usr/local/bin/node'), readFileSync(node.file), 0o755);
  for (const name of IN_IMAGE) write(join(root, 'app', name), readFileSync(join(ROOT, 'dist', name)));
  write(join(root, 'etc/passwd'), 'runner:x:65532:65532::/:/sbin/nologin\n');
  write(join(root, 'etc/group'), 'runner:x:65532:\n');
  write(join(root, 'usr/share/doc/restorehooks/THIRD-PARTY-NOTICES.txt'), notices);
  for (const { folder, arch } of packages) {
    for (const file of globSync(`${folder}/{lib,usr/lib}/*-linux-gnu/*`).filter((path) =>
      LIBRARIES.test(basename(path)),
    )) {
      // A library's file has a longer name than the one that programs ask for.
      const target = basename(file).startsWith('ld-')
        ? LOADER[arch]
        : `lib/${arch === 'amd64' ? 'x86_64' : 'aarch64'}-linux-gnu`;
      write(join(root, target, basename(file)), readFileSync(realpathSync(file)), 0o755);
    }
    const certificates = globSync(`${folder}/usr/share/ca-certificates/mozilla/*.crt`).sort();
    if (certificates.length > 0) {
      write(
        join(root, 'etc/ssl/certs/ca-certificates.crt'),
        certificates.map((file) => readFileSync(file, 'utf8')).join(''),
      );
    }
  }
}

function writeTexts(root: string, texts: readonly DebianText[]): void {
  for (const each of texts) {
    const file = join(root, each.path);
    mkdirSync(dirname(file), { recursive: true });
    if ('text' in each) write(file, each.text);
    else symlinkSync(each.link, file);
  }
}

/** Every library that a file of the image names must be in the image: nothing here can start the other architecture's. */
function requireLibraries(root: string): void {
  const there = new Set(globSync(`${root}/**/*.so.*`).map((file) => basename(file)));
  for (const file of [join(root, 'usr/local/bin/node'), ...globSync(`${root}/**/*.so.*`)]) {
    const named = [...run('readelf', ['-d', file]).matchAll(/NEEDED.*\[(.+)\]/g)].map(([, name = '']) => name);
    const missing = named.filter((name) => !there.has(name));
    if (missing.length > 0)
      throw new ReleaseError(`the image lacks ${missing.join(', ')}, which ${basename(file)} needs`);
  }
}
