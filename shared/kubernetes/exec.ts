import type { IncomingMessage } from 'node:http';
import WebSocket from 'ws';
import { RestoreHooksError } from '../core/errors.ts';
import type { ExecOutcome } from '../core/hook.ts';
import type { ExecRequest, HookExec, Output } from '../ports/ports.ts';
import { unreachable } from './api-error.ts';
import type { Connections, KubeConnection } from './connection.ts';
import { dialer } from './exec-dial.ts';
import type { ExecProtocol, Refusal } from './exec-outcome.ts';
import { isProtocolRefused, outcomeOfRefusal, outcomeOfStatus } from './exec-outcome.ts';
import { retryAfterMs } from './http.ts';
import { outputTail } from './output-tail.ts';
import { paths } from './paths.ts';

export interface ExecTiming {
  /** To a connection with TLS. Beyond it nothing was sent, and the exec may be tried again. */
  readonly connectMs: number;
  /** From the request to the answer. Generous: beyond it the command may have been started, and its end is lost. */
  readonly answerMs: number;
  /** How long 403 is taken for an API server that has just started, which may deny what it allows a second later. */
  readonly deniedMs: number;
  /** Between pings; two without an answer are the connection's end. */
  readonly pingMs: number;
}

export interface HookExecOptions {
  /** `none` keeps nothing of what commands print. */
  readonly capture?: 'tail' | 'none';
  /** Asked when all stands but the request itself: until then a lost Lease may still hold it back. */
  readonly mayStart?: () => boolean;
  readonly timing?: Partial<ExecTiming>;
}

const usualTiming: ExecTiming = { connectMs: 30_000, answerMs: 60_000, deniedMs: 3_000, pingMs: 20_000 };

/** A status frame is as long as its command, and a server takes up to 1 MiB of that. */
const maxPayload = 16 * 1024 * 1024;
const maxRefusalBytes = 64 * 1024;
/** All that Go reads of a request's head. What is longer is answered 431, but the answer is often lost as it is still sent. */
const maxPathBytes = 1024 * 1024 + 4096;

/**
 * Runs hooks through `pods/exec`, by WebSocket and `v4.channel.k8s.io`.
 *
 * Not v5, though kubectl and the client libraries ask for it first: v4 ends at the container's own runtime, so that a
 * status is the runtime's; v5 ends at the API server, which takes a kubelet's or runtime's death for success. And v4
 * refuses before the start in HTTP, where v5 opens the stream first. A server that refuses v4 gets v5 for the rest of
 * the run, each exit marked as not proven.
 *
 * Dropping closes the socket: Kubernetes can't stop the command, which may go on running in the container.
 */
export function kubernetesHookExec(
  connections: Pick<Connections, 'open' | 'forget'>,
  { capture = 'tail', mayStart = () => true, timing }: HookExecOptions = {},
): HookExec {
  const dial = dialer();
  const times = { ...usualTiming, ...timing };
  let spoken: ExecProtocol = 'v4';
  let deniedSince: number | undefined;

  const unlessPassing = (outcome: ExecOutcome): ExecOutcome => {
    if (outcome.kind !== 'forbidden') return outcome;
    deniedSince ??= performance.now();
    const isPassing = performance.now() - deniedSince < times.deniedMs;
    return isPassing ? { kind: 'notStarted', why: outcome.message } : outcome;
  };

  return {
    start(request, answer) {
      const tails = capture === 'none' ? [] : [outputTail(), outputTail()];
      let over = false;
      let refreshed = false;
      let hangUp = () => {};

      const end = (outcome: ExecOutcome): void => {
        if (over) return;
        over = true;
        answer.ended(outcome, outputOf(tails[0]?.text(), tails[1]?.text()));
      };

      const attempt = (): void => {
        connections.open().then(
          (connection) => {
            if (!over) exchange(connection);
          },
          (error) => end(notStarted(error)),
        );
      };

      const exchange = (connection: KubeConnection): void => {
        const protocol = spoken;
        hangUp = openStream(dial, connection, execPath(request), protocol, times, {
          mayAsk: mayStart,
          upgraded(negotiated) {
            // The command may run already: it is not asked for again, the next one is.
            if (negotiated !== subprotocols[protocol]) spoken = 'v5';
            deniedSince = undefined;
            answer.started();
          },
          printed: (channel, bytes) => tails[channel - 1]?.add(bytes),
          ended(ending) {
            if (ending.kind === 'refused') refused(ending.refusal, protocol);
            else end(outcomeOf(ending, connection, protocol));
          },
        });
      };

      const refused = (refusal: Refusal, protocol: ExecProtocol): void => {
        if (refusal.status === 401 && !refreshed) {
          refreshed = true;
          connections.forget();
          attempt();
        } else if (protocol === 'v4' && isProtocolRefused(refusal)) {
          spoken = 'v5';
          attempt();
        } else {
          end(unlessPassing(outcomeOfRefusal(refusal, request)));
        }
      };

      if (execPath(request).length > maxPathBytes) {
        queueMicrotask(() =>
          end({ kind: 'error', message: 'the command is longer than the API server takes (1 MiB)' }),
        );
      } else {
        attempt();
      }
      return () => {
        over = true;
        hangUp();
      };
    },
  };
}

function outcomeOf(
  ending: Exclude<Ending, { kind: 'refused' }>,
  { server }: KubeConnection,
  protocol: ExecProtocol,
): ExecOutcome {
  switch (ending.kind) {
    case 'heldBack':
      return { kind: 'notStarted', why: 'this runner could not renew its Lease in time' };
    case 'unreachable':
      return notStarted(unreachable(server, ending.error));
    case 'invalid':
      return { kind: 'error', message: `the request can't be sent: ${ending.error.message}` };
    case 'status':
      return outcomeOfStatus(ending.frame, protocol);
    case 'lost':
      return { kind: 'connectionLost', message: ending.why };
  }
}

const notStarted = (error: unknown): ExecOutcome => ({
  kind: 'notStarted',
  why: error instanceof RestoreHooksError ? error.message : `no connection to the API server: ${String(error)}`,
});

function outputOf(stdout: string | undefined, stderr: string | undefined): Output {
  return { ...(stdout !== undefined && { stdout }), ...(stderr !== undefined && { stderr }) };
}

function execPath({ namespace, pod, container, command }: ExecRequest): string {
  const query = new URLSearchParams({ container, stdout: 'true', stderr: 'true' });
  for (const argument of command) query.append('command', argument);
  return `${paths.podExec(namespace, pod)}?${query}`;
}

const subprotocols = { v4: 'v4.channel.k8s.io', v5: 'v5.channel.k8s.io' } as const;

/** How one exec's stream ended. */
type Ending =
  /** Before a byte of the request was written. */
  | { readonly kind: 'unreachable'; readonly error: Error }
  /** Likewise: the connection stood, and the request was not to be written any more. */
  | { readonly kind: 'heldBack' }
  /** The request was never a valid one. */
  | { readonly kind: 'invalid'; readonly error: Error }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'status'; readonly frame: Buffer }
  | { readonly kind: 'lost'; readonly why: string };

interface StreamListener {
  mayAsk(): boolean;
  upgraded(negotiated: string | undefined): void;
  printed(channel: 1 | 2, bytes: Buffer): void;
  ended(ending: Ending): void;
}

/**
 * One exec's connection, from dialing to its end, which is told once; after the returned function, nothing is told.
 *
 * The request is given to a connection only when that stands. From then on it counts as written whole: the system may
 * have sent its last byte before we hear so.
 */
function openStream(
  dial: ReturnType<typeof dialer>,
  connection: KubeConnection,
  path: string,
  protocol: ExecProtocol,
  times: ExecTiming,
  listener: StreamListener,
): () => void {
  let over = false;
  let pings: NodeJS.Timeout | undefined;
  let deadline = setTimeout(
    () => end({ kind: 'unreachable', error: new Error(`no connection within ${times.connectMs / 1000}s`) }),
    times.connectMs,
  );
  let close = dial(connection, (error, socket) => {
    if (socket === undefined) end({ kind: 'unreachable', error: error ?? new Error('no connection') });
    else if (listener.mayAsk()) ask(socket);
    else end({ kind: 'heldBack' });
  });

  function stop(): void {
    over = true;
    clearTimeout(deadline);
    clearInterval(pings);
    close();
  }

  function end(ending: Ending): void {
    if (over) return;
    stop();
    listener.ended(ending);
  }

  const lose = (why: string): void => end({ kind: 'lost', why });

  function ask(socket: NonNullable<Parameters<Parameters<typeof dial>[1]>[1]>): void {
    clearTimeout(deadline);
    deadline = setTimeout(() => lose(`no answer within ${times.answerMs / 1000}s`), times.answerMs);
    const { server, headers } = connection;
    let ws: WebSocket;
    try {
      ws = new WebSocket(new URL(server.pathname.replace(/\/$/, '') + path, server), [subprotocols[protocol]], {
        headers: headers as Record<string, string>,
        createConnection: () => socket,
        perMessageDeflate: false,
        maxPayload,
      });
    } catch (error) {
      socket.destroy();
      end({ kind: 'invalid', error: error as Error });
      return;
    }
    close = () => ws.terminate();
    ws.on('unexpected-response', (_request, response) => readRefusal(response));
    ws.on('upgrade', (response) => {
      if (over) return;
      clearTimeout(deadline);
      listener.upgraded(response.headers['sec-websocket-protocol']);
    });
    ws.on('open', () => keepAlive(ws));
    ws.on('message', (data: Buffer) => received(data));
    ws.on('error', ({ message }) => lose(`the connection broke: ${message}`));
    ws.on('close', (code) => lose(`the connection was closed (${code}) before the command's end was told`));
  }

  function received(frame: Buffer): void {
    if (over) return;
    const channel = frame[0];
    if (channel === 1 || channel === 2) listener.printed(channel, frame.subarray(1));
    else if (channel === 3 && frame.length > 1) end({ kind: 'status', frame: frame.subarray(1) });
    // 255 is v5's word that a channel is closed: the status says all that matters.
  }

  function keepAlive(ws: WebSocket): void {
    if (over) return;
    let unanswered = 0;
    ws.on('pong', () => {
      unanswered = 0;
    });
    pings = setInterval(() => {
      if (unanswered >= 2) return lose('the connection went silent: two pings without an answer');
      unanswered += 1;
      ws.ping();
    }, times.pingMs);
  }

  function readRefusal(response: IncomingMessage): void {
    const chunks: Buffer[] = [];
    let length = 0;
    const told = (): void => {
      const wait = retryAfterMs(response);
      const body = Buffer.concat(chunks).toString('utf8');
      const { statusCode: status = 0, complete } = response;
      const refusal = { status, body, isCut: !complete, ...(wait !== undefined && { retryAfterMs: wait }) };
      end({ kind: 'refused', refusal });
    };
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= maxRefusalBytes) told();
    });
    response.on('end', told);
    // The status alone still says much.
    response.on('error', told);
    response.on('close', told);
    clearTimeout(deadline);
    deadline = setTimeout(told, times.answerMs);
  }

  return stop;
}
