import type { Node } from './go-json.ts';
import { goText, isDoc, parseNodes, plain, Raw, syntaxError } from './go-json.ts';
import { isRecord } from './objects.ts';
import { ApiError, badRequest, patchRefused } from './status.ts';

/** Applies a patch, given as text, to an object. */
export type Patch = (target: unknown, patch: string) => unknown;

const goKind = (value: unknown): string =>
  Array.isArray(value) ? 'array' : isRecord(value) ? 'object' : typeof value === 'boolean' ? 'bool' : typeof value;

function parseAs(
  patch: string,
  goType: string,
  fits: (value: unknown) => boolean,
  what = 'error decoding patch: ',
): unknown {
  const wrong = syntaxError(patch);
  if (wrong !== undefined) throw badRequest(`${what}${wrong}`);
  const value: unknown = JSON.parse(patch);
  if (!fits(value)) throw badRequest(`${what}json: cannot unmarshal ${goKind(value)} into Go value of type ${goType}`);
  return value;
}
const record = 'map[string]interface {}';

/**
 * RFC 7386, as the API server's library does it: nulls in new values are removed at any depth, but stay in a list that
 * replaces another list.
 */
export const mergePatch: Patch = (target, patch) => {
  const change = parseAs(patch, record, (value) => value === null || isRecord(value));
  if (change === null) throw badRequest('Invalid JSON Patch');
  return merged(target, change);
};

function merged(target: unknown, patch: unknown): unknown {
  if (!isRecord(target)) return withoutNulls(patch);
  if (!isRecord(patch)) return patch;
  const result = { ...target };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = (result[key] ?? null) === null ? withoutNulls(value) : merged(result[key], value);
  }
  return result;
}

/** Removes keys whose value is null. Items of lists stay. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, each]) => each !== null)
      .map(([key, each]) => [key, withoutNulls(each)]),
  );
}

/** Merges lists by the key of their items, new items first. Everything else is as in a merge patch. */
export const strategicMergePatch: Patch = (target, patch) => {
  const change = parseAs(patch, record, (value) => value === null || isRecord(value), '');
  return strategic(target, change ?? {});
};

const badPatch = (message: string): ApiError => new ApiError(500, '', message);
const mapText = (value: unknown): string =>
  isRecord(value)
    ? `map[${Object.keys(value)
        .sort()
        .map((key) => `${key}:${mapText(value[key])}`)
        .join(' ')}]`
    : Array.isArray(value)
      ? `[${value.map(mapText).join(' ')}]`
      : String(value);

/** The key that identifies the items of a list; strings identify themselves. Lists without one are replaced. */
const mergeKeys: Readonly<Record<string, string>> = {
  ...{ containers: 'name', initContainers: 'name', ephemeralContainers: 'name', volumes: 'name', env: 'name' },
  ...{ volumeMounts: 'mountPath', volumeDevices: 'devicePath', ports: 'containerPort', conditions: 'type' },
  ...{ imagePullSecrets: 'name', secrets: 'name', schedulingGates: 'name', resourceClaims: 'name', hostAliases: 'ip' },
  ...{ topologySpreadConstraints: 'topologyKey', ownerReferences: 'uid', finalizers: '' },
};

function strategic(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const { $patch: directive, $retainKeys: retained, ...change } = patch;
  if (directive === 'replace') return change;
  if (directive === 'delete') return {};
  if (directive !== undefined) throw badPatch(`unknown patch type: ${String(directive)} in map: ${mapText(patch)}`);
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  if (Array.isArray(retained)) for (const key of Object.keys(result)) if (!retained.includes(key)) delete result[key];
  for (const [key, value] of Object.entries(change)) {
    const [, prefix, listed = ''] = /^\$(deleteFromPrimitiveList|setElementOrder)\/(.*)$/.exec(key) ?? [];
    if (prefix === 'deleteFromPrimitiveList' && Array.isArray(value)) {
      if (Array.isArray(result[listed])) result[listed] = result[listed].filter((each) => !value.includes(each));
    } else if (prefix === undefined) {
      // The secrets of a ServiceAccount are replaced.
      const isOfPod = key !== 'imagePullSecrets' || 'containers' in result;
      const mergeKey = isOfPod ? mergeKeys[key] : undefined;
      if (value === null) delete result[key];
      else if (mergeKey !== undefined && Array.isArray(value)) {
        const order = change[`$setElementOrder/${key}`];
        result[key] = mergedLists(result[key], value, mergeKey, Array.isArray(order) ? order : undefined);
      } else if (isRecord(value) && isRecord(result[key])) result[key] = strategic(result[key], value);
      else result[key] = withoutDirectives(value);
    }
  }
  return result;
}

function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value))
    return value.filter((each) => !isRecord(each) || !('$patch' in each)).map(withoutDirectives);
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, each]) => each !== null && !key.startsWith('$') && !(isRecord(each) && '$patch' in each))
      .map(([key, each]) => [key, withoutDirectives(each)]),
  );
}

/** `mergeKey` is empty for a list of texts. */
function mergedLists(
  target: unknown,
  patch: readonly unknown[],
  mergeKey: string,
  ordered: readonly unknown[] | undefined,
): unknown[] {
  const keyOf = (item: unknown): unknown => {
    if (mergeKey === '') return item;
    if (isRecord(item) && mergeKey in item) return item[mergeKey];
    throw badPatch(`map: ${mapText(item)} does not contain declared merge key: ${mergeKey}`);
  };
  let before: unknown[] = Array.isArray(target) ? [...target] : [];
  let change = patch;
  for (const item of patch) {
    const directive = isRecord(item) ? item['$patch'] : undefined;
    if (directive === 'delete') before = before.filter((each) => keyOf(each) !== keyOf(item));
    else if (directive !== undefined && directive !== 'replace') {
      throw badPatch(`unknown patch type: ${String(directive)} in map: ${mapText(item)}`);
    }
    if (directive !== undefined) change = change.filter((each) => each !== item);
  }
  if (patch.some((each) => isRecord(each) && each['$patch'] === 'replace')) return change.map(withoutDirectives);
  const all = [...before];
  for (const item of change) {
    const at = all.findIndex((each) => keyOf(each) === keyOf(item));
    if (at < 0) all.push(withoutDirectives(item));
    else all[at] = strategic(all[at], item);
  }
  return inOrder(all, before.map(keyOf), (ordered ?? change).map(keyOf), keyOf);
}

/** The patch's items in the patch's order. Each other item comes before the first of them that it preceded. */
function inOrder(
  all: readonly unknown[],
  before: readonly unknown[],
  wanted: readonly unknown[],
  keyOf: (item: unknown) => unknown,
): unknown[] {
  const own = all.filter((each) => wanted.includes(keyOf(each)));
  own.sort((a, b) => wanted.indexOf(keyOf(a)) - wanted.indexOf(keyOf(b)));
  const others = all.filter((each) => !wanted.includes(keyOf(each)));
  const result: unknown[] = [];
  while (own.length > 0 && others.length > 0) {
    const [left, right] = [before.indexOf(keyOf(others[0])), before.indexOf(keyOf(own[0]))];
    result.push(left >= 0 && right >= 0 && left < right ? others.shift() : own.shift());
  }
  return [...result, ...others, ...own];
}

/**
 * RFC 6902, as the API server's library does it: `test` compares the patch's text with Go's text of the document, byte by
 * byte; `replace` adds a missing key; `copy` of a missing key makes a null; -1 is the last item. If one operation fails,
 * none is applied.
 */
export const jsonPatch: Patch = (target, patch) => {
  parseAs(patch, '[]handlers.jsonPatchOp', Array.isArray);
  const operations = parseNodes(patch) as Node[];
  for (const each of operations) {
    const value = each === null || isDoc(each) ? undefined : plain(each);
    if (value !== undefined) {
      throw badRequest(
        `error decoding patch: json: cannot unmarshal ${goKind(value)} into Go value of type handlers.jsonPatchOp`,
      );
    }
    for (const field of ['op', 'path', 'from']) {
      const text = isDoc(each) ? plain(each[field] ?? null) : null;
      if (text === null || typeof text === 'string') continue;
      throw badRequest(
        `error decoding patch: json: cannot unmarshal ${goKind(text)} into Go struct field jsonPatchOp.${field} of type string`,
      );
    }
  }
  let root = parseNodes(goText(target));
  for (const operation of operations) root = applied(root, operation);
  return plain(root);
};

function applied(root: Node, operation: Node): Node {
  if (!isDoc(operation)) throw patchRefused();
  const text = (field: string): string => {
    const value = plain(operation[field] ?? null);
    if (typeof value !== 'string') throw patchRefused();
    return value;
  };
  const value = operation['value'] ?? null;
  const path = text('path');
  switch (text('op')) {
    case 'test':
      if (!isSame(path === '' ? root : read(root, path), value)) throw patchRefused();
      break;
    case 'add':
      write(root, path, value, 'add');
      break;
    case 'replace':
      if (path === '' && (isDoc(value) || Array.isArray(value))) return value;
      read(root, path);
      write(root, path, value, 'set');
      break;
    case 'remove':
      remove(root, path);
      break;
    case 'move': {
      const moved = read(root, text('from'));
      remove(root, text('from'));
      write(root, path, moved, 'add');
      break;
    }
    case 'copy':
      write(root, path, structuredCopy(read(root, text('from'))), 'add');
      break;
    default:
      throw patchRefused();
  }
  return root;
}

const structuredCopy = (node: Node): Node =>
  Array.isArray(node)
    ? node.map(structuredCopy)
    : isDoc(node)
      ? Object.fromEntries(Object.entries(node).map(([key, each]) => [key, structuredCopy(each)]))
      : node;

function isSame(a: Node, b: Node): boolean {
  if (a === null || b === null) return a === b;
  if (a instanceof Raw || b instanceof Raw) return a instanceof Raw && b instanceof Raw && a.text === b.text;
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((each, i) => isSame(each, b[i] ?? null))
    );
  }
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && isSame(a[key] ?? null, b[key] ?? null))
  );
}

/** The parent that a pointer's last part is a key of. The text before the pointer's first slash is ignored. */
function parentOf(root: Node, pointer: string): { parent: Node[] | { [key: string]: Node }; key: string } {
  const parts = pointer.split('/').map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (parts.length < 2) throw patchRefused();
  let parent: Node = root;
  for (const part of parts.slice(1, -1)) parent = child(parent, part);
  if (!Array.isArray(parent) && !isDoc(parent)) throw patchRefused();
  return { parent, key: parts.at(-1) ?? '' };
}

function child(parent: Node, key: string): Node {
  if (Array.isArray(parent)) return parent[indexIn(parent.length, key)] ?? null;
  if (!isDoc(parent)) throw patchRefused();
  return Object.hasOwn(parent, key) ? (parent[key] ?? null) : null;
}

/** Reads an index as Go's Atoi does. Negative ones count from the end. */
function indexIn(length: number, key: string): number {
  const index = Number(key);
  if (!/^[-+]?\d+$/.test(key) || index >= length || index < -length) throw patchRefused();
  return index < 0 ? index + length : index;
}

function read(root: Node, pointer: string): Node {
  const { parent, key } = parentOf(root, pointer);
  return child(parent, key);
}

function write(root: Node, pointer: string, value: Node, how: 'add' | 'set'): void {
  const { parent, key } = parentOf(root, pointer);
  if (!Array.isArray(parent)) parent[key] = value;
  else if (how === 'set') parent[indexIn(parent.length, key)] = value;
  else parent.splice(key === '-' ? parent.length : indexIn(parent.length + 1, key), 0, value);
}

function remove(root: Node, pointer: string): void {
  const { parent, key } = parentOf(root, pointer);
  if (Array.isArray(parent)) parent.splice(indexIn(parent.length, key), 1);
  else if (!Object.hasOwn(parent, key)) throw patchRefused();
  else delete parent[key];
}
