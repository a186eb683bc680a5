import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { VERSION } from '../shared/core/version.ts';
import { COMPLETIONS } from './completions.ts';
import { debianNotices } from './debian-texts.ts';
import { executable, programBlob } from './executables.ts';
import { IN_IMAGE, imageIndex } from './image.ts';
import { krewManifest } from './krew.ts';
import { manPage } from './man-page.ts';
import { ARCHITECTURES, nodeBinaries } from './node-binaries.ts';
import { npmPackage, REPOSITORY } from './npm-package.ts';
import type { Notice } from './packages.ts';
import { noticesOf, noticesText, packagesOf } from './packages.ts';
import { PINS } from './pins.ts';
import { provenance } from './provenance.ts';
import { debianComponent, nodeComponent, npmComponent, sbom } from './sbom.ts';
import { ReleaseError, ROOT, run, sha256, tarGz, write } from './tools.ts';

/*
 * `npm run release`: all artefacts of a version, in dist/release. The same sources and pins give the same bytes (R9.10).
 * docs/releasing.md lists the artefacts.
 */

const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(ROOT, 'dist/release') },
    repository: { type: 'string', default: REPOSITORY },
    // Where Debian has replaced a pinned library. The release tells it, and differs from the next one.
    'newer-libraries': { type: 'boolean', default: false },
  },
});

// The umask decides the modes of the folders in the image, so the caller's must not count (R9.10).
process.umask(0o022);
const NAME = `kubectl-restorehooks-v${VERSION}`;
const target = resolve(values.out);
const out = `${target}.part`;
const work = mkdtempSync(join(tmpdir(), 'restorehooks-release-'));
process.on('exit', () => rmSync(work, { recursive: true, force: true }));

async function release(): Promise<void> {
  if (process.versions.node !== PINS.node.version) {
    throw new ReleaseError(`this is Node ${process.versions.node}, and release/pins.ts names ${PINS.node.version}`);
  }
  refuseOtherFiles();
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  run(process.execPath, ['build.mjs']);
  const page = join(work, 'kubectl-restorehooks.1');
  write(page, await manPage());
  const plugin = noticesOf(packagesOf('kubectl-restorehooks'));
  const file = pluginArchive(NAME, join(ROOT, 'dist/kubectl-restorehooks'), plugin, page);
  told(npmPackage(values.repository, page, work, out));
  const nodes = nodeBinaries(work);
  const node: Notice = { title: `Node.js ${PINS.node.version}`, text: nodes.amd64.licence };
  const blob = programBlob(work);
  const executables = ARCHITECTURES.map((arch) => {
    const name = `${NAME}-linux-${arch}`;
    const archive = pluginArchive(name, executable(arch, nodes[arch], blob, work), [...plugin, node], page);
    return krewArchive({ matchLabels: { os: 'linux', arch } }, archive);
  });
  const forMac = krewArchive({ matchLabels: { os: 'darwin' } }, file);
  write(join(out, 'restorehooks.yaml'), krewManifest(values.repository, [...executables, forMac]));
  const image = {
    notices: noticesText([...noticesOf(packagesOf(...IN_IMAGE)), node]),
    repository: values.repository,
    newerLibraries: values['newer-libraries'],
  };
  const archive = `restorehooks-runner-v${VERSION}.oci.tar`;
  const { packages, texts } = imageIndex(nodes, image, work, join(out, archive));
  told(archive);
  writeSboms(nodes, packages);
  const all = noticesOf(packagesOf('kubectl-restorehooks', 'runner.cjs', 'lambda.cjs'));
  write(join(out, 'THIRD-PARTY-NOTICES.txt'), noticesText([...all, node, ...debianNotices(texts)]));
  const materials = [
    ...ARCHITECTURES.map((arch) => ({ uri: nodes[arch].purl, digest: { sha512: nodes[arch].sha512 } })),
    ...packages.map((each) => ({ uri: debianComponent(each).purl ?? '', digest: { sha256: each.sha256 } })),
  ];
  write(join(out, `${NAME}.intoto.json`), provenance(values.repository, sums(), materials));
  write(
    join(out, 'SHA256SUMS'),
    sums()
      .map(({ name, sha256: sum }) => `${sum}  ${name}\n`)
      .join(''),
  );
  publish();
}

/** Only what an earlier release has left may be removed. */
function refuseOtherFiles(): void {
  const isEmpty = !existsSync(target) || readdirSync(target).length === 0;
  if (!isEmpty && !existsSync(join(target, 'SHA256SUMS'))) throw new ReleaseError(`${target} holds other files`);
}

/** The artefacts appear all at once, when all of them are made. */
function publish(): void {
  rmSync(target, { recursive: true, force: true });
  renameSync(out, target);
  process.stdout.write(`${target}: ${readdirSync(target).length} files, see SHA256SUMS\n`);
}

function told(name: string): void {
  process.stdout.write(`${name}  ${(readFileSync(join(out, name)).length / 1e6).toFixed(1)} MB\n`);
}

/**
 * The program that kubectl asks for completion. It is no link, because krew refuses an archive with one in it. It works
 * beside the plugin, and as a link beside a link to the plugin.
 */
const SECOND_NAME = `#!/bin/sh
exec "\${0%kubectl_complete-restorehooks}kubectl-restorehooks" __complete "$@"
`;

/** An archive to unpack in /usr/local (R9.11): program, second name, man page, completion, licences. Returns its name. */
function pluginArchive(name: string, program: string, notices: readonly Notice[], page: string): string {
  const folder = join(work, name);
  write(join(folder, 'bin/kubectl-restorehooks'), readFileSync(program), 0o755);
  write(join(folder, 'bin/kubectl_complete-restorehooks'), SECOND_NAME, 0o755);
  write(join(folder, 'share/man/man1/kubectl-restorehooks.1'), readFileSync(page));
  for (const [path, text] of Object.entries(COMPLETIONS)) write(join(folder, path), text);
  const documents = join(folder, 'share/doc/kubectl-restorehooks');
  write(join(documents, 'LICENSE'), readFileSync(join(ROOT, 'LICENSE')));
  write(join(documents, 'THIRD-PARTY-NOTICES.txt'), noticesText(notices));
  tarGz(folder, join(out, `${name}.tar.gz`));
  told(`${name}.tar.gz`);
  return `${name}.tar.gz`;
}

const krewArchive = (selector: object, archive: string) => ({ selector, archive, sha256: sha256(join(out, archive)) });

function writeSboms(nodes: ReturnType<typeof nodeBinaries>, packages: ReturnType<typeof imageIndex>['packages']): void {
  const plugin = packagesOf('kubectl-restorehooks').map(npmComponent);
  const both = [nodeComponent(nodes.amd64), ...plugin];
  const published = packagesOf('kubectl-restorehooks', 'runner.cjs', 'lambda.cjs').map(npmComponent);
  const purl = `pkg:npm/kubectl-restorehooks@${VERSION}`;
  const inImage = [
    nodeComponent(nodes.amd64),
    ...packages.map(debianComponent),
    ...packagesOf(...IN_IMAGE).map(npmComponent),
  ];
  write(join(out, `${NAME}.cdx.json`), sbom('application', 'kubectl-restorehooks', plugin));
  write(join(out, `${NAME}-linux.cdx.json`), sbom('application', 'kubectl-restorehooks-linux', both));
  write(join(out, `${NAME}-npm.cdx.json`), sbom('application', 'kubectl-restorehooks', published, purl));
  write(join(out, `restorehooks-runner-v${VERSION}.cdx.json`), sbom('container', 'restorehooks-runner', inImage));
}

const sums = () =>
  readdirSync(out)
    .sort()
    .map((name) => ({ name, sha256: sha256(join(out, name)) }));

try {
  await release();
} catch (error) {
  if (!(error instanceof ReleaseError)) throw error;
  process.stderr.write(`error: ${error.message}\n`);
  process.exitCode = 1;
}
