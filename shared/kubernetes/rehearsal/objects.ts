import * as z from 'zod';
import { RestoreHooksError } from '../../core/errors.ts';
import { busyPhase } from '../../core/plan/velero.ts';
import type { RehearsalManifest } from '../../core/rehearsal/manifests.ts';
import type { Mapping } from '../../core/rehearsal/rehearsal.ts';
import { REHEARSAL_LABEL, REHEARSAL_MAKER, REHEARSAL_VELERO, targetEnd } from '../../core/rehearsal/rehearsal.ts';
import type { Clock } from '../../ports/ports.ts';
import { kubeApiError } from '../api/api-error.ts';
import type { KubeClient } from '../api/client.ts';
import type { KubeObject } from '../api/kube-object.ts';
import { paths } from '../api/paths.ts';
import { pause } from '../api/pause.ts';

const Condition = z.object({ type: z.string(), status: z.string(), message: z.string().nullish() });
const Labelled = z.object({
  metadata: z.object({
    name: z.string(),
    uid: z.string(),
    resourceVersion: z.string(),
    creationTimestamp: z.string(),
    deletionTimestamp: z.string().nullish(),
    labels: z.record(z.string(), z.string()).nullish(),
    annotations: z.record(z.string(), z.string()).nullish(),
  }),
  spec: z
    .object({ backupName: z.string().nullish(), namespaceMapping: z.record(z.string(), z.string()).nullish() })
    .nullish(),
  status: z.object({ phase: z.string().nullish(), conditions: z.array(Condition).nullish() }).nullish(),
});

/** An object with a rehearsal's label. */
export interface OfRehearsal {
  readonly id: string;
  /** Which process has created it. */
  readonly maker: string | undefined;
  readonly kind: 'Namespace' | 'Restore';
  /** Of a namespace: where its Restore is, if that is known. */
  readonly velero: string | undefined;
  readonly name: string;
  readonly path: string;
  readonly createdAt: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly isDeleting: boolean;
  /** Of a Restore: Velero is at work on it, and makes what is deleted anew. */
  readonly isBusy: boolean;
  readonly backup: string | undefined;
  /** Of a Restore: where Velero restores to. */
  readonly targets: readonly string[];
  /** What keeps a namespace from going. */
  readonly kept: readonly string[];
  readonly object: KubeObject;
}

type Reader = Pick<KubeClient, 'listAll'>;

/** What stands of one rehearsal, or of all of them. */
export async function findRehearsals(client: Reader, velero: string, id?: string): Promise<OfRehearsal[]> {
  const labelSelector = id === undefined ? REHEARSAL_LABEL : `${REHEARSAL_LABEL}=${id}`;
  const [namespaces, restores] = await Promise.all([
    client.listAll(paths.namespaces(), { labelSelector }),
    client.listAll(paths.restores(velero), { labelSelector }),
  ]);
  return [
    ...namespaces.items.flatMap((item) => parsed('Namespace', item, paths.namespaces)),
    ...restores.items.flatMap((item) => parsed('Restore', item, (name) => paths.restores(velero, name))),
  ];
}

function parsed(kind: OfRehearsal['kind'], object: KubeObject, pathOf: (name: string) => string): OfRehearsal[] {
  const read = Labelled.safeParse(object);
  if (!read.success) return [];
  const { metadata, spec, status } = read.data;
  const id = metadata.labels?.[REHEARSAL_LABEL];
  if (id === undefined) return [];
  const { name, uid, resourceVersion } = metadata;
  const kept = (status?.conditions ?? []).flatMap(({ status: is, message }) => (is === 'True' ? (message ?? []) : []));
  return [
    {
      id,
      maker: metadata.annotations?.[REHEARSAL_MAKER],
      kind,
      velero: metadata.annotations?.[REHEARSAL_VELERO],
      name,
      path: pathOf(name),
      uid,
      resourceVersion,
      createdAt: metadata.creationTimestamp,
      isDeleting: Boolean(metadata.deletionTimestamp),
      isBusy: kind === 'Restore' && busyPhase({ status: { phase: status?.phase } }) !== undefined,
      backup: spec?.backupName ?? undefined,
      targets: Object.values(spec?.namespaceMapping ?? {}),
      kept,
      object,
    },
  ];
}

/** Those of the namespaces that exist. */
export async function existing(client: Pick<KubeClient, 'get'>, names: Iterable<string>): Promise<string[]> {
  const found: string[] = [];
  for (const name of names) if ((await namespaceLabels(client, name)) !== undefined) found.push(name);
  return found;
}

const Labels = z.object({ metadata: z.object({ labels: z.record(z.string(), z.string()).nullish() }) });

/** Undefined: there is no such namespace. */
export async function namespaceLabels(
  client: Pick<KubeClient, 'get'>,
  name: string,
): Promise<Readonly<Record<string, string>> | undefined> {
  try {
    return Labels.safeParse(await client.get(paths.namespaces(name))).data?.metadata.labels ?? {};
  } catch (error) {
    if (error instanceof RestoreHooksError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

const COLLECTIONS: Readonly<Record<RehearsalManifest['kind'], (namespace?: string) => string>> = {
  Namespace: () => paths.namespaces(),
  NetworkPolicy: paths.networkPolicies,
  Restore: paths.restores,
};

export async function createOfRehearsal(
  client: Pick<KubeClient, 'create'>,
  manifest: RehearsalManifest,
): Promise<KubeObject> {
  const { kind, metadata } = manifest;
  try {
    return await client.create(COLLECTIONS[kind](metadata.namespace), manifest);
  } catch (error) {
    if (kubeApiError(error)?.reason !== 'AlreadyExists') throw error;
    throw alreadyThere(`${kind} ${metadata.name}`, error);
  }
}

/** R7.102 */
export const alreadyThere = (what: string, cause?: unknown): RestoreHooksError =>
  new RestoreHooksError('INVALID_ARGUMENT', `${what} exists already, and a rehearsal uses only what it has created`, {
    hint: 'give another --id, or none; kubectl restorehooks rehearse --cleanup lists the rehearsals that stand',
    cause,
  });

export interface Removal {
  readonly velero: string;
  readonly id: string;
  /** Remove only what this process has created. */
  readonly maker?: string;
  readonly mapping?: Mapping;
  readonly limitMs: number;
  /** Once it is aborted, everything that can go is asked to, and nothing is waited for. */
  readonly hurry: AbortSignal;
  readonly tell: (line: string) => void;
}

const LOOK_EVERY_MS = 1_000;

/**
 * Remove all that has the label and the id. Returns what is left, a line each. An object is deleted only as it was listed,
 * with its label: the UID and the version are preconditions (R7.108). While Velero is at work on the Restore, it makes
 * anew what is deleted, without label and policy, and a Restore that is deleted meanwhile can hold up all others for
 * minutes; so all wait for that, and stay if it takes too long.
 */
export async function removeRehearsal(
  client: Pick<KubeClient, 'listAll' | 'delete'>,
  clock: Clock,
  { velero, id, maker, mapping = new Map(), limitMs, hurry, tell }: Removal,
): Promise<string[]> {
  const since = clock.now();
  const targets = new Set(mapping.values());
  const standing = async (): Promise<OfRehearsal[]> =>
    (await findRehearsals(client, velero, id)).filter((object) => maker === undefined || object.maker === maker);
  let wasHeldUp = false;
  for (;;) {
    const isLast = hurry.aborted || clock.now() - since >= limitMs;
    const found = await patiently(standing, isLast);
    if (found !== undefined) {
      for (const { kind, name, targets: its } of found)
        for (const target of kind === 'Namespace' ? [name] : its) targets.add(target);
      if (found.length === 0) return [...(await foreignOf(client, targets, id)), ...(await volumesOf(client, targets))];
      const isHeldUp = found.some(({ isBusy }) => isBusy);
      if (isHeldUp && !wasHeldUp)
        tell('waiting until Velero is done with the Restore, as it makes anew what is deleted');
      wasHeldUp = isHeldUp;
      const doomed = found.filter(({ isDeleting }) => !isDeleting && !isHeldUp);
      const ask = async (kind: OfRehearsal['kind']): Promise<boolean> => {
        const some = doomed.filter((object) => object.kind === kind);
        const asked = some.map((object) => patiently(() => deleteAsListed(client, object), isLast));
        return (await Promise.all(asked)).every((isGone) => isGone === true);
      };
      // Velero may have begun the Restore since it was listed; then its namespaces stay, too.
      if (await ask('Restore')) await ask('Namespace');
      if (isLast) return [...leftOf(await standing(), velero), ...(await foreignOf(client, targets, id))];
    }
    await pause(clock, LOOK_EVERY_MS, hurry);
  }
}

/** Undefined: the API server could not be reached, and is asked again. */
async function patiently<T>(work: () => Promise<T>, isLast: boolean): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!isLast && error instanceof RestoreHooksError && error.code === 'CLUSTER_UNREACHABLE') return undefined;
    throw error;
  }
}

/** False: it has changed since. */
async function deleteAsListed(
  client: Pick<KubeClient, 'delete'>,
  { path, uid, resourceVersion }: OfRehearsal,
): Promise<boolean> {
  try {
    await client.delete(path, { uid, resourceVersion, propagationPolicy: 'Background' });
    return true;
  } catch (error) {
    // It is gone, or has changed: the next look lists it again, if it still has the label.
    if (!(error instanceof RestoreHooksError) || !['NOT_FOUND', 'WRITE_CONFLICT'].includes(error.code)) throw error;
    return error.code === 'NOT_FOUND';
  }
}

function leftOf(standing: readonly OfRehearsal[], velero: string): string[] {
  const isHeldUp = standing.some(({ isBusy }) => isBusy);
  return standing.map(({ kind, name, isDeleting, kept }) => {
    if (isHeldUp && !isDeleting) {
      return kind === 'Restore'
        ? `Restore ${velero}/${name} stays until Velero is done with it: is its server running?`
        : `Namespace ${name} stays until Velero is done with the Restore, which would make it anew`;
    }
    const waits = kind === 'Restore' ? ['Velero has to let it go: is its server running?'] : kept;
    const why = isDeleting && waits.length > 0 ? ` (${waits.join('; ')})` : '';
    return `${kind} ${kind === 'Restore' ? `${velero}/` : ''}${name}${isDeleting ? ' is still going' : ''}${why}`;
  });
}

const Named = z.object({
  metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).nullish() }),
});

/**
 * Namespaces of the rehearsal's names that lack the label: Velero has made them, or somebody has taken it off. Nothing here
 * deletes them.
 */
async function foreignOf(client: Reader, targets: ReadonlySet<string>, id: string): Promise<string[]> {
  const { items } = await client.listAll(paths.namespaces());
  return items.flatMap((item) => {
    const { name, labels } = Named.parse(item).metadata;
    const isOfItsName = targets.has(name) || name.endsWith(targetEnd(id));
    if (!isOfItsName || labels?.[REHEARSAL_LABEL] === id) return [];
    return [`Namespace ${name} lacks our label: look whose it is, then kubectl delete namespace ${name}`];
  });
}

const Volume = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    persistentVolumeReclaimPolicy: z.string().nullish(),
    claimRef: z.object({ namespace: z.string().nullish() }).nullish(),
  }),
});

/** Volumes that were claimed in the rehearsal's namespaces and outlive them (R7.110). */
async function volumesOf(client: Reader, targets: ReadonlySet<string>): Promise<string[]> {
  if (targets.size === 0) return [];
  const { items } = await client.listAll(paths.persistentVolumes()).catch((error: unknown) => {
    // It takes a right that only this needs.
    if (error instanceof RestoreHooksError && error.code === 'FORBIDDEN') return { items: [] };
    throw error;
  });
  return items.flatMap((item) => {
    const { metadata, spec } = Volume.parse(item);
    const isKept = spec.persistentVolumeReclaimPolicy === 'Retain' && targets.has(spec.claimRef?.namespace ?? '');
    if (!isKept) return [];
    const { name } = metadata;
    return [
      `PersistentVolume ${name} is kept by its reclaim policy: look, then kubectl delete persistentvolume ${name}`,
    ];
  });
}
