import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { RestoreHooksError } from '../shared/core/errors.ts';
import type { Context } from './context.ts';
import type { InputObject } from './manifests.ts';
import { parseManifests } from './manifests.ts';

/** One file may be this long; what Kubernetes stores is far smaller. */
const MAX_BYTES = 8 * 1024 * 1024;
const MANIFEST = /\.(ya?ml|json)$/;

/**
 * Read every `-f`: files, directories (their .yaml, .yml and .json files by name, not those below), `-` for stdin.
 * Returns the objects in the order in which they are written, those of lists one by one.
 */
export async function readInput(
  filenames: readonly string[],
  context: Pick<Context, 'cwd' | 'stdin'>,
): Promise<InputObject[]> {
  const objects: InputObject[] = [];
  for (const file of await expand(filenames, context.cwd)) {
    for (const object of parseManifests(await readText(file, context), file.shown)) objects.push(object);
  }
  return objects;
}

/** What the user calls it, and where it is; no path: stdin. */
interface InputFile {
  readonly shown: string;
  readonly path?: string;
}

async function expand(filenames: readonly string[], cwd: string): Promise<InputFile[]> {
  const files: InputFile[] = [];
  for (const name of filenames) {
    if (name === '-') {
      if (files.some(({ path }) => path === undefined)) throw unreadable('stdin (-f -) can be read only once');
      files.push({ shown: 'stdin' });
      continue;
    }
    if (/^https?:\/\//.test(name)) {
      throw new RestoreHooksError('INVALID_INPUT', `${name}: only files are read, not URLs`, {
        hint: 'download it, and pipe it in with -f -',
      });
    }
    const full = path.resolve(cwd, name);
    const found = await stat(full).catch((error: unknown) => Promise.reject(fileError(name, error)));
    files.push(...(found.isDirectory() ? await manifestsOf(name, full) : [{ shown: name, path: full }]));
  }
  return files;
}

async function manifestsOf(name: string, full: string): Promise<InputFile[]> {
  const entries = await readdir(full).catch((error: unknown) => Promise.reject(fileError(name, error)));
  const manifests = entries.filter((entry) => MANIFEST.test(entry)).sort();
  if (manifests.length === 0) throw unreadable(`${name}: no .json, .yaml or .yml file in this directory`);
  return manifests.map((entry) => ({ shown: path.join(name, entry), path: path.join(full, entry) }));
}

async function readText(file: InputFile, { stdin }: Pick<Context, 'stdin'>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of file.path === undefined ? stdin : createReadStream(file.path)) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      size += bytes.length;
      if (size > MAX_BYTES) throw unreadable(`${file.shown}: longer than 8 MiB`);
      chunks.push(bytes);
    }
  } catch (error) {
    throw error instanceof RestoreHooksError ? error : fileError(file.shown, error);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw unreadable(`${file.shown}: not UTF-8 text`);
  }
}

const unreadable = (message: string): RestoreHooksError => new RestoreHooksError('INVALID_INPUT', message);

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
  ENOTDIR: 'a part of its path is no directory',
};

function fileError(name: string, error: unknown): RestoreHooksError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return new RestoreHooksError('INVALID_INPUT', `${name}: ${reasons[code] ?? code}`, { cause: error });
}
