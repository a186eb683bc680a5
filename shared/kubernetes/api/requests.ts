import type { HttpRequest } from './http.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

const PATCH_TYPES = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;
export type PatchType = keyof typeof PATCH_TYPES;

export interface WriteOptions {
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  readonly fieldValidation?: 'Ignore' | 'Warn' | 'Strict';
  /** Be answered with the object's metadata alone. */
  readonly metadataOnly?: boolean;
  /** How long the request may take in all, in place of the client's own limit. */
  readonly timeoutMs?: number;
}

export interface DeleteOptions {
  /** Delete the object with this UID only; another object of the same name is a WRITE_CONFLICT. */
  readonly uid?: string;
  /** Delete it as it was read only; if somebody has changed it since, that is a WRITE_CONFLICT. */
  readonly resourceVersion?: string;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  readonly gracePeriodSeconds?: number;
  readonly dryRun?: boolean;
}

const JSON_TYPE = 'application/json';
/** What a read asks for in place of whole objects: the metadata of one, or of those of a list. */
export interface ReadOptions {
  readonly metadataOnly?: boolean | 'list';
}

const METADATA_LIST = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json';
const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';

export interface Requests {
  get(path: string, query?: Query, options?: ReadOptions): HttpRequest;
  getText(path: string, query?: Query): HttpRequest;
  watch(path: string, query: Query): HttpRequest;
  create(path: string, object: object, options?: WriteOptions): HttpRequest;
  patch(
    path: string,
    body: unknown,
    type: PatchType,
    options?: WriteOptions & { readonly force?: boolean },
  ): HttpRequest;
  delete(path: string, options?: DeleteOptions): HttpRequest;
}

/** How each operation of the Kubernetes API is written as an HTTP request. */
export function kubeRequests(userAgent: string): Requests {
  const read = (path: string, query: Query | undefined, accept: string): HttpRequest => ({
    method: 'GET',
    path: withQuery(path, query),
    headers: { accept, 'user-agent': userAgent, 'accept-encoding': 'gzip' },
  });
  const write = (
    method: 'POST' | 'PATCH' | 'DELETE',
    path: string,
    body: unknown,
    type: string,
    { dryRun, metadataOnly, timeoutMs, ...query }: WriteOptions & { readonly force?: boolean } = {},
  ): HttpRequest => ({
    method,
    path: withQuery(path, { ...query, ...(dryRun && { dryRun: 'All' }) }),
    headers: { accept: metadataOnly ? METADATA_ONLY : JSON_TYPE, 'user-agent': userAgent, 'content-type': type },
    body: JSON.stringify(body),
    ...(timeoutMs !== undefined && { timeoutMs }),
  });
  return {
    get: (path, query, { metadataOnly = false } = {}) =>
      read(path, query, metadataOnly === 'list' ? METADATA_LIST : metadataOnly ? METADATA_ONLY : JSON_TYPE),
    getText: (path, query) => plain(read(path, query, '*/*')),
    watch: (path, query) => plain(read(path, { ...query, watch: true }, JSON_TYPE)),
    create: (path, object, options) => write('POST', path, object, JSON_TYPE, options),
    patch: (path, body, type, options) => write('PATCH', path, body, PATCH_TYPES[type], options),
    delete: (path, options) => write('DELETE', path, deleteOptions(options), JSON_TYPE),
  };
}

/** Not compressed: a stream must be readable as it comes in. */
function plain({ headers, ...request }: HttpRequest): HttpRequest {
  const { 'accept-encoding': _, ...rest } = headers;
  return { ...request, headers: rest };
}

const deleteOptions = ({ uid, resourceVersion, dryRun, ...rest }: DeleteOptions = {}) => ({
  apiVersion: 'v1',
  kind: 'DeleteOptions',
  ...rest,
  ...((uid ?? resourceVersion) !== undefined && { preconditions: { uid, resourceVersion } }),
  ...(dryRun && { dryRun: ['All'] }),
});

function withQuery(path: string, query: Query = {}): string {
  const given = Object.entries(query).flatMap(([key, value]): [string, string][] =>
    value === undefined ? [] : [[key, String(value)]],
  );
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}
