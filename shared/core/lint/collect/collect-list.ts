import { LabelSelector, labelSelectorProblems } from '../../model/label-selector.ts';
import { RestoreResourceHookSpec } from '../../model/restore.ts';
import type { HookEntry } from '../../plan/hook-entries.ts';
import { compileHookEntries } from '../../plan/hook-entries.ts';
import { fieldsOf, itemsOf, textOf, at as valueAt } from './find-pods.ts';
import type { Place } from './place.ts';
import { below, keyOf, quote } from './place.ts';
import type { ExecField, Field, Fields, HookList, LintedEntry, LintedExec, LintedInit, LintedPod } from './subjects.ts';

export function collectList(
  kind: HookList['kind'],
  object: unknown,
  root: Place,
  place: Place,
  given: readonly LintedPod[],
): HookList {
  const entries = itemsOf(valueAt(object, place.path)).flatMap((entry, index) =>
    // An entry that is no mapping has a finding of its own.
    entry === null || typeof entry !== 'object'
      ? []
      : [collectEntry(kind, fieldsOf(entry), below(place, index), given)],
  );
  return { kind, object, root, place, entries };
}

function collectEntry(kind: HookList['kind'], fields: Fields, place: Place, given: readonly LintedPod[]): LintedEntry {
  const { name } = fields;
  const title = `hook ${typeof name === 'string' && name !== '' ? quote(name) : 'without a name'}`;
  const selector = LabelSelector().safeParse(fields['labelSelector'] ?? {});
  const selectorIsValid = selector.success && labelSelectorProblems(selector.data).length === 0;
  const entry = compiled(fields, selectorIsValid);
  const pods = entry === undefined || !selectorIsValid ? [] : given.filter((pod) => applies(entry, pod));
  const origin = kind === 'Restore' ? 'velero' : 'restorehooks';
  const execs: LintedExec[] = [];
  const inits: LintedInit[] = [];
  for (const [index, hook] of itemsOf(fields['postHooks']).entries()) {
    const { exec, init } = fieldsOf(hook);
    const common = { title: `${title} (${index})`, source: 'entry', origin, pods } as const;
    const at = below(place, 'postHooks', index);
    if (exec) execs.push({ ...common, ...execOf(fieldsOf(exec), below(at, 'exec')) });
    if (init) inits.push(...initsOf(fieldsOf(init), below(at, 'init')).map((each) => ({ ...common, ...each })));
  }
  return { title, place, fields, entry, selectorIsValid, pods, execs, inits, given };
}

function applies(entry: HookEntry, { pod, namespace }: LintedPod): boolean {
  const admitsNamespace = namespace === undefined || entry.admitsNamespace(namespace);
  return entry.admitsPods && admitsNamespace && entry.admitsLabels(pod.metadata.labels);
}

/** The entry without its unreadable parts, which have findings of their own. */
function compiled(fields: Fields, withSelector: boolean): HookEntry | undefined {
  const { postHooks: _, labelSelector, ...filters } = fields;
  const spec = RestoreResourceHookSpec.safeParse(withSelector ? { ...filters, labelSelector } : filters);
  return spec.success ? compileHookEntries('spec', [spec.data]).entries[0] : undefined;
}

const fieldsAt = (fields: Fields, place: Place, names: readonly string[]): Record<string, Field> =>
  Object.fromEntries(
    names.flatMap((name) =>
      fields[name] === undefined || fields[name] === null
        ? []
        : [[name, { value: fields[name], place: below(place, name) }]],
    ),
  );

const EXEC_FIELDS: readonly ExecField[] = [
  'container',
  'command',
  'onError',
  'execTimeout',
  'waitTimeout',
  'waitForReady',
  'retry',
  'detach',
];

function execOf(exec: Fields, place: Place): Pick<LintedExec, 'place' | 'fields' | 'argv'> {
  const argv = itemsOf(exec['command']).filter((part): part is string => typeof part === 'string');
  return { place: keyOf(place), fields: fieldsAt(exec, place, EXEC_FIELDS), argv };
}

function initsOf(
  init: Fields,
  place: Place,
): Pick<LintedInit, 'place' | 'fields' | 'earlier' | 'mounts' | 'hasRestartRules'>[] {
  const containers = itemsOf(init['initContainers']).map(fieldsOf);
  const names = containers.map(({ name }) => (typeof name === 'string' ? name : ''));
  const timeout = fieldsAt(init, place, ['timeout']);
  return containers.map((container, index) => {
    const at = below(place, 'initContainers', index);
    return {
      place: at,
      fields: { ...timeout, ...fieldsAt(container, at, ['name', 'image', 'command', 'args']) },
      mounts: mountsOf(container, at),
      hasRestartRules: itemsOf(container['restartPolicyRules']).length > 0,
      earlier: names.slice(0, index).filter((name) => name !== ''),
    };
  });
}

const mountsOf = (container: Fields, place: Place): Field[] =>
  (['volumeMounts', 'volumeDevices'] as const).flatMap((key) =>
    itemsOf(container[key]).map((mount, index) => ({
      value: textOf(fieldsOf(mount)['name']),
      place: below(place, key, index, 'name'),
    })),
  );
