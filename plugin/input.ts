import { createReadStream, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
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
  for (const { text, file } of await readTexts(filenames, context)) {
    for (const object of parseManifests(text, file)) objects.push(object);
  }
  return objects;
}

/** What {@link readInput} reads, as it stands there; `recursive`: with the folders below. */
export async function readTexts(
  filenames: readonly string[],
  context: Pick<Context, 'cwd' | 'stdin'>,
  recursive = false,
): Promise<{ readonly text: string; readonly file: string }[]> {
  const texts: { text: string; file: string }[] = [];
  for (const file of expand(filenames, context.cwd, recursive)) {
    texts.push({ text: await readText(file, context), file: file.shown });
  }
  return texts;
}

/** What the user calls it, and where it is; no path: stdin. */
interface InputFile {
  readonly shown: string;
  readonly path?: string;
}

function expand(filenames: readonly string[], cwd: string, recursive: boolean): InputFile[] {
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
    const full = resolve(cwd, name);
    const found = orFileError(name, () => statSync(full));
    files.push(...(found.isDirectory() ? manifestsOf(name, full, recursive) : [{ shown: name, path: full }]));
  }
  return files;
}

function manifestsOf(name: string, full: string, recursive: boolean): InputFile[] {
  const entries = orFileError(name, () => readdirSync(full, { recursive, encoding: 'utf8' }));
  const manifests = entries.filter((entry) => MANIFEST.test(entry)).sort();
  if (manifests.length === 0) throw unreadable(`${name}: no .json, .yaml or .yml file in this directory`);
  return manifests.map((entry) => ({ shown: join(name, entry), path: join(full, entry) }));
}

/** The context's stdin is asked for only where it is read: that opens it. */
async function readText({ shown, path }: InputFile, context: Pick<Context, 'stdin'>): Promise<string> {
  const whole = path === undefined ? undefined : readWhole(shown, path);
  const bytes = whole ?? (await readStream(shown, path === undefined ? context.stdin : createReadStream(path)));
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw unreadable(`${shown}: not UTF-8 text`);
  }
}

/** At once, which is far cheaper than a stream; undefined for what may keep its reader waiting, such as `<(command)`. */
function readWhole(shown: string, path: string): Uint8Array | undefined {
  return orFileError(shown, () => {
    const found = statSync(path);
    if (!found.isFile()) return undefined;
    if (found.size > MAX_BYTES) throw tooLong(shown);
    return readFileSync(path);
  });
}

async function readStream(shown: string, stream: AsyncIterable<Uint8Array | string>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      size += bytes.length;
      if (size > MAX_BYTES) throw tooLong(shown);
      chunks.push(bytes);
    }
  } catch (error) {
    throw fileError(shown, error);
  }
  return Buffer.concat(chunks);
}

const tooLong = (shown: string): RestoreHooksError => unreadable(`${shown}: longer than 8 MiB`);
const unreadable = (message: string): RestoreHooksError => new RestoreHooksError('INVALID_INPUT', message);

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
  ENOTDIR: 'a part of its path is no directory',
};

function orFileError<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw fileError(name, error);
  }
}

export function fileError(name: string, error: unknown): RestoreHooksError {
  if (error instanceof RestoreHooksError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  return new RestoreHooksError('INVALID_INPUT', `${name}: ${reasons[code] ?? code}`, { cause: error });
}
