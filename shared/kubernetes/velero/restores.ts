import * as z from 'zod';
import { RestoreHooksError } from '../../core/errors.ts';
import type { Pod } from '../../core/model/pod.ts';
import { Pod as PodModel } from '../../core/model/pod.ts';
import { problemLine } from '../../core/model/problem.ts';
import type { Restore } from '../../core/model/restore.ts';
import { parseRestore } from '../../core/model/restore.ts';
import type { Notice } from '../../core/plan/notice.ts';
import { unreadableByVelero } from '../../core/plan/velero.ts';
import { kubeApiError } from '../api/api-error.ts';
import type { KubeClient, Page } from '../api/client.ts';
import type { KubeObject } from '../api/kube-object.ts';
import { PODS_A_PAGE } from '../api/list-pages.ts';
import { paths } from '../api/paths.ts';
import { sideBySide } from '../api/side-by-side.ts';

/** Read one Restore. `RESTORE_NOT_FOUND`, or `INVALID_INPUT` naming every path that is wrong (R1.8). */
export async function getRestore(client: Pick<KubeClient, 'get'>, namespace: string, name: string): Promise<Restore> {
  return readRestore(await getRestoreObject(client, namespace, name), namespace, name);
}

/** A Restore's object, unchecked. Rejects with `RESTORE_NOT_FOUND`. */
export async function getRestoreObject(
  client: Pick<KubeClient, 'get'>,
  namespace: string,
  name: string,
): Promise<KubeObject> {
  try {
    return await client.get(paths.restores(namespace, name));
  } catch (error) {
    if (!(error instanceof RestoreHooksError)) throw error;
    if (error.code === 'NOT_FOUND') throw noSuchRestore(namespace, name, error);
    throw (await isOfUnknownType(client, error, 'velero.io', 'restores'))
      ? unknownType('restores.velero.io', error)
      : error;
  }
}

const Groups = z.object({ kind: z.literal('APIGroupList'), groups: z.array(z.object({ name: z.string() })) });
const Resources = z.object({ kind: z.literal('APIResourceList'), resources: z.array(z.object({ name: z.string() })) });

/** Whether a 404 that names no object means that the cluster has no such type. The types that it has are listed. */
export async function isOfUnknownType(
  client: Pick<KubeClient, 'get'>,
  error: unknown,
  group: string,
  resource: string,
): Promise<boolean> {
  if (kubeApiError(error)?.status !== 404) return false;
  const has = (all: readonly { readonly name: string }[] | undefined, wanted: string): boolean | undefined =>
    all?.some(({ name }) => name === wanted);
  try {
    const hasGroup = has(Groups.safeParse(await client.get('/apis')).data?.groups, group);
    if (hasGroup !== true) return hasGroup === false;
    return has(Resources.safeParse(await client.get(`/apis/${group}/v1`)).data?.resources, resource) === false;
  } catch (second) {
    if (second instanceof RestoreHooksError) return false;
    throw second;
  }
}

/** What an object says of a Restore; `INVALID_INPUT` names every path that is wrong (R1.8). */
export function readRestore(object: unknown, namespace: string, name: string): Restore {
  const parsed = parseRestore(object);
  if (parsed.ok) return parsed.value;
  throw new RestoreHooksError('INVALID_INPUT', `Restore ${name}: ${parsed.problems.map(problemLine).join('; ')}`, {
    hint: unreadableByVelero(object).length > 0 ? stopsVelero(name, namespace) : mend(name, namespace),
  });
}

const mend = (name: string, namespace: string): string =>
  `mend these fields: kubectl edit restores.velero.io ${name} -n ${namespace}`;
const stopsVelero = (name: string, namespace: string): string =>
  `Velero can't read it either, and works on no Restore of namespace ${namespace} until it is deleted: ${deleteCommand(name, namespace)}`;
/** The command that deletes a Restore which Velero can't read. */
export const deleteCommand = (name: string, namespace: string): string =>
  `kubectl delete restore.velero.io ${name} -n ${namespace}`;

/** The error for a cluster that lacks one of Velero's types. */
export const unknownType = (type: string, cause: unknown): RestoreHooksError =>
  new RestoreHooksError('RESTORE_NOT_FOUND', `this cluster doesn't know ${type}`, {
    hint: "Velero isn't installed here; check --context",
    cause,
  });

const noSuchRestore = (namespace: string, name: string, cause: unknown): RestoreHooksError =>
  new RestoreHooksError('RESTORE_NOT_FOUND', `there is no Restore ${name} in namespace ${namespace}`, {
    hint: `list them: kubectl get restores.velero.io -n ${namespace}`,
    cause,
  });

/** List the pods of a label selector, in all namespaces or in some. A pod that can't be read becomes a notice. */
export async function listPods(
  client: Pick<KubeClient, 'list'>,
  labelSelector: string,
  namespaces: readonly string[] | undefined,
): Promise<{ pods: Pod[]; notices: Notice[] }> {
  const at =
    namespaces === undefined ? [paths.pods()] : [...new Set(namespaces)].map((namespace) => paths.pods(namespace));
  const lists = await sideBySide(at, (path) => readPods(client.list(path, { labelSelector, limit: PODS_A_PAGE })));
  return { pods: lists.flatMap(({ pods }) => pods), notices: lists.flatMap(({ notices }) => notices) };
}

/** One pod's object, read by a list, for callers who may list but not get; undefined if it doesn't exist. */
export async function findPod(
  client: Pick<KubeClient, 'listAll'>,
  namespace: string,
  name: string,
): Promise<KubeObject | undefined> {
  const { items } = await client.listAll(paths.pods(namespace), { fieldSelector: `metadata.name=${name}` });
  return items[0];
}

/** The objects of the same pods, unchecked. */
export const listPodObjects = async (
  client: Pick<KubeClient, 'listAll'>,
  labelSelector: string,
): Promise<readonly KubeObject[]> => (await client.listAll(paths.pods(), { labelSelector })).items;

/** Keeps of each page only what a plan needs: 10,000 whole pods take over 100 MB. */
async function readPods(pages: AsyncIterable<Page>): Promise<{ pods: Pod[]; notices: Notice[] }> {
  let pods: Pod[] = [];
  let notices: Notice[] = [];
  for await (const { items, restarted } of pages) {
    if (restarted) {
      pods = [];
      notices = [];
    }
    for (const object of items) {
      const parsed = PodModel.safeParse(object);
      if (parsed.success) pods.push(parsed.data);
      else notices.push(unreadablePod(object)); // R1.7
    }
  }
  return { pods, notices };
}

function unreadablePod(object: unknown): Notice {
  const { name, namespace } = (object as { metadata?: Record<string, unknown> } | null)?.metadata ?? {};
  return {
    code: 'pod-unreadable',
    ...(typeof namespace === 'string' ? { namespace } : {}),
    ...(typeof name === 'string' ? { pod: name } : {}),
    message: 'this is not a valid pod; it is left out',
  };
}
