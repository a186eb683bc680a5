import { judgeKey } from '../../mistakes/annotation-keys.ts';
import { fieldsOf, itemsOf, textOf } from './find-pods.ts';
import { decodeValue } from './modifier-value.ts';
import type { Place } from './place.ts';
import { below } from './place.ts';
import type { Inner, Metadata, ModifierRule, Modifiers } from './subjects.ts';

export const isModifiers = (object: unknown): boolean => fieldsOf(object)['resourceModifierRules'] !== undefined;

/** Velero's resource modifiers, in ConfigMaps or in files that ConfigMaps are made from. */
export function collectModifiers(objects: readonly unknown[], inner: ReadonlyMap<number, Inner>): Modifiers[] {
  const given = objects.flatMap((object) => {
    const resource = resourceOf(object);
    return resource === undefined ? [] : [{ object, resource }];
  });
  return objects.flatMap((object, index): Modifiers[] => {
    const of = inner.get(index);
    const outer = of === undefined ? undefined : fieldsOf(objects[of.of]);
    const isOfMap = outer?.['kind'] === 'ConfigMap';
    if (!isModifiers(object) && !(isOfMap && of?.problem !== undefined)) return [];
    const metadata = fieldsOf(outer?.['metadata']);
    const root: Place = { object: index, path: [] };
    const name = textOf(metadata['name']);
    return [
      {
        title: isOfMap ? `the resource modifiers of ConfigMap ${name}` : 'the resource modifiers',
        root,
        value: object,
        unreadable: of?.problem,
        configMap: isOfMap
          ? { name, namespace: textOf(metadata['namespace']), keys: Object.keys(fieldsOf(outer['data'])).length }
          : undefined,
        rules: itemsOf(fieldsOf(object)['resourceModifierRules']).map((rule, at) =>
          ruleOf(rule, below(root, 'resourceModifierRules', at)),
        ),
        given,
      },
    ];
  });
}

function ruleOf(rule: unknown, place: Place): ModifierRule {
  const fields = fieldsOf(rule);
  return {
    place,
    fields,
    conditions: fieldsOf(fields['conditions']),
    patches: itemsOf(fields['patches']).map((patch, index) => ({
      place: below(place, 'patches', index),
      fields: fieldsOf(patch),
    })),
  };
}

/** A resource by Velero's name: `pods`, `deployments.apps`. */
function resourceOf(object: unknown): string | undefined {
  const { kind, apiVersion } = fieldsOf(object);
  if (typeof kind !== 'string' || typeof apiVersion !== 'string' || kind === '') return undefined;
  const lower = kind.toLowerCase();
  const plural = /(?:s|x|ch)$/.test(lower) ? `${lower}es` : lower.replace(/y$/, 'ie').concat('s');
  const [group] = apiVersion.includes('/') ? apiVersion.split('/') : [''];
  return group === '' ? plural : `${plural}.${group}`;
}

const ANNOTATION = /\/metadata\/annotations\/([^/]+)$/;
const unescaped = (token: string): string => token.replaceAll('~1', '/').replaceAll('~0', '~');

/** The annotations that JSON patches set, one per operation. */
export function metadataOfModifiers({ rules }: Modifiers): Metadata[] {
  return rules.flatMap(({ patches }) =>
    patches.flatMap(({ place, fields }) => {
      const value = decodeValue(fields['value']);
      return setBy(textOf(fields['operation']), textOf(fields['path']), 'value' in value ? value.value : '', place);
    }),
  );
}

/** The same for a patch of kubectl or kustomize, which is a list of operations. */
export function metadataOfPatch(object: unknown, index: number): Metadata[] {
  return itemsOf(object).flatMap((item, at) => {
    const { op, path, value } = fieldsOf(item);
    return setBy(textOf(op), textOf(path), value, { object: index, path: [at] });
  });
}

function setBy(operation: string, path: string, value: unknown, place: Place): Metadata[] {
  const [, token] = ANNOTATION.exec(path) ?? [];
  if (token === undefined || !/^(?:add|replace)$/i.test(operation)) return [];
  const key = unescaped(token);
  if (judgeKey(key).is === 'other') return [];
  const values = { [key]: typeof value === 'string' ? value : String(value) };
  return [{ place: below(place, 'path'), values, of: 'part', kind: '', around: {} }];
}
