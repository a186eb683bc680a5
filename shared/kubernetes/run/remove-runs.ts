import { RestoreHooksError } from '../../core/errors.ts';
import { isOfRestore, objectsNamespace } from '../../core/manifests/run-objects.ts';
import { RUN_ID_LABEL, runName, runsSelector } from '../../core/names.ts';
import type { RestoreReference } from '../../core/plan/plan-document.ts';
import type { KubeClient } from '../api/client.ts';
import { paths } from '../api/paths.ts';
import { sideBySide } from '../api/side-by-side.ts';

/**
 * Delete the objects of these runs (R6.1.7, R6.1.8): Jobs (and with them their pods and plans), Secrets and ConfigMaps.
 * Returns the number of objects.
 */
export async function removeRuns(
  client: Pick<KubeClient, 'get' | 'listAll' | 'delete'>,
  restore: RestoreReference,
  runIDs: readonly string[],
): Promise<number> {
  if (runIDs.length === 0) return 0;
  const { name } = restore;
  const namespace = objectsNamespace(restore);
  const wanted = new Set(runIDs);
  const labelSelector = runsSelector(name);
  const found = await Promise.all(
    [paths.configMaps, paths.secrets].map(async (path) => {
      const { items } = await client.listAll(path(namespace), { labelSelector });
      return items.flatMap(({ metadata }): string[] => {
        const { name: object, labels } = metadata as Metadata;
        return isOfRestore(metadata as Metadata, restore) && wanted.has(labels?.[RUN_ID_LABEL] ?? '')
          ? [path(namespace, object)]
          : [];
      });
    }),
  );
  const jobs = runIDs.map((runID) => paths.jobs(namespace, runName(name, runID)));
  const all = [...jobs, ...found.flat()];
  return (await sideBySide(all, (path) => isRemoved(client, path))).filter(Boolean).length;
}

interface Metadata {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly { readonly uid?: string }[];
}

/** Delete an object; false: it did not exist. */
export async function isRemoved(client: Pick<KubeClient, 'delete'>, path: string): Promise<boolean> {
  try {
    await client.delete(path, { propagationPolicy: 'Background' });
    return true;
  } catch (error) {
    if (error instanceof RestoreHooksError && error.code === 'NOT_FOUND') return false;
    throw error;
  }
}
