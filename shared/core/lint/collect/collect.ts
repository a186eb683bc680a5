import { judgeKey, PREFIXES } from '../../mistakes/annotation-keys.ts';
import type { Restore } from '../../model/restore.ts';
import { Restore as RestoreModel } from '../../model/restore.ts';
import { execHookFromAnnotations } from '../../plan/annotations.ts';
import { asRestored, whyNotRestored } from '../../plan/restored-pod.ts';
import { collectList } from './collect-list.ts';
import { collectModifiers, isModifiers, metadataOfModifiers, metadataOfPatch } from './collect-modifiers.ts';
import { joined, podsOf } from './collect-pods.ts';
import { collectRestore, veleroObject } from './collect-restore.ts';
import { collectTexts } from './collect-texts.ts';
import { fieldsOf, textOf } from './find-pods.ts';
import type { Place } from './place.ts';
import { below, keyOf } from './place.ts';
import type {
  ExecField,
  Field,
  HookedPod,
  HookList,
  Inner,
  LintedEntry,
  LintedExec,
  LintedInit,
  LintedPod,
  Subjects,
} from './subjects.ts';

export type AllSubjects = { readonly [On in keyof Subjects]: readonly Subjects[On][] };

export interface Given {
  readonly objects: readonly unknown[];
  /** The objects come from the cluster, and the Restore is finished. */
  readonly live: boolean;
  readonly inner: ReadonlyMap<number, Inner>;
}

/** Whether any rule checks this object. */
export const isLookedAt = (object: unknown): boolean => {
  const { pods, metadata } = podsOf(object, 0, false);
  return (
    pods.length + metadata.length > 0 ||
    isModifiers(object) ||
    isKind(object, 'Restore', 'velero.io') ||
    isKind(object, 'RestoreHooks', 'restorehooks.io') ||
    veleroObject(object, 0).length > 0 ||
    metadataOfPatch(object, 0).length > 0
  );
};

/** Everything that rules check, collected from all objects. */
export function collect({ objects, live, inner }: Given): AllSubjects {
  const found = objects.map((object, index) => podsOf(object, index, live));
  const { pods, metadata } = joined({
    pods: found.flatMap((each) => each.pods),
    metadata: found.flatMap((each) => each.metadata),
  });
  const lists = collectLists(objects, pods, live);
  const execs: LintedExec[] = [];
  const inits: LintedInit[] = [];
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
  const modifiers = collectModifiers(objects, inner);
  const isHooked = hooked.some(({ annotated }) => annotated.length > 0);
  return {
    metadata: [...metadata, ...modifiers.flatMap(metadataOfModifiers), ...objects.flatMap(metadataOfPatch)],
    pod: hooked,
    exec: execs,
    init: inits,
    entry: lists.flatMap(({ entries }) => entries),
    list: lists,
    text: collectTexts(objects, lists, execs, inits),
    velero: objects.flatMap((object, index) => veleroObject(object, index)),
    restore: objects.flatMap((object, index) =>
      isKind(object, 'Restore', 'velero.io')
        ? [collectRestore(object, index, { live, modifiers, lists, isHooked })]
        : [],
    ),
    modifiers,
  };
}

function collectLists(objects: readonly unknown[], pods: readonly LintedPod[], live: boolean): HookList[] {
  const restores = objects.flatMap((object) => (isKind(object, 'Restore', 'velero.io') ? [restoreOf(object)] : []));
  // Whether an entry selects a patch without its base is not known, because kustomize may add labels.
  const isLabelled = objects.some((object) => {
    const { kind, labels, commonLabels } = fieldsOf(object);
    return kind === 'Kustomization' && (labels !== undefined || commonLabels !== undefined);
  });
  const whole = isLabelled ? [] : pods.filter(({ isPart }) => !isPart);
  return objects.flatMap((object, index): HookList[] => {
    const root: Place = { object: index, path: [] };
    if (isKind(object, 'Restore', 'velero.io')) {
      const restore = restoreOf(object);
      const at = below(root, 'spec', 'hooks', 'resources');
      return [collectList('Restore', object, root, at, live ? pods : whole.flatMap((pod) => restored(restore, pod)))];
    }
    if (!isKind(object, 'RestoreHooks', 'restorehooks.io')) return [];
    const mapped = live ? [] : restores.flatMap((restore) => whole.flatMap((pod) => restored(restore, pod)));
    const given = live ? pods : whole;
    return [collectList('RestoreHooks', object, root, below(root, 'spec', 'resources'), [...given, ...mapped])];
  });
}

export function isKind(object: unknown, kind: string, group: string): boolean {
  const fields = fieldsOf(object);
  const version = textOf(fields['apiVersion']);
  return fields['kind'] === kind && (version === '' || version.startsWith(`${group}/`));
}

/** The Restore's filters, as far as they can be read. */
function restoreOf(object: unknown): Restore {
  const { metadata, spec } = fieldsOf(object);
  const name = textOf(fieldsOf(metadata)['name']) || 'restore';
  const whole = RestoreModel.safeParse({ metadata: { name }, spec: { ...fieldsOf(spec), hooks: {} } });
  return whole.data ?? RestoreModel.parse({ metadata: { name }, spec: {} });
}

/** The pod as the Restore restores it; none if the Restore excludes the pod. */
function restored(restore: Restore, linted: LintedPod): LintedPod[] {
  const { pod, namespace } = linted;
  // A manifest without a namespace may be applied to any namespace.
  const filters =
    namespace === undefined ? { ...restore.spec, includedNamespaces: [], excludedNamespaces: [] } : restore.spec;
  if (whyNotRestored({ ...restore, spec: filters }, pod) !== undefined) return [];
  const after = asRestored(restore, pod);
  return [{ ...linted, pod: after, namespace: namespace && after.metadata.namespace }];
}

const EXEC_FIELD: Readonly<Record<Exclude<ExecField, 'retry'>, string>> = {
  container: 'container',
  command: 'command',
  onError: 'on-error',
  execTimeout: 'exec-timeout',
  waitTimeout: 'wait-timeout',
  waitForReady: 'wait-for-ready',
  wave: 'wave',
  retryAttempts: 'retry-attempts',
  retryDelay: 'retry-delay',
  detach: 'detach',
};

/** The annotations with surely misspelled keys corrected, and the keys as they are written. */
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

function placeOf({ places, annotationsPlace }: LintedPod, { keys }: Meant, key: string): Place {
  const real = keys.get(key) ?? key;
  return (Object.hasOwn(places, real) ? places[real] : undefined) ?? below(annotationsPlace, real);
}

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
        mounts: [],
        hasRestartRules: false,
        earlier: [],
        pods: [pod],
      },
    ];
  });
}

type EntriesByPod = ReadonlyMap<Place, ReadonlySet<LintedEntry>>;

/** The entries that apply to each pod, in order. A pod is identified by its place, also if its namespace is mapped. */
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
