import { load, YAMLException } from 'js-yaml';
import * as z from 'zod';
import { RestoreHooksError } from '../../core/errors.ts';
import type { Defaults } from '../../core/manifests/defaults.ts';
import { DEFAULTS_SOURCE, defaultsOf } from '../../core/manifests/defaults.ts';
import { DEFAULTS_KEY, DEFAULTS_NAME } from '../../core/names.ts';
import type { KubeClient } from '../api/client.ts';
import { paths } from '../api/paths.ts';

const ConfigMap = z.object({ data: z.record(z.string(), z.string()).nullish() });

/**
 * The defaults of the Restores' namespace; undefined if it has none. Throws `INVALID_INPUT` if they can't be used
 * (R8.24): a run without its mirror, or without its tolerations, would fail later and say less.
 */
export async function readDefaults(client: Pick<KubeClient, 'get'>, namespace: string): Promise<Defaults | undefined> {
  let object: unknown;
  try {
    object = await client.get(paths.configMaps(namespace, DEFAULTS_NAME));
  } catch (error) {
    if (error instanceof RestoreHooksError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
  const where = `${DEFAULTS_SOURCE} in namespace ${namespace}`;
  const text = ConfigMap.safeParse(object).data?.data?.[DEFAULTS_KEY];
  const correct = `correct it: kubectl edit configmap ${DEFAULTS_NAME} -n ${namespace}; or delete it`;
  if (text === undefined)
    throw new RestoreHooksError('INVALID_INPUT', `${where} has no key ${DEFAULTS_KEY}`, { hint: correct });
  try {
    return defaultsOf(yaml(text), DEFAULTS_SOURCE);
  } catch (error) {
    if (!(error instanceof RestoreHooksError)) throw error;
    throw new RestoreHooksError(error.code, error.message.replace(DEFAULTS_SOURCE, `${where}, ${DEFAULTS_KEY}`), {
      hint: correct,
    });
  }
}

function yaml(text: string): unknown {
  try {
    return load(text);
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const line = (error.mark?.line ?? 0) + 1;
    throw new RestoreHooksError('INVALID_INPUT', `${DEFAULTS_SOURCE}: line ${line}: ${error.reason}`);
  }
}
