import type { Duplex } from 'node:stream';
import WebSocket from 'ws';
import type { ExecOutcome } from '../../core/model/hook.ts';
import type { KubeConnection } from '../connect/connection.ts';
import type { dialer } from './exec-dial.ts';
import type { ExecProtocol, Refusal } from './exec-outcome.ts';
import type { KeepAliveTimes } from './keep-alive.ts';
import { keepAlive } from './keep-alive.ts';
import { readRefusal } from './read-refusal.ts';

export interface StreamTimes extends KeepAliveTimes {
  /** Until the connection stands, with TLS. Nothing is sent before, so the exec may be tried again. */
  readonly connectMs: number;
  /** From the request to the answer. Long, because without the answer the command may run and its result is lost. */
  readonly answerMs: number;
}

export interface StreamRequest {
  readonly connection: KubeConnection;
  readonly path: string;
  readonly protocol: ExecProtocol;
  readonly times: StreamTimes;
}

/** How one exec's stream ended. */
export type Ending =
  /** No connection: no byte of the request was written. */
  | { readonly kind: 'unreachable'; readonly error: Error }
  /** The connection stood, but the listener decided not to send the request. */
  | { readonly kind: 'instead'; readonly outcome: ExecOutcome }
  /** The request is invalid and was not sent. */
  | { readonly kind: 'invalid'; readonly error: Error }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'status'; readonly frame: Buffer }
  | { readonly kind: 'lost'; readonly why: string };

export interface StreamListener {
  /** Must call `go` once; with an outcome, the request isn't sent. The returned function cancels that. */
  mayAsk(go: (instead?: ExecOutcome) => void): () => void;
  upgraded(negotiated: string | undefined): void;
  printed(channel: 1 | 2, bytes: Buffer): void;
  ended(ending: Ending): void;
}

export const SUBPROTOCOLS = { v4: 'v4.channel.k8s.io', v5: 'v5.channel.k8s.io' } as const;

/** A status frame is as long as its command, and a server accepts up to 1 MiB of that. */
const MAX_PAYLOAD = 16 * 1024 * 1024;

/**
 * Opens one exec's connection and calls the listener, `ended` once and last. After the returned function was called,
 * the listener is not called any more.
 *
 * The request is sent only when the connection stands. From then on it counts as sent completely, because the system
 * may have sent its last byte before we learn of it.
 */
export function openStream(
  dial: ReturnType<typeof dialer>,
  request: StreamRequest,
  listener: StreamListener,
): () => void {
  const stream = new Stream(request, listener);
  stream.open(dial);
  return () => stream.stop();
}

class Stream {
  readonly #request: StreamRequest;
  readonly #listener: StreamListener;
  #over = false;
  /** Stops the timer of the current step: the connection, the answer, or the body of a refusal. */
  #stopWaiting = (): void => {};
  #stopKeepAlive = (): void => {};
  #close = (): void => {};

  constructor(request: StreamRequest, listener: StreamListener) {
    this.#request = request;
    this.#listener = listener;
  }

  open(dial: ReturnType<typeof dialer>): void {
    const { connection, times } = this.#request;
    this.#within(times.connectMs, () => this.#fail(`no connection within ${times.connectMs / 1000}s`));
    this.#close = dial(connection, (error, socket) => {
      if (socket !== undefined) this.#connected(socket);
      else this.#end({ kind: 'unreachable', error: error ?? new Error('no connection') });
    });
  }

  stop(): void {
    this.#over = true;
    this.#stopWaiting();
    this.#stopKeepAlive();
    this.#close();
  }

  /** The connection stands: ask the listener whether the request may be sent. */
  #connected(socket: Duplex): void {
    this.#stopWaiting();
    // It may break while the listener decides.
    socket.on('error', () => {});
    const hangUp = this.#close;
    let stopAsking = (): void => {};
    this.#close = () => {
      stopAsking();
      hangUp();
    };
    stopAsking = this.#listener.mayAsk((instead) => {
      if (this.#over) return;
      if (instead !== undefined) this.#end({ kind: 'instead', outcome: instead });
      else if (socket.destroyed) this.#fail('the connection was closed');
      else this.#ask(socket);
    });
  }

  #ask(socket: Duplex): void {
    const { answerMs } = this.#request.times;
    this.#within(answerMs, () => this.#lose(`no answer within ${answerMs / 1000}s`));
    let ws: WebSocket;
    try {
      ws = this.#upgrade(socket);
    } catch (error) {
      socket.destroy();
      this.#end({ kind: 'invalid', error: error as Error });
      return;
    }
    this.#close = () => ws.terminate();
    ws.on('unexpected-response', (_request, response) => {
      if (this.#over) return;
      this.#stopWaiting();
      this.#stopWaiting = readRefusal(response, answerMs, (refusal) => this.#end({ kind: 'refused', refusal }));
    });
    ws.on('upgrade', (response) => {
      if (this.#over) return;
      this.#stopWaiting();
      this.#listener.upgraded(response.headers['sec-websocket-protocol']);
    });
    ws.on('open', () => this.#opened(ws));
    ws.on('message', (data: Buffer) => this.#received(data));
    ws.on('error', ({ message }) => this.#lose(`the connection broke: ${message}`));
    ws.on('close', (code) =>
      this.#lose(`the connection was closed (${code}) before the end of the command was reported`),
    );
  }

  #upgrade(socket: Duplex): WebSocket {
    const { connection, path, protocol } = this.#request;
    const { server, headers } = connection;
    return new WebSocket(new URL(server.pathname.replace(/\/$/, '') + path, server), [SUBPROTOCOLS[protocol]], {
      headers: headers as Record<string, string>,
      createConnection: () => socket,
      perMessageDeflate: false,
      maxPayload: MAX_PAYLOAD,
    });
  }

  #opened(ws: WebSocket): void {
    if (this.#over) return;
    const silent = (): void => this.#lose('the connection went silent: two pings without an answer');
    this.#stopKeepAlive = keepAlive(ws, this.#request.times, ws.protocol === SUBPROTOCOLS.v4, silent);
  }

  #received(frame: Buffer): void {
    if (this.#over) return;
    const channel = frame[0];
    if (channel === 1 || channel === 2) this.#listener.printed(channel, frame.subarray(1));
    else if (channel === 3 && frame.length > 1) this.#end({ kind: 'status', frame: frame.subarray(1) });
    // On channel 255, v5 says which channels are closed; the status is all that matters here.
  }

  #within(ms: number, late: () => void): void {
    const timer = setTimeout(late, ms);
    this.#stopWaiting = () => clearTimeout(timer);
  }

  #fail(why: string): void {
    this.#end({ kind: 'unreachable', error: new Error(why) });
  }

  /** The request was sent, so the command may be running (R4.4). */
  #lose(why: string): void {
    this.#end({ kind: 'lost', why });
  }

  #end(ending: Ending): void {
    if (this.#over) return;
    this.stop();
    this.#listener.ended(ending);
  }
}
