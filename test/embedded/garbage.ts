import { quotaStatus } from './admission.ts';
import type { Api } from './api.ts';
import { ownersOf } from './api.ts';
import type { KubeObject } from './objects.ts';
import { configMaps, namespaces, resourceQuotas, serviceAccounts } from './resources.ts';
import { ApiError } from './status.ts';
import type { Change, Store } from './store.ts';

/** Starts the controllers: garbage collection, new and deleted namespaces, the status of quotas. Returns how to stop them. */
export function collectGarbage(store: Store, api: Api): () => void {
  const collector = new Collector(store, api);
  return store.subscribe((change) => {
    const { of, type, object } = change;
    if (of === namespaces && type === 'ADDED') {
      api.create(serviceAccounts, object.metadata.name, { metadata: { name: 'default' } });
      api.create(configMaps, object.metadata.name, { metadata: { name: 'kube-root-ca.crt' }, data: { 'ca.crt': '' } });
    } else if (of === resourceQuotas && type === 'ADDED') api.setStatus(of, object, quotaStatus(store, object));
    else setImmediate(() => collector.follow(change));
  });
}

class Collector {
  readonly #store: Store;
  readonly #api: Api;

  constructor(store: Store, api: Api) {
    this.#store = store;
    this.#api = api;
  }

  follow(change: Change): void {
    const { of, type, object } = change;
    if (of === namespaces && type === 'MODIFIED') this.#empty(object.metadata.name);
    else if (type === 'DELETED') this.#followDeleted(object);
    else if (object.metadata.deletionTimestamp !== undefined) this.#finalize(change);
    else if (this.#isOrphan(change)) this.#deleteQuietly(change);
  }

  #followDeleted(object: KubeObject): void {
    for (const each of this.#dependentsOf(object)) if (this.#isOrphan(each)) this.#deleteQuietly(each);
    for (const owner of ownersOf(object)) {
      const found = this.#store.findByUid(owner.uid);
      if (found?.object.metadata.deletionTimestamp !== undefined) this.#finalize(found);
    }
    if (object.metadata.namespace !== undefined) this.#empty(object.metadata.namespace);
  }

  #deleteQuietly({ of, object }: Pick<Change, 'of' | 'object'>): void {
    const { name, namespace, uid = '' } = object.metadata;
    try {
      this.#api.delete(of, namespace, name, { preconditions: { uid }, propagationPolicy: 'Background' });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
    }
  }

  #isOrphan({ object }: Pick<Change, 'object'>): boolean {
    const { namespace } = object.metadata;
    const isGone = ({ uid, name }: { readonly uid: string; readonly name: string }): boolean => {
      const found = this.#store.findByUid(uid)?.object.metadata;
      return found?.name !== name || (found.namespace ?? namespace) !== namespace;
    };
    return ownersOf(object).length > 0 && ownersOf(object).every(isGone);
  }

  /** Dependents of an owner that is deleted with policy Orphan lose their reference to it. */
  #orphanDependents(owner: KubeObject): void {
    for (const { of, object } of this.#store.all()) {
      const left = ownersOf(object).filter((each) => each.uid !== owner.metadata.uid);
      if (left.length === ownersOf(object).length) continue;
      const { ownerReferences: _, ...metadata } = object.metadata;
      const owned = left.length === 0 ? {} : { ownerReferences: left };
      this.#store.put(of, { ...object, metadata: { ...metadata, ...owned } });
    }
  }

  #dependentsOf({ metadata: { uid } }: KubeObject) {
    return this.#store.all().filter((each) => ownersOf(each.object).some((owner) => owner.uid === uid));
  }

  /** Carry out the API server's own finalizers. */
  #finalize({ of, object }: Pick<Change, 'of' | 'object'>): void {
    const { name, namespace, uid, finalizers = [] } = object.metadata;
    const dependents = this.#dependentsOf(object);
    if (finalizers.includes('foregroundDeletion') && dependents.length > 0) {
      for (const each of dependents)
        if (each.object.metadata.deletionTimestamp === undefined) this.#deleteQuietly(each);
      return;
    }
    if (finalizers.includes('orphan')) this.#orphanDependents(object);
    const left = finalizers.filter((each) => each !== 'orphan' && each !== 'foregroundDeletion');
    if (left.length === finalizers.length || this.#store.get(of, namespace, name)?.metadata.uid !== uid) return;
    const withLeft = (current: KubeObject) => ({ ...current, metadata: { ...current.metadata, finalizers: left } });
    this.#api.update(of, namespace, name, withLeft);
  }

  /** Empty a namespace that is being deleted; it goes when nothing is left in it. */
  #empty(name: string): void {
    const object = this.#store.get(namespaces, undefined, name);
    if (object?.metadata.deletionTimestamp === undefined) return;
    const content = () => this.#store.all().filter((each) => each.object.metadata.namespace === name);
    for (const each of content()) if (each.object.metadata.deletionTimestamp === undefined) this.#deleteQuietly(each);
    if (content().length === 0) this.#store.remove(namespaces, object);
  }
}
