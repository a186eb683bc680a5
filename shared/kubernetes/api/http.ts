import type { IncomingMessage } from 'node:http';
import http from 'node:http';
import https from 'node:https';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { KubeConnection } from '../connect/connection.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** How long this request may take, with all its tries. */
  readonly timeoutMs?: number;
}

export interface Deadlines {
  /** From the first byte to the last; 0 = no limit. A stream has no limit. */
  readonly wholeMs?: number;
  /** The limit for all tries, of which `wholeMs` is what is left; named in the message. */
  readonly limitMs?: number;
  /** Without a byte in either direction. */
  readonly silenceMs?: number;
}

/** How long to wait for a connection; kubectl waits as long. */
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
      // TCP keep-alive shows a dead network also while a watch is silent for long.
      socket.setKeepAlive(true, 30_000);
      // Node removes its own listener with the answer's last byte: without this one an abort at that moment would end
      // the process.
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
  // `stream/consumers` goes by a Blob, which costs a small answer a tenth of its time.
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece);
  const bytes = Buffer.concat(pieces);
  const plain = response.headers['content-encoding'] === 'gzip' ? await unzip(bytes) : bytes;
  return plain.toString('utf8');
}

/** The `Retry-After` header: seconds, or a date by the server's clock. Undefined if it is absent or invalid. */
export function retryAfterMs({ headers }: Pick<IncomingMessage, 'headers'>): number | undefined {
  const value = headers['retry-after']?.trim();
  if (value === undefined) return undefined;
  const there = Date.parse(headers.date ?? '');
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - (there || Date.now());
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
