import * as z from 'zod/mini';
import { compileIncludesExcludes } from '../../core/model/includes-excludes.ts';
import type { Pod } from '../../core/model/pod.ts';
import type { Restore } from '../../core/model/restore.ts';
import { strings } from '../../core/model/schema.ts';
import type { Notice } from '../../core/plan/notice.ts';
import type { PlanRequest } from '../../core/plan/plan-run.ts';
import { otherPodsSelector, restoreSelector } from '../../core/plan/pods-of-restore.ts';
import { targetOf } from '../../core/plan/restored-pod.ts';
import { hasNoHookStatus, unreadableByVelero } from '../../core/plan/velero.ts';
import { kubeApiError } from '../api/api-error.ts';
import type { KubeClient } from '../api/client.ts';
import type { KubeObject } from '../api/kube-object.ts';
import { paths } from '../api/paths.ts';
import { deleteCommand, listPods } from './restores.ts';

type Client = Pick<KubeClient, 'get' | 'list' | 'listAll'>;

/** What a plan of live pods needs besides the Restore and its pods. What the caller may not read is left out. */
export async function aroundRestore(
  client: Client,
  { restore, namespace, selector, pods }: Pick<PlanRequest, 'restore' | 'namespace' | 'selector' | 'pods'>,
): Promise<Required<Pick<PlanRequest, 'others' | 'writesHookStatus' | 'notices'>>> {
  const isByLabel = selector.labelSelector === restoreSelector(restore.metadata.name);
  const [others, writesHookStatus, notices] = await Promise.all([
    isByLabel ? otherPods(client, restore, namespace, selector.namespaces, pods) : [],
    hasNoHookStatus(restore) ? knowsHookStatus(client, namespace) : true,
    whatStopsVelero(client, restore, namespace),
  ]);
  return { others, writesHookStatus, notices };
}

/** Restores that Velero can't read: while there is one, Velero works on no Restore of the namespace (R1.28). */
export async function whatStopsVelero(client: Client, { status }: Restore, namespace: string): Promise<Notice[]> {
  if (status?.phase) return [];
  return (await ifAllowed(() => unreadableRestores(client, namespace))) ?? [];
}

/** A notice for each Restore of the namespace that Velero can't read. */
export async function unreadableRestores(client: Pick<Client, 'list'>, namespace: string): Promise<Notice[]> {
  const notices: Notice[] = [];
  for await (const { items } of client.list(paths.restores(namespace))) {
    for (const object of items) {
      const [field] = unreadableByVelero(object);
      if (field !== undefined) notices.push(isStopped(nameOf(object), namespace, field));
    }
  }
  return notices;
}

const isStopped = (name: string, namespace: string, field: string): Notice => ({
  code: 'velero-is-stopped',
  message: `Velero can't read Restore ${name} (${field} is not a duration in Go's form), and works on no Restore until it is deleted: ${deleteCommand(name, namespace)}`,
});

/** Up to so many namespaces are listed one by one; for more of them the whole cluster is listed. */
const MOST_NAMESPACES = 8;

/**
 * The pods without the label, in the namespaces of the pods with it; if there are none, in those of the backup (R1.17).
 */
async function otherPods(
  client: Client,
  restore: Restore,
  namespace: string,
  limits: readonly string[] | undefined,
  pods: readonly Pod[],
): Promise<Pod[]> {
  const ofPods = new Set(pods.map(({ metadata }) => metadata.namespace));
  const wanted = ofPods.size > 0 ? ofPods : new Set(await namespacesOfBackup(client, restore, namespace));
  const places = [...wanted].filter((each) => limits === undefined || limits.includes(each));
  if (places.length === 0) return [];
  const asked = places.length > MOST_NAMESPACES && limits === undefined ? undefined : places;
  const selector = otherPodsSelector(restore.metadata.name);
  const found = await ifAllowed(() => listPods(client, selector, asked));
  return (found?.pods ?? []).filter(({ metadata }) => wanted.has(metadata.namespace));
}

const Backup = z.object({ spec: z.nullish(z.object({ includedNamespaces: strings })) });

/** The namespaces that the backup's pods are restored to, as far as the backup or the Restore names them. */
async function namespacesOfBackup(client: Client, { spec }: Restore, namespace: string): Promise<string[]> {
  const { backupName, includedNamespaces, excludedNamespaces } = spec;
  const object = backupName ? await ifAllowed(() => client.get(paths.backups(namespace, backupName))) : undefined;
  const backup = Backup.safeParse(object);
  const named = [...((backup.success && backup.data.spec?.includedNamespaces) || []), ...includedNamespaces];
  const { admits } = compileIncludesExcludes(includedNamespaces, excludedNamespaces);
  return named.filter((each) => !/[*?[\]{}]/.test(each) && admits(each)).map((each) => targetOf(spec, each));
}

/**
 * Whether this namespace's Velero writes `hookStatus` (R1.25): another Restore has it, or, as the first Restore has no
 * other beside it, the cluster's schema of Restores has it.
 */
export async function knowsHookStatus(client: Client, namespace: string): Promise<boolean> {
  const isWritten = await ifAllowed(async () => {
    for await (const { items } of client.list(paths.restores(namespace))) if (items.some(hasHookStatus)) return true;
    return false;
  });
  if (isWritten !== false) return true;
  const schema = await ifAllowed(() => client.get('/openapi/v3/apis/velero.io/v1'));
  return schema !== undefined && JSON.stringify(schema).includes('"hookStatus"');
}

const hasHookStatus = ({ status }: KubeObject): boolean =>
  ((status as { hookStatus?: unknown } | undefined)?.hookStatus ?? null) !== null;

const nameOf = ({ metadata }: KubeObject): string => (metadata as { name: string }).name;

/** The answer; undefined if the request is forbidden, or what it asks for doesn't exist. */
async function ifAllowed<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    const status = kubeApiError(error)?.status;
    if (status === 403 || status === 404) return undefined;
    throw error;
  }
}
