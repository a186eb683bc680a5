import type { Api } from './api.ts';
import { ownersOf } from './api.ts';
import { namespaces, serviceAccounts } from './resources.ts';
import { ApiError } from './status.ts';
import type { Change, Store } from './store.ts';

/** Deletes what has lost its owners, empties namespaces that are deleted, and gives new ones their `default` ServiceAccount. */
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
        found === undefined || (found.metadata.namespace ?? object.metadata.namespace) !== object.metadata.namespace
      );
    });

  return store.subscribe((change) => {
    const { of, type, object } = change;
    if (of === namespaces && type === 'ADDED') {
      api.create(serviceAccounts, object.metadata.name, { metadata: { name: 'default' } });
      return;
    }
    setImmediate(() => {
      if (of === namespaces && type === 'DELETED') {
        for (const each of store.all())
          if (each.object.metadata.namespace === object.metadata.name) deleteQuietly(each);
      } else if (type === 'DELETED') {
        const { uid } = object.metadata;
        const dependents = store.all().filter((each) => ownersOf(each.object).some((owner) => owner.uid === uid));
        for (const each of dependents.filter(isOrphan)) deleteQuietly(each);
      } else if (type === 'ADDED' && isOrphan(change)) deleteQuietly(change);
    });
  });
}
