import type { KubeObject } from './objects.ts';
import type { Resource } from './resources.ts';

/** One write, as watches see it. Objects of the store are never changed in place. */
export interface Change {
  readonly version: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly of: Resource;
  readonly object: KubeObject;
  readonly previous: KubeObject | undefined;
}

/** Objects by resource and name under one growing version, and the changes that led there. */
export interface Store {
  version(): number;
  get(of: Resource, namespace: string | undefined, name: string): KubeObject | undefined;
  /** In the order of etcd's keys: by namespace, then name. */
  list(of: Resource, namespace?: string): KubeObject[];
  findByUid(uid: string): { of: Resource; object: KubeObject } | undefined;
  all(): { of: Resource; object: KubeObject }[];
  put(of: Resource, object: KubeObject): KubeObject;
  remove(of: Resource, object: KubeObject): KubeObject;
  /** Versions before this one are no longer known: a watch from there is 410. */
  oldest(): number;
  compact(): void;
  changesAfter(version: number): Change[];
  subscribe(listener: (change: Change) => void): () => void;
}

const keptChanges = 20_000;

export function createStore(): Store {
  const tables = new Map<Resource, Map<string, KubeObject>>();
  const listeners = new Set<(change: Change) => void>();
  let history: Change[] = [];
  let version = 100;
  let oldest = version;

  const tableOf = (of: Resource): Map<string, KubeObject> => {
    const table = tables.get(of) ?? new Map<string, KubeObject>();
    tables.set(of, table);
    return table;
  };
  const keyOf = (namespace: string | undefined, name: string): string => `${namespace ?? ''}/${name}`;

  const write = (type: Change['type'], of: Resource, object: KubeObject, previous: KubeObject | undefined) => {
    version += 1;
    const written: KubeObject = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
    const change: Change = { version, type, of, object: written, previous };
    history.push(change);
    if (history.length > keptChanges * 1.2) {
      history = history.slice(-keptChanges);
      oldest = history[0]?.version ?? version;
    }
    const key = keyOf(object.metadata.namespace, object.metadata.name);
    if (type === 'DELETED') tableOf(of).delete(key);
    else tableOf(of).set(key, written);
    for (const listener of [...listeners]) listener(change);
    return written;
  };

  const store: Store = {
    version: () => version,
    get: (of, namespace, name) => tableOf(of).get(keyOf(of.namespaced ? namespace : undefined, name)),
    list: (of, namespace) =>
      [...tableOf(of)]
        .filter(([, object]) => namespace === undefined || object.metadata.namespace === namespace)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([, object]) => object),
    findByUid: (uid) => store.all().find(({ object }) => object.metadata.uid === uid),
    all: () => [...tables].flatMap(([of, table]) => [...table.values()].map((object) => ({ of, object }))),
    put: (of, object) => {
      const previous = store.get(of, object.metadata.namespace, object.metadata.name);
      return write(previous === undefined ? 'ADDED' : 'MODIFIED', of, object, previous);
    },
    remove: (of, object) => write('DELETED', of, object, object),
    oldest: () => oldest,
    compact: () => {
      history = [];
      oldest = version;
    },
    changesAfter: (after) => history.filter((change) => change.version > after),
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return store;
}
