import type { IncomingMessage } from 'node:http';
import type { Attributes } from './rbac.ts';
import type { Resource } from './resources.ts';
import { resources } from './resources.ts';

/** One request as it came; `status` is 0 until it is answered, and stays so if the connection was dropped. */
export interface AuditEntry {
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly userAgent: string;
  user: string;
  status: number;
}

/** The resource, object and verb of a request. */
export interface Target {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly attributes: Attributes;
  readonly of: Resource | undefined;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  /** More parts than any address has. */
  readonly isTooLong: boolean;
}

export function parseTarget(request: IncomingMessage): Target {
  const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://localhost');
  const path = decodeURIComponent(pathname);
  const all = path.split('/').filter((part) => part !== '');
  // `/api/v1/watch/…`, the old form of a watch.
  const isOldWatch = all[0] === 'api' && all[2] === 'watch';
  if (isOldWatch) query.set('watch', '1');
  const parts = isOldWatch ? all.filter((_, at) => at !== 2) : all;
  const isResource = (parts[0] === 'api' && parts.length > 2) || (parts[0] === 'apis' && parts.length > 3);
  if (!isResource) {
    const verb = (request.method ?? 'GET').toLowerCase();
    const attributes: Attributes = { verb, group: '', resource: '', path };
    return { path, query, attributes, of: undefined, namespace: undefined, name: undefined, isTooLong: false };
  }
  const group = parts[0] === 'api' ? '' : (parts[1] ?? '');
  const version = parts[0] === 'api' ? parts[1] : parts[2];
  const rest = parts.slice(parts[0] === 'api' ? 2 : 3);
  const scoped = rest[0] === 'namespaces' && rest.length > 2 && rest[2] !== 'status';
  const named = scoped ? rest.slice(2) : rest;
  const [resource = '', name, subresource] = named;
  const namespace = scoped ? rest[1] : undefined;
  const of = resources.find((each) => each.group === group && each.version === version && each.resource === resource);
  const byField = /^metadata\.name==?([^,]+)$/.exec(query.get('fieldSelector') ?? '')?.[1];
  const attributes: Attributes = {
    verb: verbOf(request.method ?? 'GET', name, query),
    group,
    resource,
    subresource,
    namespace: resource === 'namespaces' && name !== undefined ? name : namespace,
    name: name ?? (request.method === 'POST' ? undefined : byField),
  };
  return { path, query, attributes, of, namespace, name, isTooLong: named.length > 3 };
}

function verbOf(method: string, name: string | undefined, query: URLSearchParams): string {
  const watches = !['', '0', 'false'].includes(query.get('watch') ?? '');
  switch (method) {
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return name === undefined ? 'deletecollection' : 'delete';
    default:
      return name !== undefined ? 'get' : watches ? 'watch' : 'list';
  }
}

export const auditEntry = (request: IncomingMessage, { path, query, attributes }: Target): AuditEntry => ({
  at: Date.now(),
  method: request.method ?? 'GET',
  path,
  query: query.toString(),
  verb: attributes.verb,
  group: attributes.group,
  resource: attributes.resource,
  subresource: attributes.subresource,
  namespace: attributes.namespace,
  name: attributes.name,
  userAgent: request.headers['user-agent'] ?? '',
  user: '',
  status: 0,
});
