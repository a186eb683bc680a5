import type { KubeObject } from './objects.ts';
import { isRecord } from './objects.ts';
import type { Resource } from './resources.ts';
import { apiVersionOf } from './resources.ts';
import { selectorOf } from './selectors.ts';
import { ApiError, badRequest, expired } from './status.ts';
import type { Store } from './store.ts';

export interface Lists {
  list(of: Resource, namespace: string | undefined, query: URLSearchParams): Record<string, unknown>;
  /** Continue tokens given so far become too old. */
  expire(): void;
}

interface Place {
  readonly version: number;
  /** The name of the last object of the page before. */
  readonly after: string;
}

const keptSnapshots = 1000;

/** Lists in pages: a continue token says after which object to go on, in the list as it was at the first page. */
export function createLists(store: Store): Lists {
  const snapshots = new Map<string, readonly KubeObject[]>();
  const keyOf = (of: Resource, namespace: string | undefined, version: number): string =>
    `${of.group}/${of.resource}/${namespace ?? ''}@${version}`;

  const from = (of: Resource, namespace: string | undefined, place: Place): readonly KubeObject[] => {
    const snapshot = snapshots.get(keyOf(of, namespace, place.version));
    if (place.version > 0 && place.version < store.oldest()) {
      throw expired(tooOldToken, { continue: tokenOf(anyVersion, place.after) });
    }
    const all = snapshot ?? store.list(of, namespace);
    return all.filter((object) => pathOf(object, namespace) > place.after);
  };

  return {
    expire: () => snapshots.clear(),
    list(of, namespace, query) {
      const token = query.get('continue') ?? '';
      const selects = selectorOf(query, of);
      const place = token === '' ? undefined : placeOf(token, query);
      if (place === undefined) assertVersion(store, query);
      const version = place === undefined || place.version === anyVersion ? store.version() : place.version;
      const all = place === undefined ? store.list(of, namespace) : from(of, namespace, place);
      const limit = Math.max(0, Number(query.get('limit') ?? 0)) || Number.POSITIVE_INFINITY;
      const items: KubeObject[] = [];
      let seen = 0;
      for (const object of all) {
        if (items.length >= limit) break;
        seen += 1;
        if (selects(object)) items.push(object);
      }
      const metadata: Record<string, unknown> = { resourceVersion: String(version) };
      if (of.custom) metadata['continue'] = '';
      const last = all[seen - 1];
      if (seen < all.length && last !== undefined) {
        snapshots.set(keyOf(of, namespace, version), all);
        for (const oldest of snapshots.keys()) if (snapshots.size > keptSnapshots) snapshots.delete(oldest);
        metadata['continue'] = tokenOf(version, pathOf(last, namespace));
        const selected = ['labelSelector', 'fieldSelector'].some((name) => (query.get(name) ?? '') !== '');
        if (!selected) metadata['remainingItemCount'] = all.length - seen;
      }
      return {
        kind: `${of.kind}List`,
        apiVersion: apiVersionOf(of),
        metadata,
        items: items.map((object) => (of.custom ? object : withoutType(object))),
      };
    },
  };
}

const tokenVersion = 'meta.k8s.io/v1';
/** Continues in the list as it is now. */
const anyVersion = -1;
const tokenOf = (rv: number, after: string): string =>
  Buffer.from(JSON.stringify({ v: tokenVersion, rv, start: `${after}\u0000` })).toString('base64url');
const tooOldToken =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.';
const pathOf = ({ metadata }: KubeObject, namespace: string | undefined): string =>
  namespace === undefined && metadata.namespace !== undefined
    ? `${metadata.namespace}/${metadata.name}`
    : metadata.name;

function placeOf(token: string, query: URLSearchParams): Place {
  const wrong = (why: string): ApiError => badRequest(`invalid continue token: continue key is not valid: ${why}`);
  if (query.has('resourceVersion')) throw badRequest('specifying resource version is not allowed when using continue');
  const at = /^[A-Za-z0-9_-]*/.exec(token)?.[0].length ?? 0;
  if (at < token.length || token.length % 4 === 1)
    throw wrong(`illegal base64 data at input byte ${at === token.length ? at - 1 : at}`);
  const text = Buffer.from(token, 'base64url').toString();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw wrong(`invalid character '${text[0]}' looking for beginning of value`);
  }
  const { v = '', rv = 0, start = '' } = isRecord(value) ? value : {};
  if (v !== tokenVersion) throw wrong(`server does not recognize this encoded version ${v}`);
  if (rv === 0) throw wrong('incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  if (start === '') throw wrong('encoded start key empty (version meta.k8s.io/v1)');
  const after = String(start).replace(/\0$/, '').replace(/^\//, '');
  if (after.split('/').includes('..')) throw wrong(String(start));
  return { version: Number(rv), after };
}

export function versionOf(query: URLSearchParams, prefix = ''): number {
  const text = query.get('resourceVersion') ?? '';
  if (/^\d*$/.test(text)) return Number(text);
  const quoted = JSON.stringify(text);
  const message = `resourceVersion: Invalid value: ${quoted}: strconv.ParseUint: parsing ${quoted}: invalid syntax`;
  throw prefix === '' ? new ApiError(500, '', message) : badRequest(`${prefix}${message}`);
}

function assertVersion(store: Store, query: URLSearchParams): void {
  const asked = versionOf(query, 'invalid resource version: ');
  if (asked > store.version()) throw tooLargeVersion(asked, store.version());
  if (query.get('resourceVersionMatch') === 'Exact' && asked < store.oldest()) {
    throw expired('The resourceVersion for the provided list is too old.');
  }
}

/** Items of built-in kinds don't repeat the list's kind. */
const withoutType = ({ kind: _, apiVersion: __, ...rest }: KubeObject): unknown => rest;

export const tooLargeVersion = (asked: number, current: number): ApiError =>
  new ApiError(504, 'Timeout', `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
