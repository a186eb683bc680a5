import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import process from 'node:process';

export const ROOT = join(import.meta.dirname, '..');

/** A release can't be made, for a reason that whoever makes it can change. */
export class ReleaseError extends Error {
  override readonly name = 'ReleaseError';
}

/** Run a program to its end. Returns what it prints; throws with its last words if it fails. */
export function run(program: string, args: readonly string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: ROOT,
    ...options,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (status === 0) return stdout;
  throw new ReleaseError(`${program} ${args[0] ?? ''} failed: ${error?.message ?? (stderr.trim() || stdout.trim())}`);
}

export const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

/** Write a file with exactly this mode, whatever the umask is. */
export function write(file: string, content: string | Uint8Array, mode = 0o644): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  chmodSync(file, mode);
}

/**
 * An archive whose bytes depend only on the names, contents and executable bits of the folder's files. It has no entries
 * for folders, because tar would give the folders where it is unpacked their modes and owners (R9.11).
 */
export function tarGz(folder: string, archive: string): void {
  const same = ['--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=u=rwX,go=rX'];
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
  run('tar', ['-C', folder, ...same, '--use-compress-program=gzip -n', '-cf', archive, '--', ...files]);
}

/** Install those of these packages that are missing, as root on Debian. */
export function requireDebian(packages: readonly string[]): void {
  const isInstalled = (name: string): boolean =>
    /^Status: .* installed$/m.test(spawnSync('dpkg-query', ['-s', name], { encoding: 'utf8' }).stdout ?? '');
  const missing = packages.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0)
    throw new ReleaseError(`not root, and these packages are missing: ${missing.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // Another release may be installing them, and apt-get doesn't wait for all of its own locks.
  const apt = (...args: string[]) => run('flock', ['/var/lib/apt/lists', 'apt-get', ...args], { env });
  apt('update', '-qq');
  apt('install', '-y', '-qq', '--no-install-recommends', ...missing);
}
