import * as z from 'zod';
import { RestoreHooksError } from '../../core/errors.ts';
import type { Held } from '../../core/rehearsal/rehearsal.ts';
import { sanitizeLine } from '../../core/sanitize.ts';
import type { KubeClient } from '../api/client.ts';
import type { DownloadOptions, VeleroFile } from './backup-contents.ts';
import { jsonOf, veleroFile } from './backup-contents.ts';
import type { Backup } from './backups.ts';

type Client = Pick<KubeClient, 'get' | 'create'>;

/** By API version and kind, such as `v1/Pod`: `NAMESPACE/NAME`, or a name alone. */
const ResourceList = z.record(z.string(), z.array(z.string()).nullable());

/**
 * The namespaces that a Backup holds, each with its number of pods, from Velero's own list (R7.101). `unread` is what stands
 * for it if Velero answers, but its object store can't be reached from here.
 */
export async function heldBy(
  client: Client,
  namespace: string,
  name: string,
  backup: Backup,
  options: DownloadOptions,
  unread: (error: RestoreHooksError) => Held | undefined,
): Promise<Held> {
  const file = { kind: 'BackupResourceList', name } as const;
  const bytes = await veleroFile(client, namespace, file, backup.spec?.storageLocation, options);
  try {
    return heldOf(await jsonOf(bytes, file), name);
  } catch (error) {
    const isOutOfReach = error instanceof RestoreHooksError && error.code === 'CLUSTER_UNREACHABLE';
    const instead = isOutOfReach ? unread(error) : undefined;
    if (instead === undefined) throw error;
    return instead;
  }
}

function heldOf(json: unknown, name: string): Held {
  const list = ResourceList.safeParse(json);
  if (!list.success) {
    throw new RestoreHooksError('INVALID_INPUT', `Velero's list of what Backup ${name} holds has another form`, {
      hint: 'is this Velero much newer than this plugin? see: kubectl restorehooks version',
    });
  }
  const held = new Map<string, number>();
  for (const [kind, items] of Object.entries(list.data)) {
    for (const item of items ?? []) {
      const [place, ofIt] = item.split('/');
      if (place === undefined || ofIt === undefined) continue;
      held.set(place, (held.get(place) ?? 0) + (kind === 'v1/Pod' ? 1 : 0));
    }
  }
  return held;
}

/** What Velero's own list says of a volume. */
const VolumeInfos = z.array(
  z.object({
    pvName: z.string().nullish(),
    pvcName: z.string().nullish(),
    pvcNamespace: z.string().nullish(),
    backupMethod: z.string().nullish(),
    skipped: z.boolean().nullish(),
    pvInfo: z.object({ reclaimPolicy: z.string().nullish() }).nullish(),
  }),
);

/**
 * The volumes of namespaces that a Restore takes over as they are, with the storage of the originals: the Backup holds none
 * of their data, and their reclaim policy isn't `Delete` (R7.103). Undefined: that can't be read.
 */
export async function volumesAsTheyAre(
  client: Client,
  namespace: string,
  name: string,
  backup: Backup,
  namespaces: readonly string[],
  options: DownloadOptions,
): Promise<string[] | undefined> {
  const file = { kind: 'BackupVolumeInfos', name } as const;
  const infos = await readIfPossible(client, namespace, file, backup.spec?.storageLocation, options, VolumeInfos);
  return infos?.flatMap(({ pvName, pvcName, pvcNamespace, backupMethod, skipped, pvInfo }) => {
    const hasData = Boolean(backupMethod) && !skipped;
    if (!namespaces.includes(pvcNamespace ?? '') || hasData || pvInfo?.reclaimPolicy === 'Delete') return [];
    return [`${pvName ?? 'a volume'} of ${pvcNamespace}/${pvcName}`];
  });
}

/** A file of Velero's; undefined if it can't be read, or has another form. */
async function readIfPossible<T>(
  client: Client,
  namespace: string,
  file: VeleroFile,
  location: string | null | undefined,
  options: DownloadOptions,
  form: z.ZodType<T>,
): Promise<T | undefined> {
  try {
    return form.parse(await jsonOf(await veleroFile(client, namespace, file, location, options), file));
  } catch (error) {
    if (error instanceof RestoreHooksError || error instanceof z.ZodError) return undefined;
    throw error;
  }
}

const Messages = z.object({
  velero: z.array(z.string()).nullish(),
  cluster: z.array(z.string()).nullish(),
  namespaces: z.record(z.string(), z.array(z.string()).nullable()).nullish(),
});
const Results = z.object({ errors: Messages.nullish() });

/** Why Velero could not restore all of a Restore, a line each; empty if that can't be read. */
export async function restoreErrors(
  client: Client,
  namespace: string,
  name: string,
  location: string | null | undefined,
  options: DownloadOptions,
): Promise<string[]> {
  const file = { kind: 'RestoreResults', name } as const;
  // The errors are counted in the Restore, too. These words are only better.
  const { errors } = (await readIfPossible(client, namespace, file, location, options, Results)) ?? {};
  const ofNamespaces = Object.entries(errors?.namespaces ?? {}).flatMap(([place, messages]) =>
    (messages ?? []).map((message) => `${place}: ${message}`),
  );
  return [...(errors?.velero ?? []), ...(errors?.cluster ?? []), ...ofNamespaces].map(sanitizeLine);
}
