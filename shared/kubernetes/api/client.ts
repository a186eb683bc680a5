import { setTimeout as delay } from 'node:timers/promises';
import * as z from 'zod';
import { RestoreHooksError } from '../../core/errors.ts';
import type { KubeConnection } from '../connect/connection.ts';
import { connections } from '../connect/connection.ts';
import type { KubeConfig } from '../connect/kubeconfig.ts';
import { serverUrl } from '../connect/proxy.ts';
import { deniedByAdmission, kubeApiError, refusedByServer, unreachable } from './api-error.ts';
import type { HttpRequest } from './http.ts';
import { bodyOf, retryAfterMs, send } from './http.ts';
import type { KubeObject } from './kube-object.ts';
import { paths } from './paths.ts';
import { rightOfRequest } from './request-right.ts';
import type { WatchEnd, WatchEvent } from './watch-stream.ts';
import { watchStream } from './watch-stream.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface Page {
  readonly items: readonly KubeObject[];
  /** Where a watch may go on, the same on every page. */
  readonly resourceVersion: string;
  /** The list began anew (its continuation had expired): forget the pages before. */
  readonly restarted: boolean;
}

const patchTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;
export type PatchType = keyof typeof patchTypes;

export interface WriteOptions {
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  readonly fieldValidation?: 'Ignore' | 'Warn' | 'Strict';
  /** Be answered with the object's metadata alone. */
  readonly metadataOnly?: boolean;
  /** How long it may take in all, in place of the client's own limit. */
  readonly timeoutMs?: number;
}

export interface DeleteOptions {
  /** Delete this very object, not another that has its name by now (else WRITE_CONFLICT). */
  readonly uid?: string;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  readonly gracePeriodSeconds?: number;
  readonly dryRun?: boolean;
}

/**
 * The API server, JSON in and out. Every method rejects with a RestoreHooksError; `kubeApiError(error)` is what the
 * server said. A refused credential is read anew and tried once more. What was provably not done is tried again: reads
 * on 429, 5xx with Retry-After and dropped connections, writes on 429 only. How long a 429 asks to wait is waited, within
 * the request's own limit. A write that is refused to somebody who has the right is `DENIED`.
 */
export interface KubeClient {
  readonly server: URL;
  get(path: string, query?: Query, options?: Pick<WriteOptions, 'metadataOnly'>): Promise<KubeObject>;
  /** Plain text, such as a pod's log. */
  getText(path: string, query?: Query): Promise<string>;
  /** In pages of 500. */
  list(path: string, query?: Query): AsyncGenerator<Page, void, undefined>;
  listAll(path: string, query?: Query): Promise<{ items: KubeObject[]; resourceVersion: string }>;
  create(path: string, object: object, options?: WriteOptions): Promise<KubeObject>;
  patch(
    path: string,
    body: unknown,
    type: PatchType,
    options?: WriteOptions & { force?: boolean },
  ): Promise<KubeObject>;
  delete(path: string, options?: DeleteOptions): Promise<KubeObject>;
  /** One watch request. Ends once, also on an error; nothing is told after `stop`. Handlers that throw are not caught. */
  watch(
    path: string,
    query: Query,
    onEvent: (event: WatchEvent) => void,
    onEnd: (end: WatchEnd) => void,
    options?: { silenceMs?: number },
  ): () => void;
  /** For the exec transport. */
  connection(): Promise<KubeConnection>;
  /** Read tokens and certificates again before the next request. */
  forgetCredentials(): void;
  close(): void;
}

export interface KubeClientOptions {
  /** For one request with all its tries; 0 or absent = none. Watches are not limited by it. */
  readonly requestTimeoutMs?: number;
  readonly userAgent?: string;
  /** What the API server warns of: deprecations, PodSecurity. */
  readonly onWarning?: (text: string) => void;
  readonly maxRetries?: number;
  /** Told before a long wait that the server has asked for. */
  readonly onWait?: (ms: number) => void;
  /** Told of each answer. The query is left out: an exec's holds its command. */
  readonly onAnswer?: (method: string, path: string, status: number, ms: number) => void;
}

/** The API server gives up on a request after 60 s: longer silence is a dead connection. */
const silenceMs = 75_000;
/** What a server in trouble may ask a reader to wait; who is throttled (429) waits as long as it is told to. */
const longestRetryAfterMs = 30_000;
const longWaitMs = 5_000;
/** Beyond it a timer fires at once. */
const longestTimerMs = 2 ** 31 - 1;
const pageSize = 500;
const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';

export function kubeClient(config: KubeConfig, options: KubeClientOptions = {}): KubeClient {
  const connected = connections(config);
  const server = serverUrl(config.cluster, config.env);
  const maxRetries = options.maxRetries ?? 5;
  const baseHeaders = { accept: 'application/json', 'user-agent': options.userAgent ?? 'kubectl-restorehooks' };

  async function once(request: HttpRequest, until = Number.POSITIVE_INFINITY): Promise<string> {
    const connection = await connected.open();
    const startedAt = performance.now();
    const limitMs = limitOf(request);
    const wholeMs = limitMs > 0 ? Math.max(1, until - startedAt) : 0;
    const response = await send(connection, request, { wholeMs, limitMs, silenceMs }).catch((error: unknown) =>
      Promise.reject(unreachable(server, error)),
    );
    const body = await bodyOf(response).catch((error: unknown) => Promise.reject(unreachable(server, error)));
    warn(response.headers['warning']);
    const status = response.statusCode ?? 0;
    options.onAnswer?.(request.method, request.path.split('?')[0] ?? '', status, performance.now() - startedAt);
    if (status >= 200 && status < 300) return body;
    const wait = retryAfterMs(response);
    throw refusedByServer({
      status,
      body,
      server,
      request: `${request.method} ${request.path.split('?')[0]}`,
      ...(wait !== undefined && { retryAfterMs: wait }),
    });
  }

  const limitOf = ({ timeoutMs = options.requestTimeoutMs ?? 0 }: HttpRequest): number => timeoutMs;

  async function exchange(request: HttpRequest): Promise<string> {
    let refreshed = false;
    const limitMs = limitOf(request);
    // A credential plugin may ask its user: that is no time of the API server's.
    if (limitMs > 0) await connected.open();
    const until = limitMs > 0 ? performance.now() + limitMs : Number.POSITIVE_INFINITY;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await once(request, until);
      } catch (error) {
        if (kubeApiError(error)?.status === 401 && !refreshed) {
          refreshed = true;
          connected.forget();
          continue;
        }
        const wait = retryDelayMs(request, error, attempt);
        if (wait === undefined || attempt >= maxRetries || performance.now() + wait >= until) {
          throw kubeApiError(error)?.status === 403 ? await whyRefused(request, error) : error;
        }
        if (wait >= longWaitMs) options.onWait?.(wait);
        await delay(Math.min(wait, longestTimerMs));
      }
    }
  }

  /** A 403 doesn't tell a missing right from a refusal of this very object: whether the right is there is asked (R7.21). */
  async function whyRefused(request: HttpRequest, error: unknown): Promise<unknown> {
    const resourceAttributes = rightOfRequest(request);
    const answer = kubeApiError(error);
    if (!(error instanceof RestoreHooksError) || resourceAttributes === undefined || answer === undefined) return error;
    // Who grants must hold what he grants: that refusal is one for want of rights, too.
    if (resourceAttributes.group === 'rbac.authorization.k8s.io' && answer.hasDetails) return error;
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes },
    };
    try {
      const said: unknown = JSON.parse(await once(write('POST', paths.selfSubjectAccessReviews(), review, {})));
      const isAllowed = (said as { status?: { allowed?: unknown } } | null)?.status?.allowed === true;
      return isAllowed ? deniedByAdmission(error) : error;
    } catch {
      return error;
    }
  }

  async function json(request: HttpRequest): Promise<KubeObject> {
    const body = await exchange(request);
    try {
      const value: unknown = JSON.parse(body);
      if (typeof value === 'object' && value !== null) return value as KubeObject;
    } catch {
      // Said below: the parser's message quotes the body.
    }
    throw new RestoreHooksError('CLUSTER_UNREACHABLE', `${server.host} answered with something that is not JSON`, {
      hint: `check that ${server.origin} is a Kubernetes API server, and the way there (a proxy, a login page)`,
    });
  }

  const read = (path: string, query?: Query, accept = baseHeaders.accept): HttpRequest => ({
    method: 'GET',
    path: withQuery(path, query),
    headers: { ...baseHeaders, accept, 'accept-encoding': 'gzip' },
  });

  const write = (
    method: 'POST' | 'PATCH' | 'DELETE',
    path: string,
    body: unknown,
    query: Query,
    contentType = 'application/json',
    accept = baseHeaders.accept,
  ): HttpRequest => ({
    method,
    path: withQuery(path, query),
    headers: { ...baseHeaders, accept, 'content-type': contentType },
    body: JSON.stringify(body),
  });

  async function* list(path: string, query: Query = {}): AsyncGenerator<Page, void, undefined> {
    let next: string | undefined;
    let whole = false;
    do {
      let page: z.infer<typeof List>;
      try {
        page = parseList(
          await json(
            read(path, {
              limit: pageSize,
              ...query,
              ...(next && { continue: next }),
              ...(whole && { limit: undefined }),
            }),
          ),
        );
      } catch (error) {
        if (next === undefined || kubeApiError(error)?.status !== 410) throw error;
        // A list that outlives the server's history (5 minutes) would again: ask for all of it at once.
        next = undefined;
        whole = true;
        continue;
      }
      next = page.metadata.continue || undefined;
      yield { items: page.items, resourceVersion: page.metadata.resourceVersion, restarted: whole };
      if (next === undefined) return;
    } while (true);
  }

  function parseList(value: KubeObject): z.infer<typeof List> {
    const parsed = List.safeParse(value);
    if (parsed.success) return parsed.data;
    throw new RestoreHooksError('CLUSTER_UNREACHABLE', `${server.host} answered with something that is not a list`);
  }

  function warn(header: string | string[] | undefined): void {
    if (header === undefined || options.onWarning === undefined) return;
    // Node takes the bytes of a header for Latin-1; the API server writes UTF-8.
    const text = Buffer.from(String(header), 'latin1').toString('utf8');
    for (const [, quoted = ''] of text.matchAll(/\d{3} \S+ ("(?:[^"\\]|\\.)*")/g)) {
      options.onWarning(quoted.slice(1, -1).replace(/\\(.)/g, '$1'));
    }
  }

  return {
    server,
    get: (path, query, { metadataOnly } = {}) => json(read(path, query, metadataOnly ? METADATA_ONLY : undefined)),
    getText: (path, query) => exchange({ ...read(path, query), headers: { ...baseHeaders, accept: '*/*' } }),
    list,
    async listAll(path, query) {
      let items: KubeObject[] = [];
      let resourceVersion = '';
      for await (const page of list(path, query)) {
        items = page.restarted ? [...page.items] : items.concat(page.items);
        resourceVersion = page.resourceVersion;
      }
      return { items, resourceVersion };
    },
    create: (path, object, { dryRun, metadataOnly: _, timeoutMs: __, ...query } = {}) =>
      json(write('POST', path, object, { ...query, ...(dryRun && { dryRun: 'All' }) })),
    patch: (path, body, type, { dryRun, metadataOnly, timeoutMs, ...query } = {}) =>
      json({
        ...write(
          'PATCH',
          path,
          body,
          { ...query, ...(dryRun && { dryRun: 'All' }) },
          patchTypes[type],
          metadataOnly ? METADATA_ONLY : undefined,
        ),
        ...(timeoutMs !== undefined && { timeoutMs }),
      }),
    delete: (path, { uid, dryRun, ...rest } = {}) =>
      json(
        write(
          'DELETE',
          path,
          {
            apiVersion: 'v1',
            kind: 'DeleteOptions',
            ...rest,
            ...(uid !== undefined && { preconditions: { uid } }),
            ...(dryRun && { dryRun: ['All'] }),
          },
          {},
        ),
      ),
    watch(path, query, onEvent, onEnd, { silenceMs = 0 } = {}) {
      const request = { ...read(path, { ...query, watch: true }), headers: baseHeaders };
      return watchStream(connected, request, silenceMs, onEvent, onEnd);
    },
    connection: () => connected.open(),
    forgetCredentials: () => connected.forget(),
    close: () => connected.close(),
  };
}

const List = z.object({
  metadata: z.object({
    resourceVersion: z
      .string()
      .nullish()
      .transform((v) => v ?? ''),
    continue: z.string().nullish(),
  }),
  // Not a schema of what is in it: that would copy every object.
  items: z.custom<readonly KubeObject[]>((value) => value === null || Array.isArray(value)).transform((v) => v ?? []),
});

/** How long to wait before the same request may be sent again; undefined: never. */
function retryDelayMs(request: HttpRequest, error: unknown, attempt: number): number | undefined {
  const backoff = 250 * 2 ** attempt * (0.75 + Math.random() / 2);
  const answer = kubeApiError(error);
  if (answer === undefined) return request.method === 'GET' && wasDropped(error) && attempt === 0 ? 0 : undefined;
  // It names nothing, so it may be a proxy's, or that of an API server that is starting.
  const isVague = answer.status === 404 && error instanceof RestoreHooksError && error.code === 'CLUSTER_UNREACHABLE';
  if (isVague && request.method === 'GET') return attempt < 2 ? backoff : undefined;
  const wait = Math.max(answer.retryAfterMs ?? 0, backoff);
  if (answer.status === 429) return wait;
  if (wait > longestRetryAfterMs) return undefined;
  return request.method === 'GET' &&
    answer.status >= 500 &&
    (answer.retryAfterMs !== undefined || answer.status === 503)
    ? wait
    : undefined;
}

/** A kept-alive connection that the server had just given up looks like this. */
function wasDropped(error: unknown): boolean {
  const cause = error instanceof RestoreHooksError ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && (cause.code === 'ECONNRESET' || cause.code === 'EPIPE');
}

function withQuery(path: string, query: Query = {}): string {
  const given = Object.entries(query).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, String(value)] as [string, string]],
  );
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}
