import * as z from 'zod';
import { closest } from '../../core/closest.ts';
import { RestoreHooksError } from '../../core/errors.ts';
import { kubeApiError } from '../api/api-error.ts';
import type { KubeClient } from '../api/client.ts';
import { paths } from '../api/paths.ts';
import { isOfUnknownType } from './restores.ts';

const names = z.array(z.string()).nullish();
const Backup = z.object({
  metadata: z.object({ name: z.string().nullish(), deletionTimestamp: z.string().nullish() }).nullish(),
  spec: z
    .object({ storageLocation: z.string().nullish(), includedNamespaces: names, excludedNamespaces: names })
    .nullish(),
  status: z.object({ phase: z.string().nullish(), completionTimestamp: z.string().nullish() }).nullish(),
});
/** The fields of a Velero Backup that we read. */
export type Backup = z.infer<typeof Backup>;

export async function getBackup(client: Pick<KubeClient, 'get'>, namespace: string, name: string): Promise<Backup> {
  try {
    return Backup.parse(await client.get(paths.backups(namespace, name)));
  } catch (error) {
    if (!(error instanceof RestoreHooksError)) throw error;
    const isUnknown = await isOfUnknownType(client, error, 'velero.io', 'backups');
    if (error.code !== 'NOT_FOUND' && !isUnknown) throw error;
    const [message, hint] = isUnknown
      ? ["this cluster doesn't know backups.velero.io", "Velero isn't installed here; check --context"]
      : [
          `there is no Backup ${name} in namespace ${namespace}`,
          `list them: kubectl get backups.velero.io -n ${namespace}`,
        ];
    throw new RestoreHooksError('NOT_FOUND', message, { hint, cause: error });
  }
}

const SCHEDULE_LABEL = 'velero.io/schedule-name';

/** Whether what the Backup holds can be restored. */
export const isRestorable = ({ metadata, status }: Backup): boolean =>
  !metadata?.deletionTimestamp && (status?.phase === 'Completed' || status?.phase === 'PartiallyFailed');

/** The name of the last Backup of a Schedule that can be restored (R7.101). */
export async function lastBackupOf(
  client: Pick<KubeClient, 'listAll'>,
  namespace: string,
  schedule: string,
): Promise<string> {
  const { items } = await client.listAll(paths.backups(namespace), { labelSelector: `${SCHEDULE_LABEL}=${schedule}` });
  const last = items
    .flatMap((item) => Backup.safeParse(item).data ?? [])
    .filter(isRestorable)
    .sort((one, other) => time(other).localeCompare(time(one)))[0]?.metadata?.name;
  if (last) return last;
  const which = items.length === 0 ? 'no Backup' : `no Backup that has completed (of ${items.length})`;
  throw new RestoreHooksError('NOT_FOUND', `Schedule ${schedule} has ${which} in namespace ${namespace}`, {
    hint: `list them: kubectl get schedules.velero.io,backups.velero.io -n ${namespace}`,
  });
}

const time = ({ status }: Backup): string => status?.completionTimestamp ?? '';

/** An error about a Backup that isn't there, with the name that was probably meant. */
export async function withSimilarBackup(
  client: Pick<KubeClient, 'listAll'>,
  namespace: string,
  name: string,
  error: unknown,
): Promise<unknown> {
  if (!(error instanceof RestoreHooksError) || kubeApiError(error.cause)?.status !== 404) return error;
  const { items } = await client.listAll(paths.backups(namespace)).catch(() => ({ items: [] }));
  const near = closest(
    name,
    items.flatMap((item) => Backup.safeParse(item).data?.metadata?.name ?? []),
  );
  return near === undefined
    ? error
    : new RestoreHooksError(error.code, error.message, { hint: `did you mean ${near}?`, cause: error.cause });
}
