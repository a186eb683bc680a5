import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { without } from '../needs.ts';

/** Installs awscli with pip, outside the repository. */
const VERSION = '1.46.3';
const SCRIPT = join(import.meta.dirname, 'get-token.py');

export const noPip = without('python3 with pip', spawnSync('python3', ['-m', 'pip', '--version']).status === 0);

/** Run a script with awscli's own Python code. */
export function awscli(asked: unknown): unknown {
  const options = {
    input: JSON.stringify(asked),
    env: { ...process.env, PYTHONPATH: installed() },
    maxBuffer: 1 << 26,
  };
  return JSON.parse(execFileSync('python3', [SCRIPT], options).toString());
}

/** The folder of its Python packages. */
export function installed(): string {
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const folder = join(cache, 'kubectl-restorehooks', `awscli-${VERSION}`);
  if (existsSync(folder)) return folder;
  mkdirSync(join(folder, '..'), { recursive: true });
  const unfinished = mkdtempSync(`${folder}.`);
  try {
    const pip = ['-m', 'pip', 'install', '--quiet', '--target', unfinished, `awscli==${VERSION}`];
    execFileSync('python3', pip, { stdio: ['ignore', 'ignore', 'pipe'] });
    renameSync(unfinished, folder);
  } catch (error) {
    rmSync(unfinished, { recursive: true });
    // Another test process has installed it meanwhile.
    if (!existsSync(folder)) throw error;
  }
  return folder;
}
