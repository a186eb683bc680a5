import { RestoreHooksError } from '../../core/errors.ts';
import { TAIL_BYTES } from '../../core/model/capture.ts';
import type { ExecOutcome } from '../../core/model/hook.ts';
import type { ExecAnswer, ExecRequest } from '../../ports/ports.ts';
import { paths } from '../api/paths.ts';
import { unreachable } from '../api/unreachable.ts';
import type { Connections, KubeConnection } from '../connect/connection.ts';
import type { PodIdentity } from '../pods/pod-identity.ts';
import { dialer } from './exec-dial.ts';
import type { ExecProtocol, Refusal } from './exec-outcome.ts';
import {
  deniedByPolicy,
  isProtocolRefused,
  isUpgradeRefused,
  outcomeOfRefusal,
  outcomeOfStatus,
} from './exec-outcome.ts';
import type { Ending, StreamTimes } from './exec-stream.ts';
import { openStream, SUBPROTOCOLS } from './exec-stream.ts';
import { OutputTails } from './output-tails.ts';

export interface ExecTiming extends StreamTimes {
  /** How long a 403 is not believed: an API server that has just started may deny what it allows a second later. */
  readonly deniedMs: number;
}

/** What one request came to. `asked-again`: it was refused, and another one is sent. `dropped`: nobody waits for it any more. */
export type RequestOutcome = ExecOutcome['kind'] | 'asked-again' | 'dropped';

export interface HookExecOptions {
  /** How many bytes of each stream are kept; default: the last 4 KiB (R5.16). */
  readonly capturedBytes?: number;
  /** Called right before the request is sent: without the Lease nothing may start (R6.12). */
  readonly mayStart?: () => boolean;
  /** Absent: the pod's UID is not checked. */
  readonly identity?: PodIdentity;
  /** Asks whether the caller has the right to this exec, after a 403. Absent: a 403 means that it hasn't. */
  readonly isAllowed?: (request: ExecRequest) => Promise<boolean>;
  /** Told of each request that is over. */
  readonly onOver?: (outcome: RequestOutcome) => void;
  readonly timing?: Partial<ExecTiming>;
}

const usualTiming: ExecTiming = {
  connectMs: 30_000,
  answerMs: 60_000,
  deniedMs: 3_000,
  pingMs: 20_000,
  dataMs: 3_000,
};

/**
 * Go reads no longer head of a request. It answers a longer one with 431, but that answer is often lost while we still
 * send.
 */
const maxPathBytes = 1024 * 1024 + 4096;

/**
 * Runs hooks through `pods/exec`, by WebSocket and `v4.channel.k8s.io`.
 *
 * kubectl and the client libraries ask for v5 first; this doesn't (R4.2). With v4 the status comes from the container's
 * runtime. With v5 it comes from the API server, which takes the death of a kubelet or a runtime for success. Also, v4
 * refuses a command by an HTTP answer before it starts, while v5 opens the stream first. If a server refuses v4, v5 is
 * used for the rest of the run, and each exit is marked as not proven.
 *
 * Dropping an exec only closes the socket: Kubernetes can't stop the command, which may go on running in the container.
 */
export function kubernetesHookExec(
  connections: Pick<Connections, 'open' | 'forget'>,
  options: HookExecOptions = {},
): PlainExec {
  const server: Server = { connections, options, dial: dialer(), spoken: 'v4', upgrades: 0, refusedSince: new Map() };
  return {
    start(request, answer) {
      const exec = new Exec(server, request, answer);
      exec.start();
      return () => exec.drop();
    },
  };
}

/** An exec whose request may differ from the hook's own command. */
export interface SentRequest extends ExecRequest {
  /** Default: `command`, whose words are never told. */
  readonly sent?: readonly string[];
  readonly capturedBytes?: number;
}

export interface PlainExec {
  start(request: SentRequest, answer: ExecAnswer): () => void;
}

/** What all execs of a run share. */
interface Server {
  readonly connections: Pick<Connections, 'open' | 'forget'>;
  readonly options: HookExecOptions;
  readonly dial: ReturnType<typeof dialer>;
  spoken: ExecProtocol;
  /** How many streams the server has opened. */
  upgrades: number;
  /** For each kind of refusal that ends a run: since when it is given, with no stream opened since then. */
  readonly refusedSince: Map<ExecOutcome['kind'], number>;
}

/** One hook's exec, from its request to its end. The answer's `ended` is called once. */
class Exec {
  readonly #server: Server;
  readonly #request: SentRequest;
  readonly #answer: ExecAnswer;
  readonly #times: ExecTiming;
  readonly #tails: OutputTails;
  #over = false;
  #refreshed = false;
  #denied = false;
  #stop = (): void => {};

  constructor(server: Server, request: SentRequest, answer: ExecAnswer) {
    this.#server = server;
    this.#request = request;
    this.#answer = answer;
    this.#times = { ...usualTiming, ...server.options.timing };
    const limit = request.capturedBytes ?? server.options.capturedBytes ?? TAIL_BYTES;
    this.#tails = new OutputTails(limit, (piece) => answer.printed?.(piece));
  }

  start(): void {
    const message = 'the command is longer than the API server accepts (1 MiB)';
    if (execPath(this.#request).length <= maxPathBytes) this.#tryOnce();
    else queueMicrotask(() => this.#end({ kind: 'error', message }));
  }

  drop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#stop();
    this.#server.options.onOver?.('dropped');
    this.#answer.dropped?.(this.#tails.output());
  }

  #end(outcome: ExecOutcome): void {
    if (this.#over) return;
    this.#over = true;
    this.#server.options.onOver?.(outcome.kind);
    this.#answer.ended(outcome, this.#tails.output());
  }

  #tryOnce(): void {
    this.#server.connections.open().then(
      (connection) => {
        if (!this.#over) this.#exchange(connection);
      },
      (error) => this.#end(notStarted(error)),
    );
  }

  #tryAgain(): void {
    this.#server.options.onOver?.('asked-again');
    this.#tryOnce();
  }

  #exchange(connection: KubeConnection): void {
    const server = this.#server;
    const protocol = server.spoken;
    const request = { connection, path: execPath(this.#request), protocol, times: this.#times };
    server.options.identity?.ahead(this.#request);
    this.#stop = openStream(server.dial, request, {
      mayAsk: (go) => this.#mayAsk(go),
      upgraded: (negotiated) => {
        // The server chose another protocol: this command may already run, so only the next ones use v5.
        if (negotiated !== SUBPROTOCOLS[protocol]) server.spoken = 'v5';
        server.upgrades += 1;
        server.refusedSince.clear();
        this.#answer.started();
      },
      printed: (channel, bytes) => this.#tails.add(channel === 1 ? 'stdout' : 'stderr', bytes),
      ended: (ending) => {
        if (ending.kind === 'refused') this.#refused(ending.refusal, connection, protocol);
        else if (ending.kind === 'status')
          this.#commandEnded(outcomeOfStatus(ending.frame, protocol, sentBy(this.#request)));
        else this.#end(ending.kind === 'instead' ? this.#unlessPassing(ending.outcome) : outcomeOf(ending, connection));
      },
    });
  }

  #mayAsk(go: (instead?: ExecOutcome) => void): () => void {
    const { mayStart = () => true, identity } = this.#server.options;
    const held = { kind: 'notStarted', why: 'this runner could not renew its Lease in time' } as const;
    if (identity === undefined) {
      go(mayStart() ? undefined : held);
      return () => {};
    }
    return identity.before(this.#request, (instead) => go(instead ?? (mayStart() ? undefined : held)));
  }

  /** The status is true of the pod in which the command ran; ask whether that was the planned pod (R3.28). */
  #commandEnded(outcome: ExecOutcome): void {
    const { identity } = this.#server.options;
    if (identity === undefined || outcome.kind === 'connectionLost') {
      this.#end(outcome);
      return;
    }
    this.#answer.commandEnded?.();
    this.#stop = identity.after(this.#request, (found) => {
      if (found.kind === 'another') this.#end({ kind: outcome.kind === 'exited' ? 'podChanged' : 'podReplaced' });
      else if (found.kind === 'unknown')
        this.#end(lost(`the command has ended, but it is not known in which pod it ran: ${found.why}`));
      // The pod was the planned one before the start. If it is gone now, the result still holds.
      else this.#end(outcome);
    });
  }

  #refused(refusal: Refusal, { server: { host } }: KubeConnection, protocol: ExecProtocol): void {
    const server = this.#server;
    const { status } = refusal;
    if (status === 401 && !this.#refreshed) {
      this.#refreshed = true;
      server.connections.forget();
      this.#tryAgain();
    } else if (protocol === 'v4' && isProtocolRefused(refusal)) {
      server.spoken = 'v5';
      this.#tryAgain();
    } else if (isUpgradeRefused(refusal, { hasUpgraded: server.upgrades > 0, path: execPath(this.#request) })) {
      server.spoken = 'v4';
      this.#end(this.#unlessPassing({ kind: 'noWebSocket', message: noWebSocket(host, status) }));
    } else if (status === 403 && server.options.isAllowed !== undefined) {
      this.#askWhoDenied(refusal, server.options.isAllowed);
    } else {
      this.#end(this.#unlessPassing(outcomeOfRefusal(refusal, this.#request)));
    }
  }

  /** A 403 comes from a policy if the caller has the right and the 403 is given twice (R4.13). */
  #askWhoDenied(refusal: Refusal, isAllowed: NonNullable<HookExecOptions['isAllowed']>): void {
    isAllowed(this.#request).then(
      (allowed) => {
        if (this.#over) return;
        if (!allowed) return this.#end(this.#unlessPassing(outcomeOfRefusal(refusal, this.#request)));
        if (this.#denied) return this.#end(deniedByPolicy(refusal, this.#request));
        this.#denied = true;
        const again = setTimeout(() => this.#tryAgain(), this.#times.deniedMs);
        this.#stop = () => clearTimeout(again);
      },
      (error) => this.#end(notStarted(error)),
    );
  }

  /**
   * A refusal that ends the run is believed only if it lasts: an API server or a proxy that has just started may give
   * it (R4.12).
   */
  #unlessPassing(outcome: ExecOutcome): ExecOutcome {
    if (outcome.kind !== 'forbidden' && outcome.kind !== 'noWebSocket') return outcome;
    const { refusedSince } = this.#server;
    const since = refusedSince.get(outcome.kind) ?? performance.now();
    refusedSince.set(outcome.kind, since);
    return performance.now() - since < this.#times.deniedMs ? { kind: 'notStarted', why: outcome.message } : outcome;
  }
}

const noWebSocket = (host: string, status: number): string =>
  `${host}, or a proxy on the way there, lets no WebSocket through (it answered HTTP ${status}), and commands are run by ` +
  'WebSocket: use a --context, or --server, that leads to the API server itself, let the proxy pass upgrades, ' +
  'or run the hooks from inside the cluster (--runner=job)';

function outcomeOf(
  ending: Exclude<Ending, { kind: 'refused' | 'status' | 'instead' }>,
  { server }: KubeConnection,
): ExecOutcome {
  switch (ending.kind) {
    case 'unreachable':
      return notStarted(unreachable(server, ending.error));
    case 'invalid':
      return { kind: 'error', message: `the request can't be sent: ${ending.error.message}` };
    case 'lost':
      return lost(ending.why);
  }
}

const lost = (message: string): ExecOutcome => ({ kind: 'connectionLost', message });

const notStarted = (error: unknown): ExecOutcome => ({
  kind: 'notStarted',
  why: error instanceof RestoreHooksError ? error.message : `no connection to the API server: ${String(error)}`,
});

const sentBy = ({ sent, command }: SentRequest): readonly string[] => sent ?? command;

function execPath(request: SentRequest): string {
  const { namespace, pod, container } = request;
  const query = [`container=${inQuery(container)}`, 'stdout=true', 'stderr=true'];
  for (const argument of sentBy(request)) query.push(`command=${inQuery(argument)}`);
  return `${paths.podExec(namespace, pod)}?${query.join('&')}`;
}

/** Only what a query can't hold is encoded, because some proxies refuse a request line of more than 8 KiB. */
const inQuery = (text: string): string =>
  encodeURIComponent(text.toWellFormed()).replace(/%(20|24|2C|2F|3A|3D|3F|40)/g, (escaped, code: string) =>
    code === '20' ? '+' : decodeURIComponent(escaped),
  );
