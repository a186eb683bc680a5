import type { IncomingMessage } from 'node:http';
import type { RestoreHooksError } from '../../core/errors.ts';
import type { Connections } from '../connect/connection.ts';
import type { ServerUrl } from '../connect/proxy.ts';
import { refusedByServer } from './api-error.ts';
import type { HttpRequest } from './http.ts';
import { bodyOf, retryAfterMs, send } from './http.ts';
import { lineReader } from './line-reader.ts';
import { unreachable } from './unreachable.ts';

/** The end of a stream: with an error, or without one where the server ended it in good order. */
export type StreamEnd = { readonly error?: RestoreHooksError };

export interface LineHandlers {
  line(line: string): void;
  /** With the status of the answer. */
  answered?(status: number): void;
  /** With each chunk that comes in. */
  heard?(): void;
  /** Once, also after an error. What it throws is not caught. */
  end(end: StreamEnd): void;
}

/** A stream that is read. */
export interface LineStream {
  /** Nothing is called any more. */
  stop(): void;
  /** Stop, and call the handler. */
  end(end: StreamEnd): void;
  /** End it as broken, for this reason. */
  fail(why: unknown): void;
  /** The server that was asked, for messages. */
  readonly server: ServerUrl;
}

/** One request whose answer is read line by line, from its first byte to its last. `what`: `watch`, for messages. */
export function lineStream(
  connected: Pick<Connections, 'open'>,
  request: HttpRequest,
  what: string,
  handlers: LineHandlers,
): LineStream {
  const abort = new AbortController();
  let over = false;
  let server: ServerUrl = new URL('http://unknown');
  const fail = (why: unknown): void => end({ error: unreachable(server, why) });

  function end(result: StreamEnd): void {
    if (over) return;
    stop();
    // Outside of any promise, which would swallow what a handler throws.
    queueMicrotask(() => handlers.end(result));
  }

  function stop(): void {
    over = true;
    abort.abort();
  }

  async function open(): Promise<void> {
    const connection = await connected.open();
    server = connection.server;
    if (over) return;
    const response = await send(connection, request, {}, abort.signal);
    handlers.answered?.(response.statusCode ?? 0);
    if (response.statusCode !== 200) {
      end({ error: await refusalOf(response, server, request, what) });
      return;
    }
    const readLines = lineReader((line) => {
      if (!over && line !== '') handlers.line(line);
    });
    response.on('data', (chunk: Buffer) => {
      if (!over) handlers.heard?.();
      readLines(chunk);
    });
    response.on('end', () => end({}));
    response.on('error', fail);
    response.on('close', () => fail(new Error(`the ${what} was cut`)));
  }

  open().catch((error: unknown) => {
    if (!over) fail(error);
  });
  return {
    stop,
    fail,
    end,
    get server() {
      return server;
    },
  };
}

/** What the API server says where it doesn't begin to stream. */
async function refusalOf(
  response: IncomingMessage,
  server: ServerUrl,
  { path }: HttpRequest,
  what: string,
): Promise<RestoreHooksError> {
  const body = await bodyOf(response);
  const wait = retryAfterMs(response);
  const said = { status: response.statusCode ?? 0, body, server, request: `${what} ${path.split('?')[0]}` };
  return refusedByServer({ ...said, ...(wait !== undefined && { retryAfterMs: wait }) });
}
