import { at, fieldsOf, itemsOf, textOf } from './find-pods.ts';
import type { Path, Place } from './place.ts';
import { below } from './place.ts';
import type { Field, HookList, LintedExec, LintedInit, Text } from './subjects.ts';

const NAMES: readonly Path[] = [
  ['metadata', 'name'],
  ['metadata', 'namespace'],
  ['metadata', 'generateName'],
];
const SPEC_NAMES: readonly Path[] = [
  ['spec', 'backupName'],
  ['spec', 'scheduleName'],
  ['spec', 'resourceModifier', 'name'],
];
const SPEC_LISTS: readonly Path[] = [
  ['spec', 'includedNamespaces'],
  ['spec', 'excludedNamespaces'],
];

/** The texts that people write and may have left as placeholders, in Restores, files of hooks, and pods with hooks. */
export function collectTexts(
  objects: readonly unknown[],
  lists: readonly HookList[],
  execs: readonly LintedExec[],
  inits: readonly LintedInit[],
): Text[] {
  const texts: Text[] = [];
  const add = (value: unknown, place: Place, title: string, isCommand = false): void => {
    if (typeof value === 'string' && value !== '') texts.push({ value, place, title, isCommand });
  };
  const hooked = new Set<number>();
  for (const { source, place, fields, title } of [...execs, ...inits]) {
    if (source === 'annotation') hooked.add(place.object);
    for (const [name, field] of Object.entries(fields)) addField(name, field, title, add);
  }
  for (const list of lists) {
    hooked.add(list.root.object);
    addList(list, add);
  }
  for (const object of hooked) {
    for (const path of NAMES) add(at(objects[object], path), below({ object, path: [] }, ...path), path.join('.'));
  }
  return texts;
}

type Add = (value: unknown, place: Place, title: string, isCommand?: boolean) => void;

function addField(name: string, { value, place }: Field, title: string, add: Add): void {
  const isCommand = name === 'command' || name === 'args';
  const what = `${title}: ${name}`;
  const parts = Array.isArray(value)
    ? value.map((part, index) => [part, below(place, index)] as const)
    : [[value, place] as const];
  for (const [part, at] of parts) add(part, at, what, isCommand);
}

function addList({ kind, object, root, entries }: HookList, add: Add): void {
  if (kind === 'Restore') {
    for (const path of SPEC_NAMES) add(at(object, path), below(root, ...path), path.join('.'));
    for (const path of SPEC_LISTS) addItems(at(object, path), below(root, ...path), String(path.at(-1)), add);
    const mapping = fieldsOf(fieldsOf(fieldsOf(object)['spec'])['namespaceMapping']);
    for (const [from, to] of Object.entries(mapping)) {
      add(from, { ...below(root, 'spec', 'namespaceMapping', from), part: 'key' }, 'namespaceMapping');
      add(to, below(root, 'spec', 'namespaceMapping', from), 'namespaceMapping');
    }
  }
  for (const { fields, place, title } of entries) {
    add(fields['name'], below(place, 'name'), 'the name of a hook');
    for (const key of ['includedNamespaces', 'excludedNamespaces']) {
      addItems(fields[key], below(place, key), `${title}: ${key}`, add);
    }
    for (const [label, value] of Object.entries(fieldsOf(fieldsOf(fields['labelSelector'])['matchLabels']))) {
      add(textOf(value), below(place, 'labelSelector', 'matchLabels', label), `${title}: labelSelector`);
    }
  }
}

function addItems(value: unknown, place: Place, title: string, add: Add): void {
  for (const [index, item] of itemsOf(value).entries()) add(item, below(place, index), title);
}
