import * as z from 'zod';
import { RESTORE_NAMESPACE_LABEL, RESTORE_UID_LABEL } from '../../core/names.ts';
import type { KubeClient } from '../api/client.ts';
import { paths } from '../api/paths.ts';
import { sideBySide } from '../api/side-by-side.ts';
import { isRemoved } from './remove-runs.ts';

const Named = z.object({
  metadata: z.object({
    name: z.string(),
    uid: z.string().nullish(),
    labels: z.record(z.string(), z.string()).nullish(),
  }),
});

/** What of a run may stand in a namespace of its own. Jobs first: what they own goes with them. */
const KINDS = [paths.jobs, paths.secrets, paths.configMaps, paths.leases];

export interface LeftBehind {
  /** Of a Restore that is gone. */
  readonly uid: string;
  /** Of the objects of its runs. */
  readonly paths: readonly string[];
}

/**
 * What the runs of deleted Restores have left in a namespace of runs, where no garbage collector can see that their
 * Restore is gone (R8.82). `restores`: the namespace of the Restores; another one's Restores are not looked at.
 */
export async function leftBehind(
  client: Pick<KubeClient, 'listAll'>,
  restores: string,
  runNamespace: string,
): Promise<LeftBehind[]> {
  const labelSelector = `app.kubernetes.io/name=restorehooks,${RESTORE_NAMESPACE_LABEL}=${restores},${RESTORE_UID_LABEL}`;
  const lists = await sideBySide(KINDS, async (path) => {
    const { items } = await client.listAll(path(runNamespace), { labelSelector });
    return items.flatMap((item) => {
      const { name, labels } = Named.parse(item).metadata;
      const uid = labels?.[RESTORE_UID_LABEL];
      return uid ? [{ uid, path: path(runNamespace, name) }] : [];
    });
  });
  const objects = lists.flat();
  if (objects.length === 0) return [];
  // Listed after the objects, so that a Restore whose runs have just begun is among them.
  const { items } = await client.listAll(paths.restores(restores));
  const standing = new Set(items.map((item) => Named.parse(item).metadata.uid));
  const gone = Map.groupBy(
    objects.filter(({ uid }) => !standing.has(uid)),
    ({ uid }) => uid,
  );
  return [...gone].map(([uid, left]) => ({ uid, paths: left.map(({ path }) => path) }));
}

/** Remove it. Returns the number of objects. */
export async function removeLeftBehind(
  client: Pick<KubeClient, 'delete'>,
  left: readonly LeftBehind[],
): Promise<number> {
  let removed = 0;
  for (const { paths: some } of left) {
    removed += (await sideBySide(some, (path) => isRemoved(client, path))).filter(Boolean).length;
  }
  return removed;
}
