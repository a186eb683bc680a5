import type { Dirent } from 'node:fs';
import { createReadStream, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { RestoreHooksError } from '../core/errors.ts';
import type { Notice } from '../core/plan/notice.ts';
import type { InputObject } from './manifests.ts';
import { objectsOf, parseTexts } from './manifests.ts';

/** The longest file that is read; objects in Kubernetes are far smaller. */
const MAX_BYTES = 8 * 1024 * 1024;
const MANIFEST = /\.(ya?ml|json)$/;
/** So many mistakes are listed. More of them are usually all of one kind. */
const MOST_MISTAKES = 20;

/** What reading files needs of the process. */
export interface FileContext {
  readonly cwd: string;
  readonly stdin: AsyncIterable<Uint8Array | string>;
  /** Called for each file that was read, and again for each that was parsed, of `total`. */
  readonly onFile?: (done: number, total?: number) => void;
}

/** The objects of files, in the order in which they are written, and warnings about them. */
export interface Input {
  readonly objects: readonly InputObject[];
  readonly notices: readonly Notice[];
}

/**
 * Read every `-f`: files, directories (their .yaml, .yml and .json files by name, without subfolders), `-` for stdin.
 * The objects of lists are returned one by one. If some files can't be read, one error names all of them (R1.3),
 * because a plan of the others would be another plan.
 */
export async function readInput(filenames: readonly string[], context: FileContext): Promise<Input> {
  const mistakes = new Mistakes();
  const objects: InputObject[] = [];
  const notices: Notice[] = [];
  const all = await mistakes.texts(filenames, context, false);
  for (const [index, { text, file }] of all.entries()) {
    context.onFile?.(index, all.length);
    mistakes.collect(() => {
      const texts = parseTexts(text, file);
      for (const object of objectsOf(texts, file)) objects.push(object);
      for (const { line, reason } of texts.flatMap(({ gaps }) => gaps)) {
        notices.push({ code: 'kubectl-reads-less', message: `${file}:${line}: ${reason}` });
      }
    });
  }
  mistakes.throw();
  return { objects, notices };
}

/** The texts that {@link readInput} reads, unparsed; `recursive`: with subfolders. */
export async function readTexts(
  filenames: readonly string[],
  context: FileContext,
  recursive = false,
  maxBytes = MAX_BYTES,
): Promise<{ readonly text: string; readonly file: string }[]> {
  const mistakes = new Mistakes();
  const texts = await mistakes.texts(filenames, context, recursive, maxBytes);
  mistakes.throw();
  return texts;
}

/** Collects the problems of files, and throws them together when all files have been read. */
class Mistakes {
  readonly #errors: RestoreHooksError[] = [];

  collect<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof RestoreHooksError)) throw error;
      this.#errors.push(error);
      return undefined;
    }
  }

  async texts(filenames: readonly string[], context: FileContext, recursive: boolean, maxBytes = MAX_BYTES) {
    const texts: { text: string; file: string }[] = [];
    let hasStdin = false;
    for (const name of filenames) {
      for (const file of this.collect(() => expand(name, context.cwd, recursive)) ?? []) {
        if (file.path === undefined && hasStdin) throw unreadableInput('stdin (-f -) can be read only once');
        hasStdin ||= file.path === undefined;
        const bytes = await bytesOf(file, context, maxBytes).catch((error: unknown) =>
          this.collect(() => rethrow(error)),
        );
        const text = bytes && this.collect(() => decode(file.shown, bytes));
        if (text !== undefined) texts.push({ text, file: file.shown });
        context.onFile?.(texts.length);
      }
    }
    return texts;
  }

  throw(): void {
    const [first, ...others] = this.#errors;
    if (first === undefined) return;
    if (others.length === 0) throw first;
    const lines = this.#errors.slice(0, MOST_MISTAKES).map(({ message }) => message);
    const more = this.#errors.length - lines.length;
    throw unreadableInput([...lines, ...(more > 0 ? [`and ${more} more`] : [])].join('\n'));
  }
}

/** A file, by the name that the user gave it and by its path; without a path it is stdin. */
interface InputFile {
  readonly shown: string;
  readonly path?: string;
  /** The file was found in a directory and not named by the user, so it is read only if it is a regular file. */
  readonly found?: true;
}

function expand(name: string, cwd: string, recursive: boolean): InputFile[] {
  if (name === '') {
    // R1.31
    throw new RestoreHooksError('INVALID_ARGUMENT', 'the name of a file is empty', {
      hint: 'is a shell variable empty? use . for this directory, - for stdin',
    });
  }
  if (name === '-') return [{ shown: 'stdin' }];
  if (/^https?:\/\//.test(name)) {
    throw new RestoreHooksError('INVALID_INPUT', `${name}: only files are read, not URLs`, {
      hint: 'download it, and pipe it in with -f -',
    });
  }
  const full = resolve(cwd, name);
  const found = orFileError(name, () => statSync(full));
  if (!found.isDirectory()) return [{ shown: name, path: full }];
  const files = manifestsIn(name, full, recursive);
  if (files.length === 0) throw unreadableInput(`${name}: no .json, .yaml or .yml file in this directory`);
  return files;
}

/** The files of a directory as kubectl finds them: sorted by name, without following links to directories. */
function manifestsIn(shown: string, full: string, recursive: boolean): InputFile[] {
  const entries: Dirent[] = orFileError(shown, () => readdirSync(full, { withFileTypes: true }));
  return entries
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry): InputFile[] => {
      const file = { shown: join(shown, entry.name), path: join(full, entry.name) };
      if (entry.isDirectory()) return recursive ? manifestsIn(file.shown, file.path, true) : [];
      return MANIFEST.test(entry.name) ? [{ ...file, found: true }] : [];
    });
}

function decode(shown: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw unreadableInput(`${shown}: not UTF-8 text`);
  }
}

/** The bytes of a file. `context.stdin` is a getter that opens stdin, so it is used only for `-`. */
async function bytesOf(
  { shown, path, found }: InputFile,
  context: Pick<FileContext, 'stdin'>,
  maxBytes: number,
): Promise<Uint8Array> {
  if (path === undefined) return readStream(shown, context.stdin, maxBytes);
  return readWhole(shown, path, found === true, maxBytes) ?? readStream(shown, createReadStream(path), maxBytes);
}

/**
 * Read a regular file in one call, which is far cheaper than a stream; undefined for pipes such as `<(command)`, which
 * may block.
 */
function readWhole(shown: string, path: string, onlyFiles: boolean, maxBytes: number): Uint8Array | undefined {
  return orFileError(shown, () => {
    const found = statSync(path);
    if (found.isDirectory()) throw unreadableInput(`${shown}: ${reasons['EISDIR']}`);
    if (!found.isFile() && onlyFiles) throw unreadableInput(`${shown}: is no regular file`);
    if (!found.isFile()) return undefined;
    if (found.size > maxBytes) throw tooLong(shown, maxBytes);
    return readFileSync(path);
  });
}

async function readStream(
  shown: string,
  stream: AsyncIterable<Uint8Array | string>,
  maxBytes: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      size += bytes.length;
      if (size > maxBytes) throw tooLong(shown, maxBytes);
      chunks.push(bytes);
    }
  } catch (error) {
    throw fileError(shown, error);
  }
  return Buffer.concat(chunks);
}

const tooLong = (shown: string, maxBytes: number): RestoreHooksError =>
  unreadableInput(`${shown}: longer than ${maxBytes / 1024 / 1024} MiB`);
const unreadableInput = (message: string): RestoreHooksError => new RestoreHooksError('INVALID_INPUT', message);

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
  ENOTDIR: 'a part of its path is no directory',
  ELOOP: 'its links lead in a circle',
};

function rethrow(error: unknown): never {
  throw error;
}

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
