import type { IncomingMessage } from 'node:http';
import http from 'node:http';
import https from 'node:https';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { KubeConnection } from '../connect/connection.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** How long this one may take, with all its tries. */
  readonly timeoutMs?: number;
}

export interface Deadlines {
  /** From the first byte to the last; 0 = none. A stream has none. */
  readonly wholeMs?: number;
  /** What `wholeMs` is the rest of. */
  readonly limitMs?: number;
  /** Without a byte in either direction. */
  readonly silenceMs?: number;
}

/** Below it nothing has been sent; kubectl waits as long. */
const connectTimeoutMs = 30_000;

/** Send a request and resolve with the answer's head. Rejects with the bare Node error. */
export function send(
  connection: KubeConnection,
  request: HttpRequest,
  deadlines: Deadlines,
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  const { server, agent, headers, tls } = connection;
  const scheme = server.protocol === 'http:' ? http : https;
  return new Promise((resolve, reject) => {
    let answer: IncomingMessage | undefined;
    const outgoing = scheme.request(
      {
        ...tls,
        host: server.hostname.replace(/^\[|\]$/g, ''),
        port: server.port || (server.protocol === 'http:' ? 80 : 443),
        path: server.pathname.replace(/\/$/, '') + request.path,
        method: request.method,
        agent,
        headers: {
          ...request.headers,
          ...headers,
          ...(request.body !== undefined && { 'content-length': Buffer.byteLength(request.body) }),
        },
        ...(signal && { signal }),
      },
      (response) => {
        answer = response;
        resolve(response);
      },
    );
    const { wholeMs = 0, limitMs = wholeMs, silenceMs = 0 } = deadlines;
    const fail = (what: string) => (answer ?? outgoing).destroy(new Error(what));
    const timers = [
      ...(wholeMs > 0
        ? [setTimeout(() => fail(`no answer within ${limitMs / 1000}s (--request-timeout)`), wholeMs)]
        : []),
    ];
    outgoing.on('socket', (socket) => {
      // Also on the long silence of a watch the network's death must show.
      socket.setKeepAlive(true, 30_000);
      // Node takes its own listener away with the answer's last byte: an abort at that moment would end the process.
      if (!socket.listeners('error').includes(heard)) socket.on('error', heard);
      if (!socket.connecting) return;
      const connecting = setTimeout(() => fail('no connection within 30s'), connectTimeoutMs);
      timers.push(connecting);
      socket.once('connect', () => clearTimeout(connecting));
    });
    if (silenceMs > 0)
      outgoing.setTimeout(silenceMs, () => fail(`the server has sent nothing for ${silenceMs / 1000}s`));
    outgoing.on('error', reject);
    outgoing.on('close', () => {
      for (const timer of timers) clearTimeout(timer);
    });
    outgoing.end(request.body);
  });
}

const heard = (): void => undefined;

const unzip = promisify(gunzip);

export async function bodyOf(response: IncomingMessage): Promise<string> {
  const bytes = await buffer(response);
  const plain = response.headers['content-encoding'] === 'gzip' ? await unzip(bytes) : bytes;
  return plain.toString('utf8');
}

/** Seconds, or a date by the server's own clock; absent or nonsense: undefined. */
export function retryAfterMs({ headers }: Pick<IncomingMessage, 'headers'>): number | undefined {
  const value = headers['retry-after']?.trim();
  if (value === undefined) return undefined;
  const there = Date.parse(headers.date ?? '');
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - (there || Date.now());
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
