import type { KubeObject } from './objects.ts';
import type { Resource } from './resources.ts';
import { apiVersionOf } from './resources.ts';
import { selectorOf } from './selectors.ts';
import { ApiError, expired } from './status.ts';
import type { Change, Store } from './store.ts';

export interface WatchRequest {
  readonly of: Resource;
  readonly namespace: string | undefined;
  readonly query: URLSearchParams;
  readonly bookmarkInterval: number;
  readonly send: (event: { type: string; object: unknown }) => void;
  readonly end: () => void;
}

/** Send what has changed since the asked version, then every change as it comes; the answer stops it. */
export function startWatch(store: Store, request: WatchRequest): () => void {
  const { of, namespace, query, send } = request;
  const selects = selectorOf(query, of);
  const wants = (object: KubeObject | undefined): boolean =>
    object !== undefined && (namespace === undefined || object.metadata.namespace === namespace) && selects(object);
  const asked = query.get('resourceVersion') ?? '';
  if (!/^\d*$/.test(asked)) {
    const message = `resourceVersion: Invalid value: "${asked}": strconv.ParseUint: parsing "${asked}": invalid syntax`;
    throw new ApiError(500, '', message);
  }
  const fromNow = asked === '' || asked === '0';
  const from = fromNow ? store.version() : Number(asked);
  if (from < store.oldest()) {
    send({ type: 'ERROR', object: expired(`too old resource version: ${from} (${store.oldest()})`).toStatus() });
    request.end();
    return () => {};
  }

  const pass = (change: Change): void => {
    if (change.of !== of || change.version <= from) return;
    const event = seenThrough(change, wants);
    if (event !== undefined) send(event);
  };
  const bookmark = (): void => {
    const metadata = { resourceVersion: String(Math.max(store.version(), from)) };
    send({ type: 'BOOKMARK', object: { kind: of.kind, apiVersion: apiVersionOf(of), metadata } });
  };
  const bookmarks = query.get('allowWatchBookmarks') === 'true';

  if (fromNow) for (const object of store.list(of).filter(wants)) send({ type: 'ADDED', object });
  else for (const change of store.changesAfter(from)) pass(change);
  const unsubscribe = store.subscribe(pass);
  const interval = bookmarks ? setInterval(bookmark, request.bookmarkInterval).unref() : undefined;
  const seconds = Number(query.get('timeoutSeconds') ?? '') || 1800 + Math.random() * 1800;
  const stop = (): void => {
    unsubscribe();
    clearInterval(interval);
    clearTimeout(timer);
  };
  const timer = setTimeout(() => {
    if (bookmarks) bookmark();
    stop();
    request.end();
  }, seconds * 1000).unref();
  return stop;
}

/** A change as a watch with a selector shows it: an object that leaves the selection is DELETED. */
function seenThrough(change: Change, wants: (object: KubeObject | undefined) => boolean) {
  const was = wants(change.previous);
  const is = change.type !== 'DELETED' && wants(change.object);
  if (is) return { type: was ? 'MODIFIED' : 'ADDED', object: change.object };
  if (!was) return undefined;
  if (change.type === 'DELETED' || change.previous === undefined) return { type: 'DELETED', object: change.object };
  const { resourceVersion } = change.object.metadata;
  const metadata = { ...change.previous.metadata, ...(resourceVersion === undefined ? {} : { resourceVersion }) };
  return { type: 'DELETED', object: { ...change.previous, metadata } };
}
