import { RestoreHooksError } from '../core/errors.ts';
import { problemLine } from '../core/model/problem.ts';
import type { HookEntrySpec } from '../core/model/restore.ts';
import { parseRestoreHooks } from '../core/model/restore.ts';
import type { FileContext } from './files.ts';
import { readInput } from './files.ts';

/** The hooks of `--hooks` files, in order; undefined without such files: then the Restore's own hooks are used. */
export async function readHookFiles(
  files: readonly string[],
  context: FileContext,
): Promise<readonly HookEntrySpec[] | undefined> {
  if (files.length === 0) return undefined;
  const { objects, notices } = await readInput(files, context);
  const [gap] = notices;
  if (gap !== undefined) throw new RestoreHooksError('INVALID_INPUT', gap.message);
  if (objects.length === 0) {
    throw new RestoreHooksError('INVALID_INPUT', `${files.join(', ')}: no RestoreHooks in it`, { hint: EXPECTED });
  }
  return objects.flatMap(({ object, source }) => {
    const from = `${source.file}:${source.line}`;
    return hooksOf(object, from).map((entry, index) => ({ ...entry, place: `${from} spec.resources[${index}]` }));
  });
}

const EXPECTED = 'expected kind RestoreHooks of restorehooks.io/v1: examples/hooks.yaml';

export function hooksOf(object: unknown, from: string): readonly HookEntrySpec[] {
  const parsed = parseRestoreHooks(object);
  if (parsed.ok) return parsed.value.spec.resources;
  throw new RestoreHooksError('INVALID_INPUT', `${from}: ${parsed.problems.map(problemLine).join('; ')}`, {
    hint: EXPECTED,
  });
}
