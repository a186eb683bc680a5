import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import { WebSocketServer } from 'ws';
import type { RunningContainer } from './kubelet.ts';
import type { Pod } from './objects.ts';
import type { Ending, Processes } from './processes.ts';
import type { ApiError } from './status.ts';
import { badRequest } from './status.ts';

export type ExecProtocol = 'v4.channel.k8s.io' | 'v5.channel.k8s.io';

export interface ExecRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
  readonly user: string;
}

/** Scripts an exec for which no process is started. */
export interface ExecScript {
  /** Answered in HTTP, before the stream opens. A text is the kubelet's plain one, an object a Status. */
  readonly refusal?: {
    readonly status: number;
    readonly body: string | object;
    readonly headers?: Record<string, string>;
  };
  /** Drop the connection before anything is answered. */
  readonly dropBeforeAnswer?: boolean;
  readonly output?: readonly {
    readonly stream: 'stdout' | 'stderr';
    readonly data: string | Uint8Array;
    readonly after?: number;
  }[];
  /** Milliseconds between the last output and the end. */
  readonly delay?: number;
  readonly end?:
    | { readonly kind: 'exit'; readonly code: number }
    /** The runtime's own failure, such as no such command: a Status of reason InternalError. */
    | { readonly kind: 'error'; readonly message: string }
    | { readonly kind: 'hang' }
    /** The API server is gone: close 1006, no status. */
    | { readonly kind: 'drop' }
    /** The kubelet or runtime is gone: 1006 under v4, a false Success under v5. */
    | { readonly kind: 'runtime-lost' }
    /** Close 1000 without a status. */
    | { readonly kind: 'close' }
    /** The other end stops reading: pings get no answer. */
    | { readonly kind: 'freeze' };
}

/** Undefined runs a real local process, which is the default. */
export type ExecHandler = (request: ExecRequest) => ExecScript | undefined | Promise<ExecScript | undefined>;

export interface ExecCall {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly query: URLSearchParams;
  readonly pod: Pod;
  readonly user: string;
  readonly container: (name: string) => RunningContainer | undefined;
}

export interface ExecService {
  /** Returns the HTTP status. Failures before the start are thrown as ApiError, or answered as the kubelet does. */
  serve(call: ExecCall): Promise<number>;
  setHandler(handler: ExecHandler | undefined): void;
  close(): void;
}

const channel = { stdout: 1, stderr: 2, status: 3 } as const;

export function createExecService(
  processes: Processes,
  protocols: readonly ExecProtocol[],
  first?: ExecHandler,
): ExecService {
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: (offered) => chosen(protocols, offered) ?? false,
  });
  let handler = first;

  return {
    setHandler: (next) => {
      handler = next;
    },
    close: () => {
      for (const client of sockets.clients) client.terminate();
      sockets.close();
    },
    async serve(call) {
      const { query, pod, socket } = call;
      const name = containerName(pod, query.get('container'));
      assertHasHost(pod);
      const container = call.container(name);
      const offered = (call.request.headers['sec-websocket-protocol'] ?? '').split(',').map((each) => each.trim());
      const protocol = chosen(protocols, new Set(offered));
      if (protocol === undefined) return answer(socket, 403, '');
      const asks = (stream: string): boolean => ['1', 'true'].includes(query.get(stream) ?? '');
      const channels = { stdout: asks('stdout'), stderr: asks('stderr') };
      const none = 'you must specify at least 1 of stdin, stdout, stderr';
      const isSilent = !channels.stdout && !channels.stderr && !asks('stdin');
      const isV4 = protocol === 'v4.channel.k8s.io';
      if (isSilent && isV4) return answer(socket, 400, none);
      const command = query.getAll('command');
      const { namespace = '' } = pod.metadata;
      const script = await handler?.({ namespace, pod: pod.metadata.name, container: name, command, user: call.user });
      if (script?.dropBeforeAnswer) {
        socket.destroy();
        return 0;
      }
      if (script?.refusal !== undefined)
        return answer(socket, script.refusal.status, script.refusal.body, script.refusal.headers);
      const missing = container === undefined && script === undefined ? `container not found ("${name}")` : undefined;
      if (missing !== undefined && isV4) return answer(socket, 500, missing);

      const client = await new Promise<WebSocket>((resolve) => {
        sockets.handleUpgrade(call.request, socket, call.head, resolve);
      });
      client.on('error', () => client.terminate());
      const stream = channelStream(client, channels);
      const refused = isSilent ? none : missing;
      if (refused !== undefined) stream.end(internalError(`unable to upgrade connection: ${refused}`));
      else if (script !== undefined) void play(script, stream, command, protocol, socket);
      else if (container !== undefined) void runFor(processes, container, stream, command, protocol);
      return 101;
    },
  };
}

/** The API server itself speaks v5 with clients that offer it, and passes v4 through to the kubelet. */
function chosen(accepted: readonly ExecProtocol[], offered: ReadonlySet<string>): ExecProtocol | undefined {
  const order: readonly ExecProtocol[] = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
  return order.find((each) => offered.has(each) && accepted.includes(each));
}

export function containerName(pod: Pod, asked: string | null): string {
  const names = pod.spec.containers.map((each) => each.name);
  const initNames = (pod.spec.initContainers ?? []).map((each) => each.name);
  if (asked !== null && asked !== '') {
    if (names.includes(asked) || initNames.includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${pod.metadata.name}`);
  }
  const [only] = names;
  if (only !== undefined && names.length === 1) return only;
  const init = initNames.length === 0 ? '' : ` or one of the init containers: [${initNames.join(' ')}]`;
  const message = `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${names.join(' ')}]${init}`;
  throw badRequest(message);
}

const reasons: Record<number, string> = {
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  500: 'Internal Server Error',
};

/** Answer an upgrade in plain HTTP. */
export function answer(
  socket: Duplex,
  status: number,
  body: string | object,
  headers: Readonly<Record<string, string>> = {},
): number {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const all = {
    ...(body === ''
      ? {}
      : { 'Content-Type': typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json' }),
    ...(typeof body === 'string' ? {} : { 'Cache-Control': 'no-cache, private' }),
    'Content-Length': String(Buffer.byteLength(text)),
    Connection: 'close',
    ...headers,
  };
  const lines = Object.entries(all).map(([key, value]) => `${key}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${reasons[status] ?? 'Status'}\r\n${lines.join('')}\r\n${text}`);
  return status;
}

interface ChannelStream {
  readonly client: WebSocket;
  write(stream: 'stdout' | 'stderr', data: Uint8Array): void;
  end(status: object): void;
}

function channelStream(client: WebSocket, open: { stdout: boolean; stderr: boolean }): ChannelStream {
  const frame = (to: number, data: Uint8Array): void => {
    if (client.readyState === client.OPEN) client.send(Buffer.concat([Buffer.of(to), data]));
  };
  if (open.stdout) frame(channel.stdout, Buffer.alloc(0));
  return {
    client,
    write: (stream, data) => {
      if (open[stream]) frame(channel[stream], data);
    },
    end: (status) => {
      frame(channel.status, Buffer.from(JSON.stringify(status)));
      client.close(1000);
    },
  };
}

const internalError = (message: string): object => ({
  metadata: {},
  status: 'Failure',
  message: `Internal error occurred: ${message}`,
  reason: 'InternalError',
  details: { causes: [{ message }] },
  code: 500,
});

/** The status at the end of a command, as the streaming server of containerd and kubelet writes it. */
function statusOf(ending: Ending, command: readonly string[], protocol: ExecProtocol): object {
  const isV5 = protocol === 'v5.channel.k8s.io';
  if (ending.kind === 'not-started') {
    const why = `error executing command in container: failed to exec in container: failed to start exec "${randomBytes(32).toString('hex')}": ${ending.message}: unknown`;
    // With v5 the kubelet's status is wrapped in another one.
    return internalError(isV5 ? `Internal error occurred: ${why}` : why);
  }
  const { code } = ending;
  if (code === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: ${isV5 ? `command terminated with exit code ${code}` : `error executing command [${command.join(' ')}], exit code ${code}`}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  };
}

/** Runs a real command for the container. As in Kubernetes, it goes on when the client disconnects. */
async function runFor(
  processes: Processes,
  container: RunningContainer,
  stream: ChannelStream,
  command: readonly string[],
  protocol: ExecProtocol,
) {
  const run = processes.start({
    argv: command,
    cwd: container.folder,
    env: container.env,
    onOutput: (to, chunk) => stream.write(to, chunk),
  });
  container.execs.add(run);
  const ending = await run.ended;
  container.execs.delete(run);
  stream.end(statusOf(ending, command, protocol));
}

async function play(
  script: ExecScript,
  stream: ChannelStream,
  command: readonly string[],
  protocol: ExecProtocol,
  socket: Duplex,
): Promise<void> {
  for (const { stream: to, data, after } of script.output ?? []) {
    if (after !== undefined) await sleep(after);
    stream.write(to, Buffer.from(data));
  }
  if (script.delay !== undefined) await sleep(script.delay);
  const end = script.end ?? { kind: 'exit', code: 0 };
  switch (end.kind) {
    case 'exit':
      stream.end(statusOf(end, command, protocol));
      return;
    case 'error':
      stream.end(internalError(end.message));
      return;
    case 'runtime-lost':
      if (protocol === 'v5.channel.k8s.io') stream.end({ metadata: {}, status: 'Success' });
      else stream.client.terminate();
      return;
    case 'drop':
      stream.client.terminate();
      return;
    case 'close':
      stream.client.close(1000);
      return;
    case 'freeze':
      socket.pause();
      return;
    case 'hang':
      return;
  }
}

export function assertHasHost({ spec, metadata }: Pod): void {
  if (spec.nodeName === undefined) throw badRequest(`pod ${metadata.name} does not have a host assigned`);
}

export const upgradeRequired = (): ApiError => badRequest('Upgrade request required');
