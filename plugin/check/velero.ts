import * as z from 'zod';
import { versionOfImage } from '../../shared/core/skew.ts';
import type { KubeClient } from '../../shared/kubernetes/api/client.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import { unreadableRestores } from '../../shared/kubernetes/velero/around-restore.ts';
import { isOfUnknownType, unknownType } from '../../shared/kubernetes/velero/restores.ts';
import type { Session } from '../command-line/session.ts';
import { count } from '../output/plan-view.ts';
import type { Found } from './checks.ts';
import { ok, problem, warning } from './checks.ts';

type Place = Pick<Session, 'client' | 'namespace'>;

const Deployment = z.object({
  metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).nullish() }),
  spec: z.object({
    replicas: z.int().nullish(),
    template: z.object({
      spec: z.object({ containers: z.array(z.object({ name: z.string(), image: z.string().nullish() })) }),
    }),
  }),
  status: z.object({ availableReplicas: z.int().nullish() }).nullish(),
});

/** Velero's server, by its Deployment: a ServerStatusRequest would say more, but has to be created. */
export async function veleroServer({ client, namespace }: Place): Promise<Found> {
  const { items } = await client.listAll(paths.deployments(namespace));
  const server = items
    .flatMap((item) => Deployment.safeParse(item).data ?? [])
    .find(({ metadata: { name, labels } }) => name === 'velero' || labels?.['app.kubernetes.io/name'] === 'velero');
  const look = `look at it: kubectl get deployments,pods -n ${namespace}`;
  if (server === undefined) {
    return warning(`there is no Deployment of Velero in namespace ${namespace}: nobody works on its Restores`, look);
  }
  const { containers } = server.spec.template.spec;
  const { image } = containers.find(({ name }) => name === 'velero') ?? containers[0] ?? {};
  const version = image ? versionOfImage(image) : undefined;
  const said = version === undefined ? `Velero of an unknown version (image ${image})` : `Velero ${version}`;
  if ((server.status?.availableReplicas ?? 0) > 0) return ok(`${said}, which is available`);
  const why = server.spec.replicas === 0 ? 'is scaled to 0' : 'has no pod that is available';
  return warning(`${said}: Deployment ${server.metadata.name} ${why}, so nobody works on its Restores`, look);
}

/** Restores that Velero's cache can't decode: one of them stops all (R1.28). `isDone`: Velero is done with the Restore. */
export async function veleroRestores({ client, namespace }: Place, isDone: boolean): Promise<Found> {
  const notices = await unreadableRestores(client, namespace).catch(async (error: unknown) => {
    throw (await lacks(client, 'restores', error)) ? unknownType('restores.velero.io', error) : error;
  });
  const [first] = notices;
  if (first === undefined) return ok('Velero can read every Restore of the namespace');
  const more = notices.length > 1 ? ` (and ${count(notices.length - 1, 'more')})` : '';
  // A run of a Restore that Velero is done with needs no Velero.
  return isDone ? warning(`${first.message}${more}`) : problem(`${first.message}${more}`);
}

const lacks = (client: Pick<KubeClient, 'get'>, resource: string, error: unknown): Promise<boolean> =>
  isOfUnknownType(client, error, 'velero.io', resource);

const Location = z.object({
  metadata: z.object({ name: z.string() }),
  status: z.object({ phase: z.string().nullish(), message: z.string().nullish() }).nullish(),
});

/** Where the backups are. A run needs it only for `--from-backup`. */
export async function backupStorage({ client, namespace }: Place): Promise<Found> {
  const path = paths.backupStorageLocations(namespace);
  const { items } = await client.listAll(path).catch(async (error: unknown) => {
    if (await lacks(client, 'backupstoragelocations', error)) return { items: [] };
    throw error;
  });
  const locations = items.flatMap((item) => Location.safeParse(item).data ?? []);
  const bad = locations.find(({ status }) => status?.phase !== 'Available');
  if (locations.length === 0) return warning('there is no BackupStorageLocation: Velero can restore nothing');
  if (bad === undefined) return ok(`${count(locations.length, 'BackupStorageLocation')} available`);
  const { name } = bad.metadata;
  const why = bad.status?.message ? `: ${bad.status.message}` : '';
  return warning(
    `BackupStorageLocation ${name} is ${bad.status?.phase || 'without a phase'}${why}; a run needs it only for --from-backup`,
    `look at it: kubectl describe backupstoragelocations.velero.io ${name} -n ${namespace}`,
  );
}
