import type { ManifestObject } from '../../shared/input/manifests.ts';

/** A text within an object that is itself YAML or JSON, and its path in the object. */
export interface InnerText {
  readonly text: string;
  readonly path: readonly (string | number)[];
}

const itemsOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const fieldsOf = (value: unknown): ManifestObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as ManifestObject) : {};

/** The texts within an object that are manifests or patches which may have hooks in them. */
export function innerTexts(object: ManifestObject): InnerText[] {
  const { kind } = object;
  if (kind === 'ConfigMap') {
    return textsAt(Object.entries(fieldsOf(object['data'])).map(([key, value]) => [['data', key], value])).filter(
      ({ text }) => /^["\s]*resourceModifierRules["\s]*:/m.test(text) || text.includes('"resourceModifierRules"'),
    );
  }
  if (kind === 'Kustomization') return patchesOf(object);
  return itemsOf(object['resourceModifierRules']).flatMap((rule, index) =>
    ['mergePatches', 'strategicPatches'].flatMap((key) =>
      textsAt(
        itemsOf(fieldsOf(rule)[key]).map((patch, at) => [
          ['resourceModifierRules', index, key, at, 'patchData'],
          fieldsOf(patch)['patchData'],
        ]),
      ),
    ),
  );
}

const patchesOf = (object: ManifestObject): InnerText[] =>
  textsAt([
    ...['patches', 'patchesJson6902'].flatMap((key) =>
      itemsOf(object[key]).map((patch, index): Entry => [[key, index, 'patch'], fieldsOf(patch)['patch']]),
    ),
    ...itemsOf(object['patchesStrategicMerge'])
      // An item is a file's name or the patch itself.
      .map((patch, index): Entry => [['patchesStrategicMerge', index], patch])
      .filter(([, patch]) => typeof patch === 'string' && patch.includes('\n')),
  ]);

type Entry = [path: (string | number)[], value: unknown];

const textsAt = (entries: readonly Entry[]): InnerText[] =>
  entries.flatMap(([path, text]) => (typeof text === 'string' ? [{ text, path }] : []));
