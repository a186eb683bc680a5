import { judgeKey } from '../../mistakes/annotation-keys.ts';
import { neverRestored, Pod as PodModel } from '../../model/pod.ts';
import { at, fieldsOf, findPods, itemsOf, textOf } from './find-pods.ts';
import type { Path, Place } from './place.ts';
import { below } from './place.ts';
import { placeholderInName } from './placeholder.ts';
import type { Fields, LintedContainer, LintedPod, Metadata } from './subjects.ts';

/** Objects from which hooks are never read. */
const WITHOUT_PODS =
  /^(?:Service|ConfigMap|Secret|PersistentVolumeClaim|PersistentVolume|Namespace|Ingress|ServiceAccount|NetworkPolicy|Restore|Backup|Schedule|Role|RoleBinding|ClusterRole|ClusterRoleBinding|PodDisruptionBudget|HorizontalPodAutoscaler|StorageClass)$/;

export interface CollectedPods {
  readonly pods: readonly LintedPod[];
  readonly metadata: readonly Metadata[];
}

/** The pods, templates and loose annotations of one object. */
export function podsOf(object: unknown, index: number, live: boolean): CollectedPods {
  const root: Place = { object: index, path: [] };
  const found = findPods(object);
  const kind = textOf(fieldsOf(object)['kind']);
  const metadata = found.pods.flatMap((path) => metadataOf(object, kind, root, path));
  if (found.pods.length === 0) {
    for (const path of found.loose) {
      const isOwn = path.length === 2 && path[0] === 'metadata' && WITHOUT_PODS.test(kind);
      metadata.push({
        place: below(root, ...path),
        values: fieldsOf(at(object, path)),
        of: isOwn ? 'outside' : 'part',
        kind,
        around: {},
      });
    }
    if (WITHOUT_PODS.test(kind)) return { pods: [], metadata };
  }
  return {
    metadata,
    pods: [
      ...found.pods.map((path) => collectPod(object, kind, below(root, ...path), live)),
      ...(found.pods.length === 0 ? found.loose.map((path) => loosePod(object, kind, below(root, ...path))) : []),
    ],
  };
}

function metadataOf(object: unknown, kind: string, root: Place, templatePath: Path): Metadata[] {
  const all: Metadata[] = [];
  for (let length = 0; length <= templatePath.length; length++) {
    const path = templatePath.slice(0, length);
    const fields = fieldsOf(at(object, path));
    const values = fieldsOf(fields['metadata']);
    if (fields['metadata'] === undefined) continue;
    const inner = length === templatePath.length;
    const place = below(root, ...path, 'metadata');
    const of = inner ? 'pod' : 'outside';
    all.push({ place: below(place, 'annotations'), values: fieldsOf(values['annotations']), of, kind, around: {} });
    all.push({ place: below(place, 'labels'), values: fieldsOf(values['labels']), of: 'labels', kind, around: {} });
  }
  return all;
}

function collectPod(object: unknown, kind: string, place: Place, live: boolean): LintedPod {
  const template = fieldsOf(at(object, place.path));
  const outer = fieldsOf(fieldsOf(object)['metadata']);
  const metadata = fieldsOf(template['metadata']);
  const spec = fieldsOf(template['spec']);
  const written = textOf(outer['namespace']);
  const namespace = placeholderInName(written) === undefined ? written || undefined : undefined;
  const name = textOf(outer['name']) || textOf(outer['generateName']) || 'unnamed';
  const containersOf = (key: string) =>
    itemsOf(spec[key])
      .map(fieldsOf)
      .filter((container) => textOf(container['name']) !== '');
  const [own, init] = [containersOf('containers'), containersOf('initContainers')];
  const pod = podModel(name, namespace, metadata, {
    containers: own.map((container) => ({ name: container['name'] })),
    initContainers: init.map((each) => ({ name: each['name'], restartPolicy: textOf(each['restartPolicy']) })),
    phase: textOf(fieldsOf(template['status'])['phase']),
  });
  return {
    title: `${kind === '' ? 'the template' : kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`,
    place,
    annotationsPlace: below(place, 'metadata', 'annotations'),
    places: {},
    pod,
    namespace,
    template: kind === 'Pod' ? undefined : kind,
    live,
    isPart: !live && (own.length === 0 || own.some((container) => textOf(container['image']) === '')),
    volumes: volumesOf(object, spec),
    containers: [...own.map((each) => linted(each, false)), ...init.map((each) => linted(each, true))],
    ephemeral: itemsOf(spec['ephemeralContainers']).map((each) => textOf(fieldsOf(each)['name'])),
    neverRestored: neverRestored(pod),
  };
}

const linted = (container: Fields, init: boolean): LintedContainer => ({
  name: textOf(container['name']),
  image: textOf(container['image']),
  init,
  hasReadinessProbe: Boolean(container['readinessProbe']),
  hasRestartRules: itemsOf(container['restartPolicyRules']).length > 0,
});

/** The names of a pod's volumes, with those that a StatefulSet adds by its claims. */
function volumesOf(object: unknown, spec: Fields): string[] {
  const claims = itemsOf(fieldsOf(fieldsOf(object)['spec'])['volumeClaimTemplates']);
  return [
    ...itemsOf(spec['volumes']).map((volume) => textOf(fieldsOf(volume)['name'])),
    ...claims.map((claim) => textOf(fieldsOf(fieldsOf(claim)['metadata'])['name'])),
  ];
}

interface ModelSpec {
  readonly containers: readonly unknown[];
  readonly initContainers: readonly unknown[];
  readonly phase: string;
}

const podModel = (name: string, namespace: string | undefined, metadata: Fields, { phase, ...spec }: ModelSpec) =>
  PodModel.parse({
    metadata: { name, namespace, labels: strings(metadata['labels']), annotations: strings(metadata['annotations']) },
    spec,
    status: { phase },
  });

/** Annotations without a pod: nothing else is known of the pod that will have them. */
function loosePod(object: unknown, kind: string, place: Place): LintedPod {
  const name = textOf(fieldsOf(fieldsOf(object)['metadata'])['name']);
  const annotations = at(object, place.path);
  return {
    title: kind === '' || name === '' ? place.path.join('.') : `${kind} ${name}`,
    place,
    annotationsPlace: place,
    places: {},
    pod: podModel(name || 'unnamed', undefined, { annotations }, { containers: [], initContainers: [], phase: '' }),
    namespace: undefined,
    template: 'part',
    live: false,
    isPart: true,
    volumes: [],
    containers: [],
    ephemeral: [],
    neverRestored: undefined,
  };
}

/** A value that isn't a string is used as the string that was probably meant. */
function strings(value: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fieldsOf(value)).flatMap(([key, each]) => {
      const isList = Array.isArray(each) && each.every((part) => typeof part === 'string');
      if (each === null || (typeof each === 'object' && !(isList && judgeKey(key).is !== 'other'))) return [];
      return [[key, isList ? JSON.stringify(each) : String(each)]];
    }),
  );
}

/**
 * A patch contains a part of a pod, and its base the rest. So each object is completed with what other objects of the
 * same kind and name contain, and a field in one of them isn't reported as missing in another.
 */
export function joined({ pods, metadata }: CollectedPods): CollectedPods {
  const named = Map.groupBy(pods, (pod) => `${pod.template ?? 'Pod'} ${pod.pod.metadata.name}`);
  const groups = new Map([...named].filter(([, group]) => group.length > 1 && group.some(({ isPart }) => isPart)));
  const othersOf = (pod: LintedPod): LintedPod[] =>
    (groups.get(`${pod.template ?? 'Pod'} ${pod.pod.metadata.name}`) ?? []).filter(
      (other) =>
        other !== pod &&
        (other.isPart || pod.isPart) &&
        (other.namespace === undefined || pod.namespace === undefined || other.namespace === pod.namespace),
    );
  const around = new Map<string, Fields>();
  const together = pods.map((pod) => {
    const others = othersOf(pod);
    if (others.length === 0) return pod;
    const filled = others.reduce(withOther, pod);
    around.set(keyOfPlace(pod.annotationsPlace), filled.pod.metadata.annotations);
    return { ...filled, isPart: pod.isPart && others.every(({ isPart }) => isPart) };
  });
  return {
    pods: together,
    metadata: metadata.map((each) => ({ ...each, around: around.get(keyOfPlace(each.place)) ?? {} })),
  };
}

const keyOfPlace = ({ object, path }: Place): string => `${object} ${JSON.stringify(path)}`;

function withOther(pod: LintedPod, other: LintedPod): LintedPod {
  const own = pod.pod.metadata.annotations;
  const added = Object.keys(other.pod.metadata.annotations).filter((key) => !Object.hasOwn(own, key));
  const more = other.containers.filter(({ name }) => !pod.containers.some((container) => container.name === name));
  const spec = {
    containers: [...pod.pod.spec.containers, ...other.pod.spec.containers],
    initContainers: [...pod.pod.spec.initContainers, ...other.pod.spec.initContainers],
  };
  // The first container is that of the base.
  const containers = pod.isPart
    ? [
        ...other.containers,
        ...pod.containers.filter((each) => !other.containers.some(({ name }) => name === each.name)),
      ]
    : [...pod.containers, ...more];
  return {
    ...pod,
    places: {
      ...Object.fromEntries(added.map((key) => [key, below(other.annotationsPlace, key)])),
      ...pod.places,
    },
    volumes: [...pod.volumes, ...other.volumes],
    containers,
    pod: {
      ...pod.pod,
      spec,
      metadata: {
        ...pod.pod.metadata,
        labels: { ...other.pod.metadata.labels, ...pod.pod.metadata.labels },
        annotations: { ...other.pod.metadata.annotations, ...own },
      },
    },
  };
}
