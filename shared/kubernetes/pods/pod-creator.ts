import { RestoreHooksError } from '../../core/errors.ts';
import type { PodLeft } from '../../core/execute/protocol.ts';
import { objectsNamespace, runMetadata } from '../../core/manifests/run-objects.ts';
import type { PodKey } from '../../core/model/hook.ts';
import { podKey } from '../../core/model/hook.ts';
import { runName } from '../../core/names.ts';
import type { RestoreReference } from '../../core/plan/plan-document.ts';
import type { PodToCreate } from '../../core/report/payload.ts';
import { pause } from '../../ports/pause.ts';
import type { Clock, PodCreation, PodCreator } from '../../ports/ports.ts';
import { kubeApiError } from '../api/api-error.ts';
import type { KubeClient } from '../api/client.ts';
import type { KubeObject } from '../api/kube-object.ts';
import { paths } from '../api/paths.ts';
import { rethrow } from '../api/rethrow.ts';
import { createOnce } from '../run/run-store.ts';

interface Api {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'delete'>;
  readonly clock: Clock;
}

/** How long a request without an answer is repeated, and how long a deleted pod may take to go. */
const PATIENCE_MS = 600_000;

/** Creates the pods of a run (R2.17, R2.18): new pods, and pods that replace one that has to be deleted first. */
export function kubernetesPodCreator(
  api: Api,
  restore: RestoreReference,
  runID: string,
  pods: readonly PodToCreate[],
): PodCreator {
  const wanted = new Map<PodKey, PodToCreate>(pods.map((pod) => [podKey(pod.namespace, pod.pod), pod]));
  return {
    create(key, answer) {
      const pod = wanted.get(key);
      if (pod === undefined) throw new Error(`no manifest of pod ${key} in this run`);
      const made = pod.replaces === undefined ? create(api, pod, 'as-before') : recreate(api, pod, keep);
      made.then(answer, rethrow);
    },
  };

  /** Keep the old pod's manifest in a Secret that the Restore owns, so that it is not lost whatever happens (R2.17). */
  async function keep({ namespace, pod, former }: PodToCreate): Promise<string> {
    const name = `${runName(restore.name, runID)}-pod-${[...wanted.keys()].indexOf(podKey(namespace, pod))}`;
    await patiently(api, () =>
      createOnce(api.client, paths.secrets(objectsNamespace(restore)), {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name, ...runMetadata(restore, runID) },
        type: 'restorehooks.io/pod',
        immutable: true,
        stringData: { 'pod.json': JSON.stringify(former) },
      }),
    );
    return name;
  }
}

async function create(api: Api, { namespace, pod, manifest }: PodToCreate, left: PodLeft): Promise<PodCreation> {
  try {
    return createdOf(await patiently(api, () => api.client.create(paths.pods(namespace), manifest)));
  } catch (error) {
    if (isExisting(error)) return existing(api, namespace, pod, manifest);
    return { created: false, message: `the pod could not be created: ${reasonOf(error)}`, left };
  }
}

/** A pod of that name exists: an earlier try or an earlier runner created it, or somebody else did (R2.18). */
async function existing(api: Api, namespace: string, pod: string, manifest: object): Promise<PodCreation> {
  try {
    // On this read a pod depends: also what is refused is asked again.
    const there = await patiently(
      api,
      () => api.client.get(paths.pods(namespace, pod)),
      (error) => !isGone(error),
    );
    if (initNames(manifest).every((name) => initNames(there).includes(name))) return createdOf(there);
  } catch (error) {
    if (!isGone(error)) {
      return { created: false, message: `it isn't known whose pod has this name: ${reasonOf(error)}`, left: 'another' };
    }
  }
  return { created: false, message: 'another pod of this name was created meanwhile', left: 'another' };
}

/**
 * Delete a pod and create it anew. Before a pod is deleted, a dry run shows that the API server would accept the new
 * pod (its last check is whether the name is taken), and the old pod's manifest is kept.
 */
async function recreate(api: Api, pod: PodToCreate, keep: (pod: PodToCreate) => Promise<string>): Promise<PodCreation> {
  const { namespace, pod: name, replaces, manifest, former } = pod;
  const path = paths.pods(namespace, name);
  let secret = 'none';
  try {
    const refusal = await refusalOf(api, namespace, manifest);
    if (refusal !== undefined && (await fateOf(api, path, replaces)) === 'stands') {
      return {
        created: false,
        message: `the pod would be refused, and is left as it is: ${refusal}`,
        left: 'as-before',
      };
    }
    secret = await keep(pod);
    await patiently(api, () => api.client.delete(path, { uid: replaces ?? '', propagationPolicy: 'Background' })); // R2.15
  } catch (error) {
    if (!isGone(error)) {
      const message = `the pod could not be deleted: ${reasonOf(error)}`;
      return { created: false, message, left: isConflict(error) ? 'another' : 'as-before' };
    }
  }
  if (!(await isGoneInTime(api, path, replaces))) {
    const message = `the pod was deleted, but is not known to be gone; its manifest is in Secret ${secret}`;
    return { created: false, message, left: 'another' };
  }
  const made = await create(api, pod, 'missing');
  if (made.created || made.left !== 'missing' || former === undefined) return made;
  const back = await create(api, { namespace, pod: name, manifest: former }, 'missing');
  const fate = back.created
    ? 'the old pod was created again'
    : `the old pod could not be created again; its manifest is in Secret ${secret}`;
  return { created: false, message: `${made.message}; ${fate}`, left: back.created ? 'another' : 'missing' };
}

/** Whether a pod still exists. A runner that died may already have deleted it. */
async function fateOf(api: Api, path: string, uid: string | undefined): Promise<'stands' | 'going' | 'gone'> {
  try {
    const { metadata } = (await patiently(api, () => api.client.get(path))) as {
      metadata?: { uid?: string; deletionTimestamp?: string };
    };
    if (metadata?.uid !== uid) return 'gone';
    return metadata?.deletionTimestamp === undefined ? 'stands' : 'going';
  } catch (error) {
    if (isGone(error)) return 'gone';
    throw error;
  }
}

/**
 * Why the API server would refuse the pod; undefined if it would accept it, apart from the name that is still taken.
 */
async function refusalOf(api: Api, namespace: string, manifest: object): Promise<string | undefined> {
  try {
    await patiently(api, () => api.client.create(paths.pods(namespace), manifest, { dryRun: true }));
    return undefined;
  } catch (error) {
    return isExisting(error) ? undefined : reasonOf(error);
  }
}

/** A pod may take its whole grace period. What can't be read now is read again: the pod would be lost otherwise. */
async function isGoneInTime(api: Api, path: string, uid: string | undefined): Promise<boolean> {
  let end = api.clock.now() + PATIENCE_MS;
  const begunAt = api.clock.now();
  for (let wait = 200; api.clock.now() < end; wait = Math.min(2 * wait, 2_000)) {
    try {
      const { metadata } = (await api.client.get(path)) as {
        metadata?: { uid?: string; deletionGracePeriodSeconds?: number };
      };
      if (metadata?.uid !== uid) return true;
      end = begunAt + PATIENCE_MS + 1000 * (metadata?.deletionGracePeriodSeconds ?? 0);
    } catch (error) {
      if (!(error instanceof RestoreHooksError)) throw error;
      if (isGone(error)) return true;
    }
    await pause(api.clock, wait);
  }
  return false;
}

/** Repeat a request until there is an answer. Each request here may be carried out twice without harm. */
async function patiently<Result>(
  { clock }: Api,
  ask: () => Promise<Result>,
  isWorthIt = (error: RestoreHooksError): boolean => error.code === 'CLUSTER_UNREACHABLE',
): Promise<Result> {
  const end = clock.now() + PATIENCE_MS;
  for (let wait = 250; ; wait = Math.min(2 * wait, 10_000)) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof RestoreHooksError) || !isWorthIt(error) || clock.now() > end) throw error;
    }
    await pause(clock, wait);
  }
}

function createdOf(object: KubeObject): PodCreation {
  const { uid } = (object['metadata'] ?? {}) as { uid?: string };
  return { created: true, uid: uid ?? '' };
}

const initNames = (pod: object): string[] =>
  ((pod as { spec?: { initContainers?: { name: string }[] } }).spec?.initContainers ?? []).map(({ name }) => name);

const isExisting = (error: unknown): boolean => kubeApiError(error)?.reason === 'AlreadyExists';
const isConflict = (error: unknown): boolean => error instanceof RestoreHooksError && error.code === 'WRITE_CONFLICT';
const isGone = (error: unknown): boolean => error instanceof RestoreHooksError && error.code === 'NOT_FOUND';

function reasonOf(error: unknown): string {
  if (error instanceof RestoreHooksError) return error.message;
  throw error;
}
