import type { Container, KubeObject, PodSpec } from './objects.ts';
import { asPod, isRecord } from './objects.ts';
import type { Level } from './pod-security.ts';
import { violations } from './pod-security.ts';
import type { Resource } from './resources.ts';
import { jobs, limitRanges, namespaces, pods, resourceQuotas, resources } from './resources.ts';
import { forbidden } from './status.ts';
import type { Store } from './store.ts';

export interface Admitted {
  readonly object: KubeObject;
  /** Counts the object against the quotas. Called last, when all other checks have passed. */
  readonly charge: () => void;
}

/** Admission: Pod Security, limit ranges, quotas. */
export function admit(store: Store, of: Resource, object: KubeObject, warn: (text: string) => void): Admitted {
  const spec = of === pods ? asPod(object).spec : undefined;
  const ranged = of === pods && Array.isArray(spec?.containers) ? withLimits(store, object) : object;
  if (of === pods || of === jobs) checkSecurity(store, of, ranged, warn);
  return { object: ranged, charge: () => charge(store, of, ranged) };
}

function checkSecurity(store: Store, of: Resource, object: KubeObject, warn: (text: string) => void): void {
  const template = of === jobs && isRecord(object['spec']) ? object['spec']['template'] : object;
  const spec = (isRecord(template) ? template['spec'] : undefined) as PodSpec | undefined;
  const { namespace = '', name } = object.metadata;
  const labels = store.get(namespaces, undefined, namespace)?.metadata.labels ?? {};
  const levelOf = (mode: string) => labels[`pod-security.kubernetes.io/${mode}`] as Level | undefined;
  const said = (mode: string): string => {
    const level = levelOf(mode);
    const found = level === undefined || !Array.isArray(spec?.containers) ? [] : violations(level, spec);
    const version = labels[`pod-security.kubernetes.io/${mode}-version`] ?? 'latest';
    return found.length === 0 ? '' : `PodSecurity "${level}:${version}": ${found.join(', ')}`;
  };
  const denied = of === pods ? said('enforce') : '';
  if (denied !== '') throw forbidden(of, name, `violates ${denied}`);
  // Without a level for warnings, violations of the enforced level are warned of. (Pods that violate it are refused above.)
  const warned = said(levelOf('warn') === undefined ? 'enforce' : 'warn');
  if (warned !== '') warn(`would violate ${warned}`);
}

type Amounts = Record<string, string>;
const resourcesOf = (container: Container): { limits?: Amounts; requests?: Amounts } =>
  isRecord(container['resources']) ? container['resources'] : {};

interface LimitItem {
  readonly type: string;
  readonly max?: Amounts;
  readonly min?: Amounts;
  readonly default?: Amounts;
  readonly defaultRequest?: Amounts;
}

function withLimits(store: Store, object: KubeObject): KubeObject {
  const { namespace, name } = object.metadata;
  const items = store
    .list(limitRanges, namespace)
    .flatMap((each) => ((isRecord(each['spec']) ? each['spec']['limits'] : undefined) ?? []) as LimitItem[])
    .filter((each) => each.type === 'Container');
  if (items.length === 0) return object;
  const notes: string[] = [];
  const ranged = (container: Container, what: string): Container => {
    const { limits = {}, requests = {} } = resourcesOf(container);
    const all = { limits: { ...limits }, requests: { ...requests } };
    for (const { default: limit = {}, defaultRequest = {} } of items) {
      all.limits = { ...limit, ...all.limits };
      all.requests = { ...defaultRequest, ...all.requests };
    }
    for (const [kind, had, has] of [
      ['request', requests, all.requests],
      ['limit', limits, all.limits],
    ] as const) {
      const added = Object.keys(has)
        .filter((key) => !(key in had))
        .sort();
      if (added.length > 0) notes.push(`${added.join(', ')} ${kind} for ${what} ${container.name}`);
    }
    return { ...container, resources: all };
  };
  const spec = asPod(object).spec;
  const containers = spec.containers.map((each) => ranged(each, 'container'));
  const initContainers = spec.initContainers?.map((each) => ranged(each, 'init container'));
  for (const container of [...(initContainers ?? []), ...containers]) {
    const { limits = {}, requests = {} } = resourcesOf(container);
    for (const { max = {}, min = {} } of items) {
      for (const [key, most] of Object.entries(max)) {
        if (amount(limits[key]) <= amount(most)) continue;
        throw forbidden(pods, name, `maximum ${key} usage per Container is ${most}, but limit is ${limits[key]}`);
      }
      for (const [key, least] of Object.entries(min)) {
        if (amount(requests[key]) >= amount(least)) continue;
        throw forbidden(pods, name, `minimum ${key} usage per Container is ${least}, but request is ${requests[key]}`);
      }
    }
  }
  const note = `LimitRanger plugin set: ${notes.join('; ')}`;
  const annotations = { ...object.metadata.annotations, 'kubernetes.io/limit-ranger': note };
  return {
    ...object,
    metadata: { ...object.metadata, ...(notes.length === 0 ? {} : { annotations }) },
    spec: { ...spec, containers, ...(initContainers && { initContainers }) },
  };
}

const units: Readonly<Record<string, number>> = {
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};
function amount(quantity: string | undefined): number {
  const [, digits = '0', unit = ''] = /^([\d.]+)(\D*)$/.exec(quantity ?? '') ?? [];
  return Number(digits) * (units[unit] ?? 1);
}

interface Quota extends KubeObject {
  spec: { hard?: Amounts };
}

/** What a quota of this name counts: how many objects, or how much of a resource the containers of the pods ask for. */
function used(store: Store, key: string, namespace: string | undefined): number {
  const [, kind, resource = ''] = /^(requests|limits)\.(.*)$/.exec(key) ?? [];
  const of = resources.find((each) => isCountedBy(each, key));
  if (kind === undefined) return of === undefined ? 0 : store.list(of, namespace).filter(isAlive).length;
  return store
    .list(pods, namespace)
    .filter(isAlive)
    .reduce((sum, each) => sum + asked(each, kind, resource), 0);
}
const isAlive = ({ kind, ...object }: KubeObject): boolean =>
  kind !== 'Pod' ||
  !['Succeeded', 'Failed'].includes((object as unknown as { status: { phase: string } }).status.phase);
const asked = (pod: KubeObject, kind: string, resource: string): number =>
  asPod(pod).spec.containers.reduce((sum, each) => sum + amount(resourcesOf(each)[kind as 'limits']?.[resource]), 0);
const isCountedBy = ({ group, resource }: Resource, key: string): boolean =>
  key === `count/${resource}${group === '' ? '' : `.${group}`}` ||
  (group === '' && key === resource && ['pods', 'secrets', 'configmaps'].includes(key));

function charge(store: Store, of: Resource, object: KubeObject): void {
  const { namespace, name } = object.metadata;
  for (const { metadata, spec } of store.list(resourceQuotas, namespace) as Quota[]) {
    const hard = Object.entries(spec.hard ?? {}).sort();
    if (of === pods)
      assertSpecified(
        metadata.name,
        object,
        hard.map(([key]) => key),
      );
    const over = hard.flatMap(([key, most]) => {
      const [, kind, resource = ''] = /^(requests|limits)\.(.*)$/.exec(key) ?? [];
      const more =
        kind === undefined ? (isCountedBy(of, key) ? 1 : 0) : of === pods ? asked(object, kind, resource) : 0;
      const now = used(store, key, namespace);
      return more > 0 && now + more > amount(most) ? [{ key, more, now, most }] : [];
    });
    if (over.length === 0) continue;
    const list = (value: (each: (typeof over)[number]) => string | number): string =>
      over.map((each) => `${each.key}=${value(each)}`).join(',');
    const why = `exceeded quota: ${metadata.name}, requested: ${list((each) => each.more)}, used: ${list((each) => each.now)}, limited: ${list((each) => each.most)}`;
    throw forbidden(of, name, why);
  }
}

/** Where a resource is counted, each container must say how much it wants. */
function assertSpecified(quota: string, pod: KubeObject, keys: readonly string[]): void {
  const missing = keys.flatMap((key) => {
    const [, kind, resource = ''] = /^(requests|limits)\.(.*)$/.exec(key) ?? [];
    if (kind === undefined) return [];
    const silent = asPod(pod).spec.containers.filter(
      (each) => resourcesOf(each)[kind as 'limits']?.[resource] === undefined,
    );
    return silent.length === 0 ? [] : [`${key} for: ${silent.map((each) => each.name).join(',')}`];
  });
  if (missing.length > 0)
    throw forbidden(pods, pod.metadata.name, `failed quota: ${quota}: must specify ${missing.join('; ')}`);
}

/** A quota's status, as its controller writes it. */
export const quotaStatus = (store: Store, object: KubeObject): object => {
  const { hard = {} } = (object as Quota).spec ?? {};
  const counts = Object.keys(hard).map((key) => [key, String(used(store, key, object.metadata.namespace))]);
  return { hard, used: Object.fromEntries(counts) };
};
