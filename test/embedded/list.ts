import type { KubeObject } from './objects.ts';
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

interface Rest {
  readonly version: number;
  readonly items: readonly KubeObject[];
}

const keptRests = 1000;

/** Lists in pages: a page's continue token stands for the rest of the list as it was at the first page. */
export function createLists(store: Store): Lists {
  const rests = new Map<string, Rest>();
  let tokens = 0;

  const restOf = (token: string): Rest => {
    if (!/^[A-Za-z0-9+/]+=*$/.test(token) || !Buffer.from(token, 'base64').toString().startsWith('{"v"')) {
      throw badRequest('invalid continue token: continue key is not valid: invalid character');
    }
    const rest = rests.get(token);
    if (rest === undefined) {
      throw expired(
        'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.',
      );
    }
    return rest;
  };

  return {
    expire: () => rests.clear(),
    list(of, namespace, query) {
      const token = query.get('continue') ?? '';
      const asked = Number(query.get('resourceVersion') ?? 0);
      if (asked > store.version()) throw tooLargeVersion(asked, store.version());
      const selects = selectorOf(query, of);
      const { version, items } =
        token === '' ? { version: store.version(), items: store.list(of, namespace).filter(selects) } : restOf(token);
      const limit = Number(query.get('limit') ?? 0) || items.length;
      const left = items.slice(limit);
      const metadata: Record<string, unknown> = { resourceVersion: String(version) };
      if (left.length > 0) {
        tokens += 1;
        const next = Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: version, start: tokens })).toString(
          'base64',
        );
        rests.set(next, { version, items: left });
        for (const oldest of rests.keys()) if (rests.size > keptRests) rests.delete(oldest);
        metadata['continue'] = next;
        metadata['remainingItemCount'] = left.length;
      }
      return {
        kind: `${of.kind}List`,
        apiVersion: apiVersionOf(of),
        metadata,
        items: items.slice(0, limit).map((object) => (of.custom ? object : withoutType(object))),
      };
    },
  };
}

/** Items of built-in kinds don't repeat the list's kind. */
const withoutType = ({ kind: _, apiVersion: __, ...rest }: KubeObject): unknown => rest;

export const tooLargeVersion = (asked: number, current: number): ApiError =>
  new ApiError(504, 'Timeout', `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
