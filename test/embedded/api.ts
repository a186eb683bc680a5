import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { withDefaults } from './defaults.ts';
import type { KubeObject, OwnerReference } from './objects.ts';
import { asPod, randomSuffix, timestamp } from './objects.ts';
import type { Resource } from './resources.ts';
import { apiVersionOf, events, jobs, namespaces, pods, serviceAccounts } from './resources.ts';
import { ApiError, alreadyExists, badRequest, conflict, forbidden, notFound } from './status.ts';
import type { Store } from './store.ts';
import { decode, validateCreate, validateUpdate } from './validate.ts';

export interface DeleteOptions {
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: string;
}

/** What the verbs do to the store: admission, defaults, validation, conflicts, deletion. Used by HTTP and controllers alike. */
export interface Api {
  get(of: Resource, namespace: string | undefined, name: string): KubeObject;
  create(of: Resource, namespace: string | undefined, body: unknown, dryRun?: boolean): KubeObject;
  /** Write `change(current)`; a resourceVersion in it is a precondition. */
  update(
    of: Resource,
    namespace: string | undefined,
    name: string,
    change: (current: KubeObject) => unknown,
    options?: { status?: boolean; dryRun?: boolean },
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
  /** The same thing about the same object is one event that counts. */
  const eventNames = new Map<string, string>();
  const existing = (of: Resource, namespace: string | undefined, name: string): KubeObject => {
    const object = store.get(of, namespace, name);
    if (object === undefined) throw notFound(of, name);
    return object;
  };

  const api: Api = {
    get: existing,

    create(of, namespace, body, dryRun = false) {
      const decoded = decode(of, apiVersionOf(of), body);
      const { metadata } = decoded;
      if (namespace !== undefined && (metadata.namespace ?? namespace) !== namespace) {
        throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
      }
      if (metadata.resourceVersion) {
        throw new ApiError(500, '', 'resourceVersion should not be set on objects to be created');
      }
      const name = metadata.name || (metadata.generateName ? `${metadata.generateName}${randomSuffix()}` : '');
      const uid = randomUUID();
      const draft: KubeObject = { ...decoded, metadata: { ...metadata, name } };
      if (namespace !== undefined) draft.metadata.namespace = namespace;
      validateCreate(of, draft);
      if (namespace !== undefined) assertNamespace(store, namespace, of, name);
      if (of === pods) assertServiceAccount(store, draft);
      if (store.get(of, namespace, name) !== undefined) throw alreadyExists(of, name);
      const { deletionTimestamp: _, deletionGracePeriodSeconds: __, ...rest } = draft.metadata;
      const complete = withDefaults(of, { ...draft, metadata: { ...rest, uid, creationTimestamp: timestamp() } }, uid);
      if (of.generation) complete.metadata.generation = 1;
      assertSize(complete);
      return dryRun ? complete : store.put(of, structuredClone(complete));
    },

    update(of, namespace, name, change, options = {}) {
      const current = existing(of, namespace, name);
      const wanted = decode(of, apiVersionOf(of), change(structuredClone(current)));
      const { resourceVersion } = wanted.metadata;
      if ((wanted.metadata.name || name) !== name) {
        throw badRequest(
          `the name of the object (${wanted.metadata.name}) does not match the name on the URL (${name})`,
        );
      }
      if (resourceVersion && resourceVersion !== current.metadata.resourceVersion) throw conflict(of, name);
      const next = merged(of, current, wanted, options.status ?? false);
      validateUpdate(of, current, next);
      assertSize(next);
      if (isDeepStrictEqual(current, next) || options.dryRun) return next;
      if (
        next.metadata.deletionTimestamp !== undefined &&
        of !== pods &&
        (next.metadata.finalizers ?? []).length === 0
      ) {
        return store.remove(of, next);
      }
      return store.put(of, next);
    },

    delete(of, namespace, name, options = {}, dryRun = false) {
      const current = existing(of, namespace, name);
      assertPreconditions(of, current, options.preconditions);
      if (dryRun) return { object: current, gone: true };
      if ((current.metadata.finalizers ?? []).length > 0) return { object: mark(of, current, 0), gone: false };
      if (of === pods) {
        const wanted = options.gracePeriodSeconds ?? asPod(current).spec.terminationGracePeriodSeconds ?? 30;
        const finished = ['Succeeded', 'Failed'].includes(asPod(current).status.phase);
        const grace = finished ? 0 : Math.min(wanted, current.metadata.deletionGracePeriodSeconds ?? wanted);
        const object = mark(of, current, grace);
        if (grace > 0) return { object, gone: false };
        return { object: store.remove(of, object), gone: true };
      }
      const policy = options.propagationPolicy ?? (of === jobs ? 'Orphan' : 'Background');
      if (policy === 'Orphan') orphanDependents(store, current);
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
  return api;
}

/** What a write leaves of the current object: its identity, and on either side of `/status` the other side. */
function merged(of: Resource, current: KubeObject, wanted: KubeObject, statusOnly: boolean): KubeObject {
  if (statusOnly) return { ...current, status: wanted['status'] };
  const {
    uid,
    creationTimestamp,
    deletionTimestamp,
    deletionGracePeriodSeconds,
    generation,
    resourceVersion,
    namespace,
  } = current.metadata;
  if (wanted.metadata.uid && wanted.metadata.uid !== uid) {
    throw conflict(
      of,
      current.metadata.name,
      `Precondition failed: UID in precondition: ${wanted.metadata.uid}, UID in object meta: ${uid}`,
    );
  }
  const kept = {
    uid,
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
    throw forbidden(of, name, why);
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
  if (wanted?.uid !== undefined && wanted.uid !== uid) {
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

function orphanDependents(store: Store, owner: KubeObject): void {
  for (const { of, object } of store.all()) {
    const left = ownersOf(object).filter((each) => each.uid !== owner.metadata.uid);
    if (left.length === ownersOf(object).length) continue;
    store.put(of, { ...object, metadata: { ...object.metadata, ownerReferences: left } });
  }
}
