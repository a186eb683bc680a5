import { RestoreHooksError } from '../core/errors.ts';
import { requirePatch } from '../core/manifests/job.ts';
import type { JobPatch } from '../core/manifests/job-patch.ts';
import type { FileContext } from './files.ts';
import { readTexts } from './files.ts';
import { parseTexts } from './manifests.ts';

/** The one document of a file: YAML or JSON, with its text. */
export async function readDocument(
  filename: string,
  expected: string,
  context: FileContext,
): Promise<{ readonly value: Readonly<Record<string, unknown>>; readonly from: string; readonly text: string }> {
  const files = await readTexts([filename], context);
  const documents = files.flatMap(({ text, file }) =>
    parseTexts(text, file).flatMap(({ documents: all }) =>
      all.filter(({ value }) => value !== null).map(({ value, line }) => ({ value, from: `${file}:${line}`, text })),
    ),
  );
  const [first] = documents;
  if (first === undefined || documents.length > 1) {
    const found = documents.length === 0 ? 'nothing' : `${documents.length} documents`;
    throw new RestoreHooksError('INVALID_INPUT', `${filename}: expected ${expected}, found ${found}`);
  }
  const { value, from, text } = first;
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return { value: value as Readonly<Record<string, unknown>>, from, text };
  }
  throw new RestoreHooksError('INVALID_INPUT', `${from}: expected ${expected}`);
}

/** The patch of `--job-patch`; none without that flag. */
export async function readJobPatch(filename: string | undefined, context: FileContext): Promise<readonly JobPatch[]> {
  if (filename === undefined) return [];
  const { value } = await readDocument(filename, "a patch in the Job's shape", context);
  const patch = { from: filename === '-' ? 'stdin' : filename, patch: value };
  requirePatch(patch);
  return [patch];
}
