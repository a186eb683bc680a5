import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from './objects.ts';
import { isRecord } from './objects.ts';
import { ApiError } from './status.ts';

/**
 * Which manager has applied which fields. A field that a manager no longer applies is removed unless another manager owns
 * it, too. A field that another manager owns with another value is a conflict. A list is one field, and `managedFields`
 * are not stored.
 */
export interface FieldOwners {
  /** The object after `manager` has applied `body` to it. */
  apply(object: KubeObject, manager: string, body: Record<string, unknown>, force: boolean): unknown;
  claim(object: KubeObject, manager: string, body: Record<string, unknown>): void;
}

type Paths = Map<string, unknown>;

export function createFieldOwners(): FieldOwners {
  /** By the object's UID, then by the manager. */
  const applied = new Map<string, Map<string, Paths>>();

  return {
    claim({ metadata: { uid = '' } }, manager, body) {
      const managers = applied.get(uid) ?? new Map<string, Paths>();
      managers.set(manager, leaves(body));
      applied.set(uid, managers);
    },
    apply(object, manager, body, force) {
      const managers = applied.get(object.metadata.uid ?? '') ?? new Map<string, Paths>();
      const wanted = leaves(body);
      const before = managers.get(manager) ?? new Map<string, unknown>();
      const current = leaves(object);
      const others = [...managers].filter(([name]) => name !== manager);
      const conflicts = [...wanted].filter(
        ([path, value]) => current.has(path) && !isDeepStrictEqual(current.get(path), value) && !before.has(path),
      );
      if (conflicts.length > 0 && !force)
        throw conflict(
          object,
          conflicts.map(([path]) => path),
          others,
        );
      let next: unknown = structuredClone(object);
      for (const path of before.keys()) {
        if (!wanted.has(path) && !others.some(([, paths]) => paths.has(path))) next = without(next, JSON.parse(path));
      }
      for (const [path, value] of wanted) next = withValue(next, JSON.parse(path), value);
      const { resourceVersion } = body['metadata'] as { resourceVersion?: string };
      return resourceVersion === undefined ? next : withValue(next, ['metadata', 'resourceVersion'], resourceVersion);
    },
  };
}

/** No manager owns the fields that identify the object. */
const unowned = [
  'apiVersion',
  'kind',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'metadata.resourceVersion',
];

function leaves(value: unknown, path: readonly string[] = [], into: Paths = new Map()): Paths {
  if (unowned.includes(path.join('.'))) return into;
  if (isRecord(value)) for (const [key, each] of Object.entries(value)) leaves(each, [...path, key], into);
  else into.set(JSON.stringify(path), value);
  return into;
}

function without(from: unknown, [key = '', ...rest]: readonly string[]): unknown {
  if (!isRecord(from)) return from;
  const { [key]: value, ...others } = from;
  if (rest.length === 0) return others;
  return { ...others, ...(value === undefined ? {} : { [key]: without(value, rest) }) };
}

function withValue(from: unknown, [key, ...rest]: readonly string[], value: unknown): unknown {
  if (key === undefined) return value;
  const record = isRecord(from) ? from : {};
  return { ...record, [key]: withValue(record[key], rest, value) };
}

function conflict(
  object: KubeObject,
  paths: readonly string[],
  others: readonly (readonly [string, Paths])[],
): ApiError {
  const causes = paths.map((path) => {
    const owner = others.find(([, owned]) => owned.has(path))?.[0] ?? 'unknown';
    const field = (JSON.parse(path) as string[]).map((key) => `.${key}`).join('');
    return { reason: 'FieldManagerConflict', message: `conflict with "${owner}" using ${object.apiVersion}`, field };
  });
  const [first] = causes;
  const text =
    causes.length === 1 && first !== undefined
      ? `Apply failed with 1 conflict: ${first.message}: ${first.field}`
      : `Apply failed with ${causes.length} conflicts: conflicts with ${causes.map((each) => each.message).join(', ')}`;
  return new ApiError(409, 'Conflict', text, { causes });
}
