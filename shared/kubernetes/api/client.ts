import type { KubeConnection } from '../connect/connection.ts';
import { connections } from '../connect/connection.ts';
import type { KubeConfig } from '../connect/kubeconfig.ts';
import { serverUrl } from '../connect/proxy.ts';
import type { ExchangeOptions, OnAnswer } from './exchange.ts';
import { Exchange } from './exchange.ts';
import type { KubeObject } from './kube-object.ts';
import type { LineHandlers } from './line-stream.ts';
import { lineStream } from './line-stream.ts';
import type { Page } from './list-pages.ts';
import { joinPages, listPages } from './list-pages.ts';
import type { DeleteOptions, PatchType, Query, ReadOptions, WriteOptions } from './requests.ts';
import { kubeRequests } from './requests.ts';
import type { WatchEnd, WatchEvent } from './watch-stream.ts';
import { watchStream } from './watch-stream.ts';

export type { Page } from './list-pages.ts';
export type { PatchType, Query } from './requests.ts';

/**
 * The API server, JSON in and out. Every method rejects with a RestoreHooksError; `kubeApiError(error)` is what the
 * server said. A refused credential is read anew and tried once more. A request that was provably not carried out is
 * sent again: a read on 429, on 5xx with Retry-After and on a dropped connection, a write on 429 only. The wait that a
 * 429 asks for is kept, within the request's own limit. A write that is refused to a caller who has the right rejects
 * with `DENIED`.
 */
export interface KubeClient {
  readonly server: URL;
  get(path: string, query?: Query, options?: ReadOptions): Promise<KubeObject>;
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
  /**
   * One watch request. `onEnd` is called once, also after an error; nothing is called after the returned function. What
   * a handler throws is not caught.
   */
  watch(
    path: string,
    query: Query,
    onEvent: (event: WatchEvent) => void,
    onEnd: (end: WatchEnd) => void,
    options?: { silenceMs?: number },
  ): () => void;
  /** Plain text as it comes, line by line: a pod's log with `follow`. Returns how to stop. */
  followText(path: string, query: Query, handlers: LineHandlers): () => void;
  /** Also tell this listener of answers, from now on. */
  onAnswer(heard: OnAnswer): void;
  /** For the exec transport. */
  connection(): Promise<KubeConnection>;
  /** Read tokens and certificates again before the next request. */
  forgetCredentials(): void;
  close(): void;
}

export interface KubeClientOptions extends ExchangeOptions {
  readonly userAgent?: string;
}

export function kubeClient(config: KubeConfig, options: KubeClientOptions = {}): KubeClient {
  const connected = connections(config);
  const server = serverUrl(config.cluster, config.env);
  const requests = kubeRequests(options.userAgent ?? 'kubectl-restorehooks');
  const listeners: OnAnswer[] = options.onAnswer === undefined ? [] : [options.onAnswer];
  const onAnswer: OnAnswer = (...told) => listeners.forEach((heard) => void heard(...told));
  const exchange = new Exchange(connected, server, requests, { ...options, onAnswer });
  const list = (path: string, query: Query = {}) =>
    listPages((page) => exchange.json(requests.get(path, page)), query, server.host);
  return {
    server,
    get: (...args) => exchange.json(requests.get(...args)),
    getText: (...args) => exchange.text(requests.getText(...args)),
    list,
    listAll: (...args) => joinPages(list(...args)),
    create: (...args) => exchange.json(requests.create(...args)),
    patch: (...args) => exchange.json(requests.patch(...args)),
    delete: (...args) => exchange.json(requests.delete(...args)),
    watch(path, query, onEvent, onEnd, { silenceMs = 0 } = {}) {
      const startedAt = performance.now();
      let isTold = false;
      const answered = (status?: number): void => {
        if (isTold) return;
        isTold = true;
        onAnswer('WATCH', path, status, performance.now() - startedAt);
      };
      const ended = (end: WatchEnd): void => {
        answered();
        onEnd(end);
      };
      return watchStream(connected, requests.watch(path, query), silenceMs, onEvent, ended, answered);
    },
    onAnswer: (heard) => void listeners.push(heard),
    followText: (path, query, handlers) => lineStream(connected, requests.getText(path, query), 'log', handlers).stop,
    connection: () => connected.open(),
    forgetCredentials: () => connected.forget(),
    close: () => connected.close(),
  };
}
