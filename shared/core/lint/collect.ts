import { neverRestored, Pod as PodModel } from '../model/pod.ts';
import type { Restore } from '../model/restore.ts';
import { Restore as RestoreModel } from '../model/restore.ts';
import { execHookFromAnnotations } from '../plan/annotations.ts';
import { asRestored, whyNotRestored } from '../plan/restored-pod.ts';
import { judgeKey, PREFIXES } from './annotation-keys.ts';
import { collectList } from './collect-list.ts';
import type { Place } from './rule.ts';
import { below, keyOf } from './rule.ts';
import type {
  ExecField,
  Field,
  Fields,
  HookedPod,
  HookList,
  LintedContainer,
  LintedEntry,
  LintedExec,
  LintedInit,
  LintedPod,
  Metadata,
  Subjects,
} from './subjects.ts';

export const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
const itemsOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Where each kind of workload has its pods' template. */
const TEMPLATE: Readonly<Record<string, readonly string[]>> = {
  Deployment: ['spec', 'template'],
  StatefulSet: ['spec', 'template'],
  DaemonSet: ['spec', 'template'],
  ReplicaSet: ['spec', 'template'],
  ReplicationController: ['spec', 'template'],
  Job: ['spec', 'template'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
};

export type AllSubjects = { readonly [On in keyof Subjects]: readonly Subjects[On][] };

/** Everything that rules look at, out of all objects together. `live`: they are in the cluster, the Restore is done. */
export function collect(objects: readonly unknown[], live: boolean): AllSubjects {
  const metadata: Metadata[] = [];
  const pods: LintedPod[] = [];
  const execs: LintedExec[] = [];
  const inits: LintedInit[] = [];
  for (const [index, object] of objects.entries()) {
    const root: Place = { object: index, path: [] };
    const kind = textOf(fieldsOf(object)['kind']);
    const path = kind === 'Pod' ? [] : Object.hasOwn(TEMPLATE, kind) ? TEMPLATE[kind] : undefined;
    if (path === undefined) continue;
    pods.push(collectPod(object, kind, below(root, ...path), live));
    metadata.push(...collectMetadata(object, kind, root, path));
  }
  const restores = objects.flatMap((object) => (isKind(object, 'Restore', 'velero.io') ? [restoreOf(object)] : []));
  const lists = objects.flatMap((object, index): HookList[] => {
    const root: Place = { object: index, path: [] };
    if (isKind(object, 'Restore', 'velero.io')) {
      const restore = restoreOf(object);
      const at = below(root, 'spec', 'hooks', 'resources');
      return [collectList('Restore', object, root, at, live ? pods : pods.flatMap((pod) => restored(restore, pod)))];
    }
    if (!isKind(object, 'RestoreHooks', 'restorehooks.io')) return [];
    const mapped = live ? [] : restores.flatMap((restore) => pods.flatMap((pod) => restored(restore, pod)));
    return [collectList('RestoreHooks', object, root, below(root, 'spec', 'resources'), [...pods, ...mapped])];
  });
  for (const { entries } of lists) {
    for (const entry of entries) {
      execs.push(...entry.execs);
      inits.push(...entry.inits);
    }
  }
  const entriesOf = lists.map(entriesByPod);
  const hooked = pods.map((pod) => hookedPod(pod, lists, entriesOf));
  for (const pod of pods) {
    execs.push(...annotatedExecs(pod));
    inits.push(...annotatedInits(pod));
  }
  return {
    metadata,
    pod: hooked,
    exec: execs,
    init: inits,
    entry: lists.flatMap(({ entries }) => entries),
    list: lists,
  };
}

export function isKind(object: unknown, kind: string, group: string): boolean {
  const fields = fieldsOf(object);
  const version = textOf(fields['apiVersion']);
  return fields['kind'] === kind && (version === '' || version.startsWith(`${group}/`));
}

/** The Restore's own filters, as far as they can be read. */
function restoreOf(object: unknown): Restore {
  const { metadata, spec } = fieldsOf(object);
  const name = textOf(fieldsOf(metadata)['name']) || 'restore';
  const whole = RestoreModel.safeParse({ metadata: { name }, spec: { ...fieldsOf(spec), hooks: {} } });
  return whole.data ?? RestoreModel.parse({ metadata: { name }, spec: {} });
}

/** The pod as the Restore makes it; nothing where it leaves the pod out. */
function restored(restore: Restore, linted: LintedPod): LintedPod[] {
  const { pod, namespace } = linted;
  // A manifest without a namespace may be applied to any.
  const filters =
    namespace === undefined ? { ...restore.spec, includedNamespaces: [], excludedNamespaces: [] } : restore.spec;
  if (whyNotRestored({ ...restore, spec: filters }, pod) !== undefined) return [];
  const after = asRestored(restore, pod);
  return [{ ...linted, pod: after, namespace: namespace && after.metadata.namespace }];
}

function collectPod(object: unknown, kind: string, place: Place, live: boolean): LintedPod {
  let template: Fields = fieldsOf(object);
  for (const part of place.path) template = fieldsOf(template[part]);
  const outer = fieldsOf(fieldsOf(object)['metadata']);
  const metadata = fieldsOf(template['metadata']);
  const spec = fieldsOf(template['spec']);
  const namespace = textOf(outer['namespace']) || undefined;
  const name = textOf(outer['name']) || textOf(outer['generateName']) || 'unnamed';
  const containersOf = (key: string) =>
    itemsOf(spec[key])
      .map(fieldsOf)
      .filter((container) => textOf(container['name']) !== '');
  const [own, init] = [containersOf('containers'), containersOf('initContainers')];
  const pod = PodModel.parse({
    metadata: { name, namespace, labels: strings(metadata['labels']), annotations: strings(metadata['annotations']) },
    spec: {
      containers: own.map((container) => ({ name: container['name'] })),
      initContainers: init.map((container) => ({
        name: container['name'],
        restartPolicy: textOf(container['restartPolicy']),
      })),
    },
    status: { phase: textOf(fieldsOf(template['status'])['phase']) },
  });
  const linted = (container: Fields, isInit: boolean): LintedContainer => ({
    name: textOf(container['name']),
    init: isInit,
    hasReadinessProbe: Boolean(container['readinessProbe']),
  });
  return {
    title: `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`,
    place,
    annotationsPlace: below(place, 'metadata', 'annotations'),
    pod,
    namespace,
    template: kind === 'Pod' ? undefined : kind,
    live,
    containers: [...own.map((each) => linted(each, false)), ...init.map((each) => linted(each, true))],
    neverRestored: neverRestored(pod),
  };
}

function strings(value: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fieldsOf(value)).flatMap(([key, each]) =>
      each === null || typeof each === 'object' ? [] : [[key, String(each)]],
    ),
  );
}

function collectMetadata(object: unknown, kind: string, root: Place, templatePath: readonly string[]): Metadata[] {
  const all: Metadata[] = [];
  for (let length = 0; length <= templatePath.length; length++) {
    let fields = fieldsOf(object);
    const path = templatePath.slice(0, length);
    for (const part of path) fields = fieldsOf(fields[part]);
    const values = fieldsOf(fields['metadata']);
    if (fields['metadata'] === undefined) continue;
    const inner = length === templatePath.length;
    const at = below(root, ...path, 'metadata');
    all.push({
      place: below(at, 'annotations'),
      values: fieldsOf(values['annotations']),
      of: inner ? 'pod' : 'outside',
      kind,
    });
    all.push({ place: below(at, 'labels'), values: fieldsOf(values['labels']), of: 'labels', kind });
  }
  return all;
}

const EXEC_FIELD: Readonly<Record<ExecField, string>> = {
  container: 'container',
  command: 'command',
  onError: 'on-error',
  execTimeout: 'exec-timeout',
  waitTimeout: 'wait-timeout',
  waitForReady: 'wait-for-ready',
};

/** What the annotations say once keys that are surely mistyped are mended, and the keys as they are. */
function meantAnnotations({ pod }: LintedPod): { values: Record<string, string>; keys: Map<string, string> } {
  const { annotations } = pod.metadata;
  const values: Record<string, string> = {};
  const keys = new Map<string, string>();
  for (const [key, value] of Object.entries(annotations)) {
    const verdict = judgeKey(key);
    const meant = 'sure' in verdict && verdict.sure ? verdict.meant : undefined;
    const real = meant === undefined || Object.hasOwn(annotations, meant) ? key : meant;
    values[real] = value;
    keys.set(real, key);
  }
  return { values, keys };
}

type Meant = ReturnType<typeof meantAnnotations>;

const placeOf = (pod: LintedPod, { keys }: Meant, key: string): Place =>
  below(pod.annotationsPlace, keys.get(key) ?? key);

function annotated(
  pod: LintedPod,
  meant: Meant,
  prefix: string,
  names: Readonly<Record<string, string>>,
): Record<string, Field> {
  return Object.fromEntries(
    Object.entries(names).flatMap(([field, name]) => {
      const key = `${prefix}/${name}`;
      return meant.keys.has(key) ? [[field, { value: meant.values[key], place: placeOf(pod, meant, key) }]] : [];
    }),
  );
}

function annotatedExecs(pod: LintedPod): LintedExec[] {
  const meant = meantAnnotations(pod);
  return Object.entries(PREFIXES).flatMap(([prefix, { kind, origin }]): LintedExec[] => {
    const hook = kind === 'exec' && execHookFromAnnotations(meant.values, origin, () => {});
    if (!hook) return [];
    return [
      {
        title: `the exec hook of ${pod.title}`,
        source: 'annotation',
        origin,
        place: keyOf(placeOf(pod, meant, `${prefix}/command`)),
        fields: annotated(pod, meant, prefix, EXEC_FIELD),
        argv: hook.command,
        pods: [pod],
      },
    ];
  });
}

function annotatedInits(pod: LintedPod): LintedInit[] {
  const meant = meantAnnotations(pod);
  return Object.entries(PREFIXES).flatMap(([prefix, { kind, origin }]): LintedInit[] => {
    const image = `${prefix}/container-image`;
    if (kind !== 'init' || !meant.values[image]) return [];
    const names = { name: 'container-name', image: 'container-image', command: 'command', timeout: 'timeout' };
    return [
      {
        title: `the init hook of ${pod.title}`,
        source: 'annotation',
        origin,
        place: keyOf(placeOf(pod, meant, image)),
        fields: annotated(pod, meant, prefix, names),
        earlier: [],
        pods: [pod],
      },
    ];
  });
}

type EntriesByPod = ReadonlyMap<Place, ReadonlySet<LintedEntry>>;

/** The entries that apply to each pod, in their order; a pod is known by its place, mapped or not. */
function entriesByPod({ entries }: HookList): EntriesByPod {
  const found = new Map<Place, Set<LintedEntry>>();
  for (const entry of entries) {
    for (const { place } of entry.pods) {
      const those = found.get(place) ?? new Set();
      found.set(place, those.add(entry));
    }
  }
  return found;
}

function hookedPod(pod: LintedPod, lists: readonly HookList[], entriesOf: readonly EntriesByPod[]): HookedPod {
  const hooks = [...annotatedExecs(pod), ...annotatedInits(pod)];
  return {
    pod,
    annotated: hooks.map((hook) => ({
      origin: hook.origin,
      kind: 'argv' in hook ? 'exec' : 'init',
      place: hook.place,
    })),
    lists: lists.map(({ kind }, index) => {
      const entries = [...(entriesOf[index]?.get(pod.place) ?? [])];
      return { kind, entries, execs: entries.flatMap(({ execs }) => execs) };
    }),
  };
}
