import { isRecord } from '../embedded/objects.ts';

/** A server's answer without the parts that must differ between servers, times or namespaces. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

const headersThatMatter = ['content-type', 'warning', 'retry-after', 'allow', 'location', 'cache-control'];

/** Texts that each server chooses itself: UIDs, times, random names. */
const replaced: readonly (readonly [RegExp, string])[] = [
  [/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '<uid>'],
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, '<time>'],
  [/kube-api-access-[a-z0-9]{5}/g, 'kube-api-access-<random>'],
  [/(too old resource version: \d+) \(\d+\)/g, '$1 (<version>)'],
  [/(Too large resource version: \d+, current:) \d+/g, '$1 <version>'],
  [/(does not match the ResourceVersion in record) \(\d+\)/g, '$1 (<version>)'],
  // Whole objects, as Go prints them.
  [/(patch: Invalid value|^Invalid value): "\{.*\}": (?!Object 'Kind')/gs, '$1: "<object>": '],
  [/(Invalid value): \{"(labels|Spec|name)":.*\}: (field is immutable|must be empty)/gs, '$1: <object>: $3'],
  [/(if it was previously negative\))\n@@.*$/s, '$1'],
  [/exec \\?"[0-9a-f]{64}\\?"/g, 'exec "<id>"'],
  [/containerd:\/\/[0-9a-f]{64}/g, 'containerd://<id>'],
  [/\b10\.\d+\.\d+\.\d+\b/g, '<ip>'],
];

export function normal(
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: unknown,
  namespace: string,
): Answer {
  const kept = headersThatMatter.flatMap((name) => {
    const value = headers[name];
    return value === undefined ? [] : [[name, text(String(value), namespace)] as const];
  });
  return { status, headers: Object.fromEntries(kept), body: value(body, namespace) };
}

const text = (from: string, namespace: string): string =>
  replaced.reduce((so, [pattern, by]) => so.replace(pattern, by), from.replaceAll(namespace, '$(ns)'));

/** Keys in the order of the alphabet, so that a recording shows what changed and no more. */
export function value(from: unknown, namespace: string, key = ''): unknown {
  if (typeof from === 'string') {
    if (key === 'resourceVersion' && /^[1-9]\d*$/.test(from)) return '<version>';
    if (/(^|\.)continue$/.test(key) && from !== '') return '<token>';
    return text(from, namespace);
  }
  if (Array.isArray(from)) return from.map((each) => value(each, namespace));
  if (!isRecord(from)) return from;
  const { generateName, name } = from;
  const made = typeof generateName === 'string' && typeof name === 'string' && name.startsWith(generateName);
  return Object.fromEntries(
    Object.keys(from)
      .filter((each) => each !== 'managedFields')
      .sort()
      .map((each) => [
        text(each, namespace),
        each === 'name' && made ? `${generateName}<random>` : value(from[each], namespace, each),
      ]),
  );
}

/** The value at a dotted path; `*` goes into every item of a list. */
export function at(from: unknown, path: readonly string[]): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return from;
  if (Array.isArray(from)) return key === '*' ? from.map((each) => at(each, rest)) : at(from[Number(key)], rest);
  return isRecord(from) ? at(from[key], rest) : undefined;
}
