import type { IncomingMessage, ServerResponse } from 'node:http';
import { load } from 'js-yaml';
import { syntaxError } from './go-json.ts';
import { isRecord } from './objects.ts';
import type { Resource } from './resources.ts';
import { ApiError, badRequest } from './status.ts';

const maxBodyBytes = 3_145_728;
const mediaTypes = 'application/json, application/yaml, application/vnd.kubernetes.protobuf';

export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= maxBodyBytes) chunks.push(chunk);
  }
  if (size > maxBodyBytes) {
    throw new ApiError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${maxBodyBytes}`);
  }
  return Buffer.concat(chunks).toString();
}

export const typeOf = (request: IncomingMessage): string =>
  (request.headers['content-type'] ?? '').replace(/;.*/, '').trim();

/** The object in a body, in JSON or YAML. */
export async function readObject(request: IncomingMessage, kind: string): Promise<{ text: string; body: unknown }> {
  const type = typeOf(request);
  if (!['', 'application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'].includes(type)) {
    throw new ApiError(415, 'UnsupportedMediaType', unknownFormat(mediaTypes));
  }
  const text = await readBody(request);
  const unrecognized = (why: string): ApiError =>
    badRequest(`the object provided is unrecognized (must be of type ${kind}): ${why} (${shown(text)})`);
  if (type.endsWith('protobuf')) {
    throw unrecognized('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  }
  if (type.endsWith('yaml')) return { text: '', body: load(text) };
  const wrong = syntaxError(text);
  if (wrong !== undefined) throw unrecognized(`couldn't get version/kind; json parse error: ${wrong}`);
  const body: unknown = JSON.parse(text);
  if (isRecord(body)) return { text, body };
  if (body === null) return { text, body: {} };
  const found = Array.isArray(body) ? 'array' : typeof body;
  const wanted =
    'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';
  throw unrecognized(
    `couldn't get version/kind; json parse error: json: cannot unmarshal ${found} into Go value of type ${wanted}`,
  );
}

/** The text itself if it begins like a JSON object, else its beginning in hexadecimal. */
function shown(text: string): string {
  if (text === '') return '<empty>';
  if (text.startsWith('{')) return text;
  const bytes = Buffer.from(text);
  return bytes.length <= 30 ? bytes.toString('hex') : `${bytes.subarray(0, 30).toString('hex')} ...`;
}

export const unknownFormat = (types: string): string =>
  `the body of the request was in an unknown format - accepted media types include: ${types}`;

export interface Shape {
  readonly as: 'PartialObjectMetadata' | 'PartialObjectMetadataList' | 'Table' | undefined;
}

/** In which shape the answer is wanted; a type that the server doesn't have is 406. */
export function shapeOf(request: IncomingMessage, of: Resource): Shape {
  for (const each of (request.headers.accept ?? '*/*').split(',')) {
    const [type = '', ...parameters] = each.split(';').map((part) => part.trim());
    if (!['*/*', 'application/*', 'application/json', 'application/yaml'].includes(type)) continue;
    const as = parameters.find((part) => part.startsWith('as='))?.slice(3);
    return { as: as as Shape['as'] };
  }
  if (of.custom) {
    throw new ApiError(406, 'NotAcceptable', `only the following media types are accepted: ${mediaTypes}`);
  }
  throw new ApiError(406, 'NotAcceptable', `406: Not Acceptable\n\nAvailable representations: ${mediaTypes}`, {});
}

/** An object, or a list's items, as they were asked for. */
export function shaped(object: unknown, { as }: Shape): unknown {
  if (as === undefined || !isRecord(object) || object['kind'] === 'Status') return object;
  const partial = (each: unknown) => ({
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: isRecord(each) ? each['metadata'] : {},
  });
  const { items } = object;
  if (as === 'Table')
    return {
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      metadata: object['metadata'],
      columnDefinitions: [],
      rows: [],
    };
  if (!Array.isArray(items)) return partial(object);
  return {
    kind: 'PartialObjectMetadataList',
    apiVersion: 'meta.k8s.io/v1',
    metadata: object['metadata'],
    items: items.map(partial),
  };
}

/** A text in a `Warning` header, as RFC 7234 quotes it. */
export const warn = (response: ServerResponse) => (text: string) => {
  response.appendHeader('Warning', `299 - "${text.replaceAll(/["\\]/g, '\\$&')}"`);
};
