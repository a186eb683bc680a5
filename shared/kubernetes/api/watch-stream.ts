import { StringDecoder } from 'node:string_decoder';
import type { RestoreHooksError } from '../../core/errors.ts';
import type { Connections } from '../connect/connection.ts';
import type { ServerUrl } from '../connect/proxy.ts';
import { refusedByServer, unreachable } from './api-error.ts';
import type { HttpRequest } from './http.ts';
import { bodyOf, retryAfterMs, send } from './http.ts';
import type { KubeObject } from './kube-object.ts';

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: KubeObject;
}

/** Why a watch is over: the server ended it as servers do, or something went wrong. */
export type WatchEnd = { readonly error?: RestoreHooksError };

/**
 * One watch request, from its first byte to its last. An ERROR event is the end, with that error; so is a silence of
 * `silenceMs` (0: none), as nothing else tells of a connection that only seems to stand.
 */
export function watchStream(
  connected: Pick<Connections, 'open'>,
  request: HttpRequest,
  silenceMs: number,
  onEvent: (event: WatchEvent) => void,
  onEnd: (end: WatchEnd) => void,
): () => void {
  const abort = new AbortController();
  let over = false;
  let server: ServerUrl = new URL('http://unknown');
  const silence =
    silenceMs > 0
      ? setTimeout(() => end({ error: unreachable(server, new Error('the watch went silent')) }), silenceMs)
      : undefined;

  function end(result: WatchEnd): void {
    if (over) return;
    stop();
    // Outside of any promise, which would swallow what a handler throws.
    queueMicrotask(() => onEnd(result));
  }

  function stop(): void {
    over = true;
    clearTimeout(silence);
    abort.abort();
  }

  function line(text: string): void {
    if (over || text === '') return;
    let event: { type?: unknown; object?: unknown };
    try {
      event = JSON.parse(text);
    } catch {
      end({ error: unreachable(server, new Error('the watch was cut in the middle of an event')) });
      return;
    }
    const { type, object } = event;
    if (type === 'ERROR') {
      const status = Number((object as { code?: unknown } | undefined)?.code ?? 500);
      end({
        error: refusedByServer({ status, body: JSON.stringify(object), server, request: `watch ${request.path}` }),
      });
    } else if (isEventType(type) && typeof object === 'object' && object !== null) {
      onEvent({ type, object: object as KubeObject });
    }
  }

  async function open(): Promise<void> {
    const connection = await connected.open();
    server = connection.server;
    if (over) return;
    const response = await send(connection, request, {}, abort.signal);
    if (response.statusCode !== 200) {
      const body = await bodyOf(response);
      const wait = retryAfterMs(response);
      const said = { status: response.statusCode ?? 0, body, server, request: `watch ${request.path.split('?')[0]}` };
      end({ error: refusedByServer({ ...said, ...(wait !== undefined && { retryAfterMs: wait }) }) });
      return;
    }
    const decoder = new StringDecoder('utf8');
    // Joined only once the line is whole: a large object comes in many chunks.
    let parts: string[] = [];
    response.on('data', (chunk: Buffer) => {
      if (!over) silence?.refresh();
      const text = decoder.write(chunk);
      let from = 0;
      for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', from)) {
        parts.push(text.slice(from, at));
        from = at + 1;
        const whole = parts.join('');
        parts = [];
        line(whole);
      }
      if (from < text.length) parts.push(text.slice(from));
    });
    response.on('end', () => end({}));
    response.on('error', (error) => end({ error: unreachable(server, error) }));
    response.on('close', () => end({ error: unreachable(server, new Error('the watch was cut')) }));
  }

  open().catch((error: unknown) => {
    if (!over) end({ error: unreachable(server, error) });
  });
  return stop;
}

function isEventType(type: unknown): type is WatchEvent['type'] {
  return type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED' || type === 'BOOKMARK';
}
