import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { admit } from './admission.ts';
import type { Reading } from './decode.ts';
import { decode } from './decode.ts';
import { withDefaults, withTypeDefaults } from './defaults.ts';
import type { KubeObject, OwnerReference } from './objects.ts';
import { asPod, randomSuffix, timestamp } from './objects.ts';
import type { Resource } from './resources.ts';
import { events, jobs, namespaces, pods, serviceAccounts } from './resources.ts';
import { ApiError, alreadyExists, badRequest, conflict, forbidden, invalid, notFound } from './status.ts';
import type { Store } from './store.ts';
import { validateCreate, validateUpdate } from './validate.ts';

export interface DeleteOptions {
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: string;
}

export interface WriteOptions {
  readonly dryRun?: boolean;
  /** How a user's body is read; without it the object is our own. */
  readonly reading?: Reading;
}

/** The verbs, with admission, defaults, validation, conflicts and deletion. HTTP and controllers both use them. */
export interface Api {
  get(of: Resource, namespace: string | undefined, name: string): KubeObject;
  create(of: Resource, namespace: string | undefined, body: unknown, options?: WriteOptions): KubeObject;
  /** Write `change(current)`; a resourceVersion in it is a precondition. */
  update(
    of: Resource,
    namespace: string | undefined,
    name: string,
    change: (current: KubeObject) => unknown,
    options?: WriteOptions & { readonly status?: boolean },
  ): KubeObject;
  /** The object as it is now: deleted, or marked and waiting for its grace or finalizers (`gone` false). */
  delete(
    of: Resource,
    namespace: string | undefined,
    name: string,
    options?: DeleteOptions,
    dryRun?: boolean,
  ): { object: KubeObject; gone: boolean };
  /** Write a status as a controller: nothing happens if the object is gone or another one. */
  setStatus(of: Resource, object: KubeObject, status: unknown): KubeObject | undefined;
  event(about: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string, component: string): void;
}

const maxObjectBytes = 1_572_864;

export function createApi(store: Store): Api {
  /** A repeated event about the same object raises the count of the first one. */
  const eventNames = new Map<string, string>();
  const existing = (of: Resource, namespace: string | undefined, name: string): KubeObject => {
    const object = store.get(of, namespace, name);
    if (object === undefined) throw notFound(of, name);
    return object;
  };

  const api: Api = {
    get: existing,

    create(of, namespace, body, { dryRun = false, reading } = {}) {
      const decoded = decode(of, body, reading);
      const { selfLink: _, ...metadata } = decoded.metadata as KubeObject['metadata'] & { selfLink?: string };
      if (namespace !== undefined && (metadata.namespace ?? namespace) !== namespace) throw otherNamespace();
      const name = metadata.name || (metadata.generateName ? generated(metadata.generateName) : '');
      if (namespace !== undefined) assertNamespace(store, namespace, of, name);
      if (metadata.resourceVersion) {
        throw new ApiError(500, '', 'resourceVersion should not be set on objects to be created');
      }
      const uid = randomUUID();
      const { deletionTimestamp: __, deletionGracePeriodSeconds: ___, ...rest } = metadata;
      const draft = withTypeDefaults(of, {
        ...decoded,
        metadata: { ...rest, name, uid, creationTimestamp: timestamp() },
      });
      if (namespace !== undefined) draft.metadata.namespace = namespace;
      if (of === pods) assertServiceAccount(store, draft);
      const warn = reading?.warn ?? (() => {});
      const { object, charge } = admit(store, of, draft, warn);
      validateCreate(of, object);
      charge();
      const there = store.get(of, namespace, name);
      if (there !== undefined) throw alreadyExists(of, name, there.metadata.deletionTimestamp !== undefined);
      const complete = withDefaults(of, object, uid);
      if (of.generation) complete.metadata.generation = 1;
      assertSize(complete);
      return dryRun ? complete : store.put(of, structuredClone(complete));
    },

    update(of, namespace, name, change, options = {}) {
      const current = existing(of, namespace, name);
      const { reading } = options;
      const wanted = decode(of, change(structuredClone(current)), reading);
      assertSameObject(of, current, wanted, reading);
      const next = merged(of, current, withTypeDefaults(of, wanted), options.status ?? false);
      validateUpdate(of, current, next);
      assertSize(next);
      if (isDeepStrictEqual(current, next) || options.dryRun) return next;
      if (isToGo(of, next)) {
        store.remove(of, current);
        return next;
      }
      return store.put(of, next);
    },

    delete(of, namespace, name, options = {}, dryRun = false) {
      const current = existing(of, namespace, name);
      assertPreconditions(of, current, options.preconditions);
      if (dryRun) return { object: current, gone: of !== pods };
      const policy = options.propagationPolicy ?? (of === jobs ? 'Orphan' : 'Background');
      const finalizer = { Orphan: 'orphan', Foreground: 'foregroundDeletion' }[policy];
      if (of === namespaces) return { object: terminate(current), gone: false };
      const finalizers = current.metadata.finalizers ?? [];
      if (of !== pods && (finalizers.length > 0 || finalizer !== undefined)) {
        const all = [...new Set([...finalizers, ...(finalizer === undefined ? [] : [finalizer])])];
        return { object: mark(of, { ...current, metadata: { ...current.metadata, finalizers: all } }, 0), gone: false };
      }
      if (of === pods) {
        const { spec, status } = asPod(current);
        const wanted = options.gracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30;
        const isIdle = spec.nodeName === undefined || ['Succeeded', 'Failed'].includes(status.phase);
        const grace = isIdle ? 0 : Math.min(wanted, current.metadata.deletionGracePeriodSeconds ?? wanted);
        const object = mark(of, current, grace);
        if (grace > 0 || finalizers.length > 0) return { object, gone: false };
        return { object: store.remove(of, object), gone: true };
      }
      return { object: store.remove(of, current), gone: true };
    },

    setStatus(of, object, status) {
      const current = store.get(of, object.metadata.namespace, object.metadata.name);
      if (current === undefined || current.metadata.uid !== object.metadata.uid) return undefined;
      if (isDeepStrictEqual(current['status'], status)) return current;
      return store.put(of, { ...current, status: structuredClone(status) });
    },

    event(about, type, reason, message, component) {
      const { name, namespace = 'default', uid, resourceVersion } = about.metadata;
      const key = `${uid} ${reason} ${message}`;
      const same = store.get(events, namespace, eventNames.get(key) ?? '');
      if (same !== undefined) {
        store.put(events, { ...same, count: Number(same['count']) + 1, lastTimestamp: timestamp() });
        return;
      }
      if (store.get(namespaces, undefined, namespace) === undefined) return;
      const { metadata } = api.create(events, namespace, {
        metadata: { name: `${name}.${randomUUID().replaceAll('-', '').slice(0, 16)}` },
        involvedObject: { apiVersion: about.apiVersion, kind: about.kind, name, namespace, resourceVersion, uid },
        type,
        reason,
        message,
        count: 1,
        firstTimestamp: timestamp(),
        lastTimestamp: timestamp(),
        source: { component },
        reportingComponent: component,
      });
      eventNames.set(key, metadata.name);
    },
  };

  /** Begin a deletion: from now on the object carries its deletionTimestamp. */
  const mark = (of: Resource, object: KubeObject, grace: number): KubeObject => {
    const { deletionTimestamp, deletionGracePeriodSeconds } = object.metadata;
    if (deletionTimestamp !== undefined && deletionGracePeriodSeconds === grace) return object;
    return store.put(of, {
      ...object,
      metadata: {
        ...object.metadata,
        ...(of.generation ? { generation: (object.metadata.generation ?? 1) + 1 } : {}),
        deletionTimestamp: timestamp(Date.now() + grace * 1000),
        deletionGracePeriodSeconds: grace,
      },
    });
  };
  /** A namespace goes when it is empty. */
  const terminate = (object: KubeObject): KubeObject => {
    if (object.metadata.deletionTimestamp !== undefined) return object;
    const metadata = { ...object.metadata, deletionTimestamp: timestamp() };
    return store.put(namespaces, { ...object, metadata, status: { phase: 'Terminating' } });
  };
  return api;
}

const generated = (prefix: string): string => `${prefix.slice(0, 58)}${randomSuffix()}`;

const otherNamespace = (): ApiError =>
  badRequest('the namespace of the provided object does not match the namespace sent on the request');

/** Nothing holds an object any more that is being deleted. */
const isToGo = (of: Resource, { metadata }: KubeObject): boolean =>
  metadata.deletionTimestamp !== undefined &&
  of !== namespaces &&
  (metadata.finalizers ?? []).length === 0 &&
  (of !== pods || metadata.deletionGracePeriodSeconds === 0);

/** Checks an update: name, namespace and UID must fit the URL, and a given resourceVersion the stored one. */
function assertSameObject(of: Resource, current: KubeObject, wanted: KubeObject, reading: Reading | undefined): void {
  const { name, namespace, uid, resourceVersion = '' } = wanted.metadata;
  if (reading !== undefined && !name) {
    const why = `the name of the object (${current.metadata.name} based on URL) was undeterminable: name must be provided`;
    throw badRequest(why);
  }
  if ((name || current.metadata.name) !== current.metadata.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${current.metadata.name})`);
  }
  if ((namespace ?? current.metadata.namespace) !== current.metadata.namespace) throw otherNamespace();
  if (uid && uid !== current.metadata.uid && !reading?.asPatch) {
    const key = `/registry/${of.group === '' || !of.custom ? '' : `${of.group}/`}${of.resource}/${current.metadata.namespace}/${current.metadata.name}`;
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`;
    throw conflict(
      of,
      current.metadata.name,
      `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${why}`,
    );
  }
  if (!/^\d*$/.test(resourceVersion)) {
    throw new ApiError(500, '', `strconv.ParseUint: parsing ${JSON.stringify(resourceVersion)}: invalid syntax`);
  }
  if (Number(resourceVersion) !== 0) {
    if (resourceVersion !== current.metadata.resourceVersion) throw conflict(of, current.metadata.name);
  } else if (reading !== undefined && of.conditional) {
    throw invalid({ ...of, kind: of.resource }, current.metadata.name, [
      { type: 'Invalid', field: 'metadata.resourceVersion', value: 0, detail: 'must be specified for an update' },
    ]);
  }
}

/** The new object with what a write can't change: the identity, and the status, or with `/status` all but the status. */
function merged(of: Resource, current: KubeObject, wanted: KubeObject, statusOnly: boolean): KubeObject {
  const {
    uid,
    creationTimestamp,
    deletionTimestamp,
    deletionGracePeriodSeconds,
    generation,
    resourceVersion,
    namespace,
  } = current.metadata;
  const kept = {
    uid: wanted.metadata.uid || uid,
    creationTimestamp,
    deletionTimestamp,
    deletionGracePeriodSeconds,
    generation,
    resourceVersion,
    namespace,
  };
  const known = Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined));
  const unknown = new Set(Object.keys(kept));
  const free = Object.fromEntries(Object.entries(wanted.metadata).filter(([key]) => !unknown.has(key)));
  const next = { ...wanted, metadata: { ...free, ...known, name: current.metadata.name } } as KubeObject;
  if (statusOnly) return { ...current, metadata: next.metadata, status: wanted['status'] };
  if (of.statusApart) {
    if (current['status'] === undefined) delete next['status'];
    else next['status'] = current['status'];
  }
  const content = ({ metadata: _, status, ...rest }: KubeObject): unknown =>
    of.statusApart ? rest : { ...rest, status };
  if (of.generation && !isDeepStrictEqual(content(current), content(next))) {
    next.metadata.generation = (generation ?? 1) + 1;
  }
  return next;
}

function assertNamespace(store: Store, namespace: string, of: Resource, name: string): void {
  const object = store.get(namespaces, undefined, namespace);
  if (object === undefined) throw notFound(namespaces, namespace);
  if (object.metadata.deletionTimestamp !== undefined) {
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
    const message = `namespace ${namespace} is being terminated`;
    throw forbidden(of, name, why, [{ reason: 'NamespaceTerminating', message, field: 'metadata.namespace' }]);
  }
}

function assertServiceAccount(store: Store, object: KubeObject): void {
  const { namespace, name, generateName } = object.metadata;
  const { serviceAccountName, serviceAccount } = asPod(object).spec;
  const account = serviceAccountName ?? serviceAccount ?? 'default';
  if (store.get(serviceAccounts, namespace, account) !== undefined) return;
  const why = `error looking up service account ${namespace}/${account}: serviceaccount "${account}" not found`;
  throw forbidden(pods, generateName ?? name, why);
}

function assertPreconditions(of: Resource, object: KubeObject, wanted: DeleteOptions['preconditions']): void {
  const { name, uid, resourceVersion } = object.metadata;
  const byKind = { ...of, resource: of.kind };
  if (wanted?.uid !== undefined && wanted.uid !== null && wanted.uid !== uid) {
    throw conflict(
      byKind,
      name,
      `the UID in the precondition (${wanted.uid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
    );
  }
  if (wanted?.resourceVersion !== undefined && wanted.resourceVersion !== resourceVersion) {
    throw conflict(
      byKind,
      name,
      `the ResourceVersion in the precondition (${wanted.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
    );
  }
}

function assertSize(object: KubeObject): void {
  if (JSON.stringify(object).length > maxObjectBytes) throw new ApiError(500, '', 'etcdserver: request is too large');
}

export const ownersOf = (object: KubeObject): readonly OwnerReference[] => object.metadata.ownerReferences ?? [];
