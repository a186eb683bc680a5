import { at, fieldsOf, itemsOf, textOf } from './find-pods.ts';
import type { Path, Place } from './place.ts';
import { below } from './place.ts';
import type { HookList, LintedRestore, Modifiers, VeleroObject } from './subjects.ts';

interface Around {
  readonly live: boolean;
  readonly modifiers: readonly Modifiers[];
  readonly lists: readonly HookList[];
  /** One of the given pods has hook annotations. */
  readonly isHooked: boolean;
}

export function collectRestore(
  object: unknown,
  index: number,
  { live, modifiers, lists, isHooked }: Around,
): LintedRestore {
  const { metadata, spec } = fieldsOf(object);
  const namespace = textOf(fieldsOf(metadata)['namespace']) || undefined;
  const name = textOf(fieldsOf(metadata)['name']) || textOf(fieldsOf(metadata)['generateName']);
  const own = lists.some(({ root, entries }) => root.object === index && entries.length > 0);
  const file = lists.some(({ kind, entries }) => kind === 'RestoreHooks' && entries.length > 0);
  const wanted = textOf(fieldsOf(fieldsOf(spec)['resourceModifier'])['name']);
  return {
    title: `Restore ${name}`,
    root: { object: index, path: [] },
    spec: fieldsOf(spec),
    namespace,
    live,
    hasHooks: own || file || isHooked,
    modifiers: modifiers.find(({ configMap }) => configMap?.name === wanted),
  };
}

const RESTORE_OR_BACKUP: readonly Path[] = [['itemOperationTimeout'], ['csiSnapshotTimeout'], ['ttl']];
const FIELDS: Readonly<Record<string, readonly Path[]>> = {
  Restore: [['spec', 'itemOperationTimeout']],
  Backup: RESTORE_OR_BACKUP.map((path) => ['spec', ...path]),
  Schedule: RESTORE_OR_BACKUP.map((path) => ['spec', 'template', ...path]),
  BackupStorageLocation: [
    ['spec', 'backupSyncPeriod'],
    ['spec', 'validationFrequency'],
  ],
  BackupRepository: [['spec', 'maintenanceFrequency']],
};

/** Every duration in one of Velero's objects. */
export function veleroObject(object: unknown, index: number): VeleroObject[] {
  const { kind, apiVersion, metadata } = fieldsOf(object);
  if (typeof kind !== 'string' || !Object.hasOwn(FIELDS, kind)) return [];
  if (apiVersion !== undefined && !textOf(apiVersion).startsWith('velero.io/')) return [];
  const root: Place = { object: index, path: [] };
  const own = (FIELDS[kind] ?? []).map((path) => ({ path, isOfHook: false }));
  const fields = [...own, ...hookPaths(object, kind).map((path) => ({ path, isOfHook: kind === 'Restore' }))];
  return [
    {
      kind,
      title: `${kind} ${textOf(fieldsOf(metadata)['name'])}`.trimEnd(),
      fields: fields.flatMap(({ path, isOfHook }) => {
        const value = at(object, path);
        return value === undefined ? [] : [{ name: String(path.at(-1)), value, place: below(root, ...path), isOfHook }];
      }),
    },
  ];
}

/** The paths of hooks' durations, in a Restore or a Backup. */
function hookPaths(object: unknown, kind: string): Path[] {
  const spec: Path = kind === 'Schedule' ? ['spec', 'template'] : ['spec'];
  const resources: Path = [...spec, 'hooks', 'resources'];
  return itemsOf(at(object, resources)).flatMap((entry, index) =>
    (['pre', 'post', 'postHooks'] as const).flatMap((list) =>
      itemsOf(fieldsOf(entry)[list]).flatMap((_, hook): Path[] => {
        const here: Path = [...resources, index, list, hook];
        return list === 'postHooks'
          ? [
              [...here, 'exec', 'execTimeout'],
              [...here, 'exec', 'waitTimeout'],
              [...here, 'init', 'timeout'],
            ]
          : [[...here, 'exec', 'timeout']];
      }),
    ),
  );
}
