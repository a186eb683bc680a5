/** What Velero makes of the `value` of a resource modifier's JSON patch (internal/resourcemodifiers/json_patch.go). */
export type Decoded = { readonly value: unknown } | { readonly problem: string };

export function decodeValue(written: unknown): Decoded {
  if (written === undefined || written === null) return { value: '' };
  if (typeof written === 'object') return { problem: 'is no text: Velero reads a string here, and refuses all rules' };
  const text = String(written);
  const [json, quoted] = asJson(text);
  try {
    return { value: JSON.parse(json) };
  } catch {
    return {
      problem: quoted
        ? 'breaks the patch: a " or \\ in it must be written \\" or \\\\, a line break \\n'
        : `is put into the patch without quotes, where it is no JSON`,
    };
  }
}

/** Velero puts the text between quotes, unless it looks like JSON: then it is used unchanged. */
function asJson(text: string): [json: string, quoted: boolean] {
  if (text === '') return ['""', true];
  if (text.startsWith('"') && text.endsWith('"')) return [`"${text.slice(1).replace(/"$/, '')}"`, true];
  const bare =
    text === 'null' ||
    /^(?:true|false)$/i.test(text) ||
    text.startsWith('{') ||
    text.startsWith('[') ||
    isGoFloat(text);
  return bare ? [text, false] : [`"${text}"`, true];
}

const isGoFloat = (text: string): boolean =>
  /^[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|inf(?:inity)?|nan|0x[0-9a-f_]+\.?[0-9a-f_]*p[-+]?\d+)$/i.test(text);

/** Fields that hooks can depend on and that must be strings. */
const STRING_PATH =
  /(?:\/metadata\/(?:annotations|labels)\/[^/]+|\/(?:nodeSelector|matchLabels|stringData)\/[^/]+|^\/data\/[^/]+|\/env\/(?:\d+|-)\/(?:name|value)|\/(?:[cC]ontainers|initContainers)\/\d+\/(?:image|name|imagePullPolicy|workingDir)|\/(?:command|args)\/(?:\d+|-)|\/metadata\/(?:name|namespace)|\/storageClassName|\/volumeName|\/serviceAccountName)$/;
const MAP_PATH = /(?:\/metadata\/(?:annotations|labels)|\/(?:nodeSelector|matchLabels)|^\/data)$/;

/** The kind of a decoded value, or of a part of it, that must be a string and isn't; undefined if all are strings. */
export function notAString(path: string, value: unknown): string | undefined {
  if (STRING_PATH.test(path)) return typeof value === 'string' || value === null ? undefined : nameOf(value);
  if (!MAP_PATH.test(path) || typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  const wrong = Object.entries(value).find(([, each]) => typeof each !== 'string');
  return wrong === undefined ? undefined : `${nameOf(wrong[1])} (${wrong[0]})`;
}

const nameOf = (value: unknown): string =>
  Array.isArray(value)
    ? 'a list'
    : value === null
      ? 'null'
      : typeof value === 'object'
        ? 'an object'
        : `a ${typeof value}`;

/** The text that Velero decodes to this string. */
export const asString = (text: string): string => `"${JSON.stringify(text).slice(1, -1)}"`;

/** The value at an RFC 6901 pointer. */
export function atPointer(object: unknown, pointer: string): { readonly value: unknown } | undefined {
  let value = object;
  for (const token of pointer.split('/').slice(1)) {
    const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string, unknown>)[key];
  }
  return { value };
}
