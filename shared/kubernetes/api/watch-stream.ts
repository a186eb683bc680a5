import type { IncomingMessage } from 'node:http';
import type { RestoreHooksError } from '../../core/errors.ts';
import type { Connections } from '../connect/connection.ts';
import type { ServerUrl } from '../connect/proxy.ts';
import { refusedByServer, unreachable } from './api-error.ts';
import type { HttpRequest } from './http.ts';
import { bodyOf, retryAfterMs, send } from './http.ts';
import type { KubeObject } from './kube-object.ts';
import { lineReader } from './line-reader.ts';

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: KubeObject;
}

/** The end of a watch: with an error, or without one where the server ended it in good order. */
export type WatchEnd = { readonly error?: RestoreHooksError };

/**
 * One watch request, from its first byte to its last. It ends with an error on an ERROR event, and after a silence of
 * `silenceMs` (0: none): a connection that is dead without being closed gives no other sign.
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
  const fail = (why: unknown): void => end({ error: unreachable(server, why) });
  const silence = silenceMs > 0 ? setTimeout(() => fail(new Error('the watch went silent')), silenceMs) : undefined;

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

  function read(line: string): void {
    if (over || line === '') return;
    const event = parseEvent(line);
    if (event === undefined) fail(new Error('the watch was cut in the middle of an event'));
    else if (event.type === 'ERROR') end({ error: errorOf(event.object, server, request) });
    else if (isWatchEvent(event)) onEvent(event);
  }

  async function open(): Promise<void> {
    const connection = await connected.open();
    server = connection.server;
    if (over) return;
    const response = await send(connection, request, {}, abort.signal);
    if (response.statusCode !== 200) {
      end({ error: await refusalOf(response, server, request) });
      return;
    }
    const readLines = lineReader(read);
    response.on('data', (chunk: Buffer) => {
      if (!over) silence?.refresh();
      readLines(chunk);
    });
    response.on('end', () => end({}));
    response.on('error', fail);
    response.on('close', () => fail(new Error('the watch was cut')));
  }

  open().catch((error: unknown) => {
    if (!over) fail(error);
  });
  return stop;
}

interface AnyEvent {
  readonly type?: unknown;
  readonly object?: unknown;
}

/** Undefined: the text is no JSON object, because the stream was cut. */
function parseEvent(line: string): AnyEvent | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isWatchEvent(event: AnyEvent): event is WatchEvent {
  return ['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK'].includes(event.type as string) && isObject(event.object);
}

const isObject = (value: unknown): value is KubeObject => typeof value === 'object' && value !== null;

/** What an ERROR event says: its object is a Status. */
function errorOf(object: unknown, server: ServerUrl, { path }: HttpRequest): RestoreHooksError {
  const status = Number((object as { code?: unknown } | undefined)?.code ?? 500);
  return refusedByServer({ status, body: JSON.stringify(object), server, request: `watch ${path}` });
}

/** What the API server says where it doesn't begin to stream. */
async function refusalOf(
  response: IncomingMessage,
  server: ServerUrl,
  { path }: HttpRequest,
): Promise<RestoreHooksError> {
  const body = await bodyOf(response);
  const wait = retryAfterMs(response);
  const said = { status: response.statusCode ?? 0, body, server, request: `watch ${path.split('?')[0]}` };
  return refusedByServer({ ...said, ...(wait !== undefined && { retryAfterMs: wait }) });
}
