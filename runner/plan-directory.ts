import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RestoreHooksError } from '../shared/core/errors.ts';
import { problemLine } from '../shared/core/model/problem.ts';
import { parsePayload } from '../shared/core/report/payload.ts';
import type { RunInput } from '../shared/core/report/run-input.ts';
import { parseRunInput } from '../shared/core/report/run-input.ts';
import { decompress } from '../shared/kubernetes/run/compressed-parts.ts';

/** Read the plan that the launcher has mounted: its pieces in the order of their names. */
export function readPlanDirectory(directory: string): RunInput {
  let pieces: Buffer[];
  try {
    // Kubernetes keeps files of its own in a mounted Secret, with names that begin with two dots.
    const names = readdirSync(directory).filter((name) => !name.startsWith('.'));
    pieces = names.sort().map((name) => readFileSync(join(directory, name)));
  } catch (error) {
    throw new RestoreHooksError('INVALID_INPUT', `the plan in ${directory} can't be read`, { cause: error });
  }
  const parsed = parsePayload(decompress(Buffer.concat(pieces), `the plan in ${directory}`));
  if (parsed.ok) return parseRunInput(parsed.value);
  const problems = parsed.problems.slice(0, 3).map(problemLine).join('; ');
  throw new RestoreHooksError('INVALID_INPUT', `the plan in ${directory} is not one of this version: ${problems}`, {
    hint: 'the image and the plugin that made the plan have to be of one version',
  });
}
