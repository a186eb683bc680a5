import { RestoreHooksError } from '../../core/errors.ts';
import { isOfRestore } from '../../core/manifests/run-objects.ts';
import type { RestoreReference } from '../../core/plan/plan-document.ts';
import type { KubeClient } from '../api/client.ts';
import type { KubeObject } from '../api/kube-object.ts';

export type RunsClient = Pick<KubeClient, 'get' | 'listAll'>;

/** An object that a Restore owns. */
export interface Own {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: string;
  readonly object: KubeObject;
}

/** Undefined: the caller may not list them. */
export async function listOwn(
  client: RunsClient,
  path: string,
  reference: RestoreReference,
  query: { readonly labelSelector: string; readonly fieldSelector?: string },
): Promise<Own[] | undefined> {
  const listed = await unlessForbidden(client.listAll(path, query), undefined);
  return listed?.items.flatMap((object) => ownObject(object, reference) ?? []);
}

export async function getOwn(client: RunsClient, path: string, reference: RestoreReference): Promise<Own | undefined> {
  try {
    return ownObject(await client.get(path), reference);
  } catch (error) {
    if (error instanceof RestoreHooksError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

function ownObject(object: KubeObject, reference: RestoreReference): Own | undefined {
  const metadata = (object['metadata'] ?? {}) as {
    name?: string;
    labels?: Record<string, string>;
    creationTimestamp?: string;
    ownerReferences?: { uid?: string }[];
  };
  if (!isOfRestore(metadata, reference)) return undefined;
  const { name = '', labels, creationTimestamp } = metadata;
  return { name, labels: labels ?? {}, createdAt: creationTimestamp ?? '', object };
}

export async function unlessForbidden<T, Otherwise>(asked: Promise<T>, otherwise: Otherwise): Promise<T | Otherwise> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof RestoreHooksError && error.code === 'FORBIDDEN') return otherwise;
    throw error;
  }
}
