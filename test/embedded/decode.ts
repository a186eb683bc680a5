import { duplicateFields } from './go-json.ts';
import type { KubeObject } from './objects.ts';
import { isRecord } from './objects.ts';
import type { Resource } from './resources.ts';
import { apiVersionOf } from './resources.ts';
import { decodeAs, modelOf, WrongType } from './schema.ts';
import { badRequest, invalid, patchedInvalid } from './status.ts';

/** How what is sent is read. */
export interface Reading {
  readonly fieldValidation: 'Ignore' | 'Warn' | 'Strict';
  /** The body as it was sent; empty for the result of a patch. */
  readonly text: string;
  /** True for the result of a patch, so that errors name the patch. */
  readonly asPatch?: boolean;
  readonly warn: (text: string) => void;
}

/** Read a body as an object of this resource, or refuse it as the real decoder does. Without `reading` it is our own. */
export function decode(of: Resource, body: unknown, reading?: Reading): KubeObject {
  if (reading !== undefined) assertKind(of, body, reading);
  if (!isRecord(body)) throw badRequest(`the object provided is unrecognized (must be of type ${of.kind})`);
  const apiVersion = apiVersionOf(of);
  const refuse = (why: string): never => {
    if (reading?.asPatch) throw patchedInvalid(body, why);
    throw badRequest(`${of.kind} in version "${of.version}" cannot be handled as a ${of.kind}: ${why}`);
  };
  try {
    const { value, unknown } = of.custom ? customObject(of, body) : decodeAs(modelOf(of), body, reading === undefined);
    if (reading !== undefined && reading.fieldValidation !== 'Ignore') {
      const duplicate = duplicateFields(reading.text).map((path) => `duplicate field "${path}"`);
      const faults = [...duplicate, ...unknown.map((path) => `unknown field "${path}"`)];
      if (reading.fieldValidation === 'Warn') for (const each of faults) reading.warn(each);
      else if (faults.length > 0) refuse(`strict decoding error: ${faults.join(', ')}`);
    }
    const decoded = value as Record<string, unknown>;
    const metadata = (isRecord(decoded['metadata']) ? decoded['metadata'] : {}) as unknown as KubeObject['metadata'];
    return { ...decoded, apiVersion, kind: of.kind, metadata: { ...metadata } };
  } catch (error) {
    if (!(error instanceof WrongType)) throw error;
    return refuse(error.message);
  }
}

function assertKind(of: Resource, body: unknown, { text, asPatch }: Reading): void {
  const { kind, apiVersion } = isRecord(body) ? body : {};
  const expected = apiVersionOf(of);
  if (of.custom) {
    const shown = asPatch ? JSON.stringify(body) : text;
    if (!kind) {
      const why = `Object 'Kind' is missing in '${shown}'`;
      if (asPatch) throw patchedInvalid(body, why);
      throw badRequest(`the object provided is unrecognized (must be of type ${of.kind}): ${why} (${shown})`);
    }
    if (apiVersion !== expected) {
      throw badRequest(
        `the API version in the data (${String(apiVersion)}) does not match the expected API version (${expected})`,
      );
    }
    if (kind !== of.kind) {
      const { name } = (isRecord(body) && isRecord(body['metadata']) ? body['metadata'] : {}) as { name?: string };
      throw invalid({ ...of, kind: String(kind) }, name ?? '', [
        { type: 'Invalid', field: 'kind', value: kind, detail: `must be ${of.kind}` },
      ]);
    }
    return;
  }
  const [wrongKind, wrongVersion] = [(kind ?? of.kind) !== of.kind, (apiVersion ?? expected) !== expected];
  if (!wrongKind && !wrongVersion) return;
  const isKnown = !wrongVersion && ['Secret', 'ConfigMap', 'Pod', 'Namespace', 'ServiceAccount'].includes(String(kind));
  const why = isKnown
    ? `converting (v1.${kind}) to (core.${of.kind}): unknown conversion`
    : `no kind "${String(kind)}" is registered for version "${String(apiVersion)}" in scheme "pkg/runtime/scheme.go:111"`;
  if (asPatch) throw patchedInvalid(body, why);
  throw badRequest(`${String(kind)} in version "${String(apiVersion)}" cannot be handled as a ${of.kind}: ${why}`);
}

/** Fields that Velero's definitions have; below `spec` and `status` anything goes. */
function customObject(of: Resource, body: Record<string, unknown>) {
  const { metadata, ...rest } = body;
  const meta = decodeAs('V1ObjectMeta', metadata ?? {});
  const known = ['apiVersion', 'kind', 'spec', 'status'];
  const { name } = (isRecord(meta.value) ? meta.value : {}) as { name?: string };
  const value: Record<string, unknown> = { metadata: meta.value };
  for (const [key, each] of Object.entries(rest)) {
    if (!known.includes(key) || each === null) continue;
    if ((key === 'spec' || key === 'status') && !isRecord(each)) {
      const type = Array.isArray(each)
        ? 'array'
        : typeof each === 'number' && Number.isInteger(each)
          ? 'integer'
          : typeof each;
      const detail = `${key} in body must be of type object: ${JSON.stringify(type)}`;
      throw invalid(of, name ?? '', [{ type: 'TypeInvalid', field: key, value: type, detail }]);
    }
    value[key] = each;
  }
  const paths = Object.keys(body).flatMap((key) =>
    key === 'metadata' ? meta.unknown.map((path) => `metadata.${path}`) : known.includes(key) ? [] : [key],
  );
  return { value, unknown: paths };
}
