import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RestoreHooksError } from '../shared/core/errors.ts';
import { problemLine } from '../shared/core/model/problem.ts';
import { parsePayload, pluginVersionIn } from '../shared/core/report/payload.ts';
import type { RunInput } from '../shared/core/report/run-input.ts';
import { parseRunInput } from '../shared/core/report/run-input.ts';
import { olderOrNewer } from '../shared/core/skew.ts';
import { VERSION } from '../shared/core/version.ts';
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
  const payload = decompress(Buffer.concat(pieces), `the plan in ${directory}`);
  refuseOtherVersion(pluginVersionIn(payload));
  const parsed = parsePayload(payload);
  if (parsed.ok) return parseRunInput(parsed.value);
  const problems = parsed.problems.slice(0, 3).map(problemLine).join('; ');
  throw new RestoreHooksError('INVALID_INPUT', `the plan in ${directory} is not one of this version: ${problems}`, {
    hint: 'the image and the plugin that made the plan have to be of one version',
  });
}

/** A plan means what the plugin that made it means by it. So only a runner of the same version carries it out (R9.21). */
function refuseOtherVersion(plugin: string | undefined): void {
  if (plugin === undefined || plugin === VERSION) return;
  const message = `this runner is version ${VERSION}, ${olderOrNewer(VERSION, plugin)} than the plugin that made the plan (${plugin}); nothing is started`;
  throw new RestoreHooksError('INVALID_INPUT', message.replace('other than', 'another one than'), {
    hint: `use the image of the plugin's version: --image REGISTRY/runner:v${plugin}`,
  });
}
