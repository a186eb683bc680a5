import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { after } from 'node:test';
import { promisify } from 'node:util';

export const ROOT = join(import.meta.dirname, '../..');

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

export function temporary(parent = tmpdir()): string {
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'restorehooks-released-'));
  folders.push(folder);
  return folder;
}

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run a program with this environment alone. */
export function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Ended {
  const { status, stdout, stderr, error } = spawnSync(program, args, { env, encoding: 'utf8', input: '' });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}

/** Why no release can be made here; undefined if one can. */
export function cannotRelease(): string | undefined {
  if (process.getuid?.() !== 0) return 'not root';
  return existsSync('/etc/debian_version') && process.arch === 'x64' ? undefined : 'not Debian on x64';
}

const promised = promisify(execFile);

async function release(root: string, out: string, umask: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const command = [process.execPath, 'release/main.ts', '--out', out, '--newer-libraries'];
  await promised('sh', ['-c', `umask ${umask}; exec "$0" "$@"`, ...command], {
    cwd: root,
    env: { ...process.env, ...env },
  });
  return out;
}

/**
 * The sources as they are now, tracked or new, in another folder, with the packages of this one. They have the modes of a
 * checkout under umask 077.
 */
function copyOfSources(): string {
  const copy = join(temporary(join(ROOT, 'dist/release-tests')), 'a folder of another name');
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: ROOT });
  for (const file of listed
    .toString()
    .split('\0')
    .filter((name) => name !== '' && existsSync(join(ROOT, name)))) {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    cpSync(join(ROOT, file), join(copy, file));
    chmodSync(join(copy, file), statSync(join(ROOT, file)).mode & 0o700);
  }
  // Links, not copies: the packages have many files.
  execFileSync('cp', ['-al', join(ROOT, 'node_modules'), copy]);
  return copy;
}

/**
 * Two releases of the same sources, made at once in two folders, the second under umask 077. RELEASED=FOLDER:FOLDER tests
 * two that are there already, for who works on the tests.
 */
export async function twoReleases(): Promise<readonly [string, string]> {
  const [one, other] = process.env['RELEASED']?.split(':') ?? [];
  if (one && other) return [one, other];
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).trim();
  // In the copy there is no git that could tell it.
  const commit = git('status', '--porcelain') === '' ? git('rev-parse', 'HEAD') : '';
  const [first, second] = await Promise.all([
    release(ROOT, join(temporary(), 'out'), '022'),
    release(copyOfSources(), join(temporary(), 'elsewhere'), '077', { RELEASE_COMMIT: commit }),
  ]);
  return [first, second];
}

/** The one artefact whose name ends so. */
export function artefact(folder: string, ending: string): string {
  const found = readdirSync(folder).filter((name) => name.endsWith(ending));
  if (found.length !== 1) throw new Error(`${found.length} artefacts end in ${ending}`);
  return join(folder, found[0] ?? '');
}

export function unpacked(archive: string): string {
  const folder = temporary();
  execFileSync('tar', ['-C', folder, '-xf', archive]);
  return folder;
}

export const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');
// biome-ignore lint/suspicious/noExplicitAny: documents whose fields the tests compare
export const readJson = (file: string): any => JSON.parse(readFileSync(file, 'utf8'));

/**
 * krew with its validator, actionlint and the reader of provenance (test/release/go.mod), built once for each go.sum.
 * Undefined where there is no Go.
 */
export function goTools(): string | undefined {
  if (spawnSync('go', ['version']).status !== 0) return undefined;
  const texts = ['go.mod', 'go.sum', 'provenance.go'].map((name) => readFileSync(join(import.meta.dirname, name)));
  const key = createHash('sha256').update(Buffer.concat(texts)).digest('hex').slice(0, 16);
  const home = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'kubectl-restorehooks');
  const folder = join(home, `release-tools-${key}`);
  if (!existsSync(folder)) {
    const building = temporary(home);
    execFileSync('go', ['build', '-o', `${building}/`, 'tool', '.'], { cwd: import.meta.dirname, stdio: 'inherit' });
    cpSync(building, folder, { recursive: true });
  }
  return folder;
}

/** The kubectl that the testbed has built, else one on the PATH. */
export function kubectl(): string | undefined {
  const [built] = globSync(join(homedir(), '.cache/kubectl-restorehooks/kubernetes-*/kubectl'));
  if (built !== undefined) return built;
  const { status, stdout } = spawnSync('sh', ['-c', 'command -v kubectl'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}
