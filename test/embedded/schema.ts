import * as models from '@kubernetes/client-node';
import { isRecord } from './objects.ts';
import type { Resource } from './resources.ts';

/**
 * Decodes objects as Go does, with the client library's description of the types: unknown fields are dropped and
 * reported, values of a wrong type are refused, and fields that Go's encoder omits are removed.
 */
export interface Decoded {
  readonly value: unknown;
  /** The paths of unknown fields. */
  readonly unknown: readonly string[];
}

/** What is of another type than its field; the text is the decoder's. */
export class WrongType extends Error {}

interface Attribute {
  readonly baseName: string;
  readonly type: string;
  readonly format: string;
}
type Model = { getAttributeTypeMap?(): readonly Attribute[] };

const attributes = new Map<string, ReadonlyMap<string, Attribute> | undefined>();
function attributesOf(type: string): ReadonlyMap<string, Attribute> | undefined {
  if (!attributes.has(type)) {
    const model = (models as unknown as Record<string, Model | undefined>)[type];
    const list = model?.getAttributeTypeMap?.();
    attributes.set(type, list && new Map(list.map((each) => [each.baseName, each])));
  }
  return attributes.get(type);
}

const goNames: Readonly<Record<string, string>> = { CoreV1Event: 'Event' };
const goName = (type: string): string => goNames[type] ?? type.replace(/^V1(?=[A-Z])/, '');
const elementOf = (type: string): string | undefined => /^Array<(.*)>$/.exec(type)?.[1];
const valuesOf = (type: string): string | undefined => /^\{ \[key: string\]: (.*); \}$/.exec(type)?.[1];

function goType(type: string, format: string): string {
  const element = elementOf(type);
  if (element !== undefined) return `[]${goType(element, format)}`;
  const values = valuesOf(type);
  if (values !== undefined) return `map[string]${format === 'byte' ? '[]uint8' : goType(values, format)}`;
  if (type === 'number') return format === 'int64' ? 'int64' : 'int32';
  return { string: 'string', boolean: 'bool' }[type] ?? `v1.${goName(type)}`;
}
const jsonKind = (value: unknown): string =>
  Array.isArray(value) ? 'array' : isRecord(value) ? 'object' : typeof value === 'boolean' ? 'bool' : typeof value;

/** In front of the message a `Struct.path.of.the.field`, without indexes. */
interface Place {
  readonly struct: string;
  /** As Go's errors have it. */
  readonly path: string;
  /** As the strict decoder has it. */
  readonly at: string;
  readonly isOwn: boolean;
}

export function modelOf(of: Resource): string {
  return of.kind === 'Event' ? 'CoreV1Event' : `V1${of.kind}`;
}

/** Quantities are written as numbers, too. */
const quantities = new Set([
  'limits',
  'requests',
  'hard',
  'max',
  'min',
  'default',
  'defaultRequest',
  'used',
  'capacity',
]);

/** `isOwn`: a test's own object, in which integers may be fractions, so that tests need not wait whole seconds. */
export function decodeAs(type: string, from: unknown, isOwn = false): Decoded {
  const unknown: string[] = [];
  const value = decode(type, '', from, { struct: goName(type), path: '', at: '', isOwn }, unknown);
  return { value, unknown };
}

function decode(type: string, format: string, from: unknown, place: Place, unknown: string[]): unknown {
  const fields = attributesOf(type);
  const wrong = (): never => {
    const field = place.path === '' ? '' : `Go struct field ${place.struct}.${place.path} of type `;
    throw new WrongType(`json: cannot unmarshal ${jsonKind(from)} into ${field}${goType(type, format)}`);
  };
  if (from === undefined) return undefined;
  const element = elementOf(type);
  if (element !== undefined) {
    if (from === null) return undefined;
    if (!Array.isArray(from)) return wrong();
    return from.map((each, index) => {
      const item = { ...place, at: `${place.at}[${index}]` };
      return each === null ? zero(element) : decode(element, format, each, item, unknown);
    });
  }
  const values = valuesOf(type);
  if (values !== undefined) {
    if (from === null) return undefined;
    if (!isRecord(from)) return wrong();
    const field = place.path.split('.').at(-1) ?? '';
    return Object.fromEntries(
      Object.entries(from).map(([key, each]) => [
        key,
        each === null
          ? ''
          : quantities.has(field) && typeof each === 'number'
            ? String(each)
            : decode(values, format, each, { ...place, at: `${place.at}.${key}` }, unknown),
      ]),
    );
  }
  if (fields !== undefined && type !== 'V1MicroTime') return struct(type, fields, from, place, unknown, wrong);
  if (from === null) return null;
  if (type === 'string' && typeof from !== 'string') return wrong();
  if (type === 'boolean' && typeof from !== 'boolean') return wrong();
  if (type === 'number') {
    if (typeof from !== 'number') return wrong();
    if (!Number.isInteger(from) && !place.isOwn) {
      const at = `Go struct field ${place.struct}.${place.path} of type ${goType(type, format)}`;
      throw new WrongType(`json: cannot unmarshal number ${from} into ${at}`);
    }
  }
  if (type === 'Date' || type === 'V1MicroTime') return time(type, from);
  return from;
}

const zero = (type: string): unknown => (type === 'string' ? '' : type === 'number' ? 0 : {});

/** Go's layouts: RFC 3339, and one with just six digits after the second. */
function time(type: string, from: unknown): unknown {
  const text = String(from);
  const isMicro = type === 'V1MicroTime';
  const pattern = isMicro
    ? /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[-+]\d\d:\d\d)$/
    : /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]\d\d:\d\d)$/;
  const layout = isMicro ? '2006-01-02T15:04:05.000000Z07:00' : '2006-01-02T15:04:05Z07:00';
  if (pattern.test(text)) return text;
  const quoted = JSON.stringify(text);
  const [, seconds, rest = text] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(.*)$/.exec(text) ?? [];
  const missing = isMicro && seconds !== undefined ? '.000000' : '2006';
  throw new WrongType(`parsing time ${quoted} as "${layout}": cannot parse ${JSON.stringify(rest)} as "${missing}"`);
}

function struct(
  type: string,
  fields: ReadonlyMap<string, Attribute>,
  from: unknown,
  place: Place,
  unknown: string[],
  wrong: () => never,
): unknown {
  if (from === null) return null;
  if (!isRecord(from)) return wrong();
  const result: Record<string, unknown> = {};
  for (const [key, each] of Object.entries(from)) {
    const at = place.at === '' ? key : `${place.at}.${key}`;
    const field = fields.get(key);
    if (field === undefined) {
      unknown.push(at);
      continue;
    }
    const path = place.path === '' ? key : `${place.path}.${key}`;
    const value = decode(field.type, field.format, each, { ...place, struct: goName(type), path, at }, unknown);
    if (!isOmitted(type, key, value)) result[key] = value;
  }
  return result;
}

/** Go's `omitempty` for strings and lists that aren't pointers. Elsewhere it makes no difference. */
function isOmitted(type: string, key: string, value: unknown): boolean {
  if (value === null || value === undefined) return true;
  if (value === '') return type === 'V1ObjectMeta' || (type === 'V1EnvVar' && key === 'value');
  if (Array.isArray(value)) return value.length === 0;
  return isRecord(value) && Object.keys(value).length === 0 && mapFields.has(key);
}
const mapFields = new Set([
  'labels',
  'annotations',
  'data',
  'binaryData',
  'stringData',
  'nodeSelector',
  'matchLabels',
  'limits',
  'requests',
]);
