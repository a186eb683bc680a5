import { quotaStatus } from './admission.ts';
import type { Api } from './api.ts';
import { ownersOf } from './api.ts';
import type { KubeObject } from './objects.ts';
import { configMaps, namespaces, resourceQuotas, serviceAccounts } from './resources.ts';
import { ApiError } from './status.ts';
import type { Change, Store } from './store.ts';

/** Controllers: garbage collection, new and deleted namespaces, the status of quotas. */
export function collectGarbage(store: Store, api: Api): () => void {
  const deleteQuietly = (change: Pick<Change, 'of' | 'object'>): void => {
    const { name, namespace, uid = '' } = change.object.metadata;
    try {
      api.delete(change.of, namespace, name, { preconditions: { uid }, propagationPolicy: 'Background' });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  };
  const isOrphan = ({ object }: Pick<Change, 'object'>): boolean =>
    ownersOf(object).length > 0 &&
    ownersOf(object).every((owner) => {
      const found = store.findByUid(owner.uid)?.object;
      return (
        found?.metadata.name !== owner.name ||
        (found.metadata.namespace ?? object.metadata.namespace) !== object.metadata.namespace
      );
    });

  /** Dependents of an owner that is deleted with policy Orphan lose their reference to it. */
  const orphanDependents = (owner: KubeObject): void => {
    for (const { of, object } of store.all()) {
      const left = ownersOf(object).filter((each) => each.uid !== owner.metadata.uid);
      if (left.length === ownersOf(object).length) continue;
      const { ownerReferences: _, ...metadata } = object.metadata;
      store.put(of, { ...object, metadata: { ...metadata, ...(left.length === 0 ? {} : { ownerReferences: left }) } });
    }
  };
  const dependentsOf = ({ metadata: { uid } }: KubeObject) =>
    store.all().filter((each) => ownersOf(each.object).some((owner) => owner.uid === uid));
  /** Carry out the API server's own finalizers. */
  const finalize = ({ of, object }: Pick<Change, 'of' | 'object'>): void => {
    const { name, namespace, uid, finalizers = [] } = object.metadata;
    const dependents = dependentsOf(object);
    if (finalizers.includes('foregroundDeletion') && dependents.length > 0) {
      for (const each of dependents) if (each.object.metadata.deletionTimestamp === undefined) deleteQuietly(each);
      return;
    }
    if (finalizers.includes('orphan')) orphanDependents(object);
    const left = finalizers.filter((each) => each !== 'orphan' && each !== 'foregroundDeletion');
    if (left.length === finalizers.length || store.get(of, namespace, name)?.metadata.uid !== uid) return;
    api.update(of, namespace, name, (current) => ({ ...current, metadata: { ...current.metadata, finalizers: left } }));
  };
  /** Empty a namespace that is being deleted; it goes when nothing is left in it. */
  const empty = (name: string): void => {
    const object = store.get(namespaces, undefined, name);
    if (object?.metadata.deletionTimestamp === undefined) return;
    const content = store.all().filter((each) => each.object.metadata.namespace === name);
    for (const each of content) if (each.object.metadata.deletionTimestamp === undefined) deleteQuietly(each);
    if (!store.all().some((each) => each.object.metadata.namespace === name)) store.remove(namespaces, object);
  };

  return store.subscribe((change) => {
    const { of, type, object } = change;
    if (of === namespaces && type === 'ADDED') {
      api.create(serviceAccounts, object.metadata.name, { metadata: { name: 'default' } });
      api.create(configMaps, object.metadata.name, { metadata: { name: 'kube-root-ca.crt' }, data: { 'ca.crt': '' } });
      return;
    }
    if (of === resourceQuotas && type === 'ADDED') {
      api.setStatus(of, object, quotaStatus(store, object));
      return;
    }
    setImmediate(() => {
      if (of === namespaces && type === 'MODIFIED') empty(object.metadata.name);
      else if (type === 'DELETED') {
        for (const each of dependentsOf(object).filter(isOrphan)) deleteQuietly(each);
        for (const owner of ownersOf(object)) {
          const found = store.findByUid(owner.uid);
          if (found?.object.metadata.deletionTimestamp !== undefined) finalize(found);
        }
        if (object.metadata.namespace !== undefined) empty(object.metadata.namespace);
      } else if (object.metadata.deletionTimestamp !== undefined) finalize(change);
      else if (isOrphan(change)) deleteQuietly(change);
    });
  });
}
