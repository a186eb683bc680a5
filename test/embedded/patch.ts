import { isDeepStrictEqual } from 'node:util';
import { isRecord } from './objects.ts';
import { badRequest, patchRefused } from './status.ts';

/** RFC 7386: null takes a key away, records are merged, everything else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

/** By what key the items of a list are told apart in a strategic merge patch; other lists are replaced. */
const mergeKeys: Record<string, string> = {
  containers: 'name',
  initContainers: 'name',
  volumes: 'name',
  env: 'name',
  volumeMounts: 'mountPath',
  conditions: 'type',
  ownerReferences: 'uid',
};

export function strategicMergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  if (patch['$patch'] === 'replace') return Object.fromEntries(Object.entries(patch).filter(([k]) => k !== '$patch'));
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    const mergeKey = mergeKeys[key];
    if (value === null) delete result[key];
    else if (mergeKey !== undefined && Array.isArray(value)) result[key] = mergeLists(result[key], value, mergeKey);
    else if (!key.startsWith('$')) result[key] = strategicMergePatch(result[key], value);
  }
  return result;
}

function mergeLists(target: unknown, patch: readonly unknown[], key: string): unknown[] {
  const result: unknown[] = Array.isArray(target) ? [...target] : [];
  for (const item of patch) {
    const at = result.findIndex((each) => isRecord(each) && isRecord(item) && each[key] === item[key]);
    if (isRecord(item) && item['$patch'] === 'delete') {
      if (at >= 0) result.splice(at, 1);
    } else if (at >= 0) result[at] = strategicMergePatch(result[at], item);
    else result.push(item);
  }
  return result;
}

/**
 * RFC 6902, with the API server's ways: an operation that can't be carried out, a `test` that fails among them, refuses
 * the whole patch with 422; `replace` of a key that isn't there adds it.
 */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) {
    throw badRequest(
      'error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp',
    );
  }
  let root: unknown = structuredClone(target);
  for (const operation of patch) root = applyOperation(root, operation);
  return root;
}

function applyOperation(root: unknown, operation: unknown): unknown {
  if (!isRecord(operation) || typeof operation['path'] !== 'string') throw patchRefused();
  const { op, path, value, from } = operation;
  switch (op) {
    case 'test':
      if (!isDeepStrictEqual(read(root, path) ?? null, value ?? null)) throw patchRefused();
      return root;
    case 'add':
    case 'replace':
      return write(root, path, structuredClone(value), op);
    case 'remove':
      return remove(root, path);
    case 'move':
    case 'copy': {
      if (typeof from !== 'string') throw patchRefused();
      const moved = structuredClone(read(root, from));
      return write(op === 'move' ? remove(root, from) : root, path, moved, 'add');
    }
    default:
      throw patchRefused();
  }
}

const partsOf = (pointer: string): string[] => {
  if (pointer === '') return [];
  if (!pointer.startsWith('/')) throw patchRefused();
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
};

/** The value at a pointer; for a key that isn't there undefined, for a parent that isn't there a refusal. */
function read(root: unknown, pointer: string): unknown {
  let value = root;
  for (const part of partsOf(pointer)) {
    if (Array.isArray(value)) value = value[indexIn(value, part)];
    else if (isRecord(value)) value = value[part];
    else throw patchRefused();
  }
  return value;
}

function indexIn(list: readonly unknown[], part: string): number {
  const index = Number(part);
  if (!/^\d+$/.test(part) || index >= list.length) throw patchRefused();
  return index;
}

function parentOf(root: unknown, pointer: string): { parent: unknown; key: string } {
  const parts = partsOf(pointer);
  const key = parts.pop() ?? '';
  const parent = read(root, parts.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''));
  return { parent, key };
}

function write(root: unknown, pointer: string, value: unknown, op: 'add' | 'replace'): unknown {
  if (pointer === '') return value;
  const { parent, key } = parentOf(root, pointer);
  if (Array.isArray(parent)) {
    if (op === 'replace') parent[indexIn(parent, key)] = value;
    else if (key === '-' || Number(key) === parent.length) parent.push(value);
    else parent.splice(indexIn(parent, key), 0, value);
  } else if (isRecord(parent)) parent[key] = value;
  else throw patchRefused();
  return root;
}

function remove(root: unknown, pointer: string): unknown {
  const { parent, key } = parentOf(root, pointer);
  if (Array.isArray(parent)) parent.splice(indexIn(parent, key), 1);
  else if (isRecord(parent) && Object.hasOwn(parent, key)) delete parent[key];
  else throw patchRefused();
  return root;
}
