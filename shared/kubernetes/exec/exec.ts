import { RestoreHooksError } from '../../core/errors.ts';
import type { ExecOutcome } from '../../core/model/hook.ts';
import type { ExecAnswer, ExecRequest, HookExec, Output } from '../../ports/ports.ts';
import { unreachable } from '../api/api-error.ts';
import { paths } from '../api/paths.ts';
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
import { outputTail } from './output-tail.ts';

export interface ExecTiming extends StreamTimes {
  /** How long a 403 is not believed: an API server that has just started may deny what it allows a second later. */
  readonly deniedMs: number;
}

export interface HookExecOptions {
  /** `none` keeps nothing of what commands print (R5.16). */
  readonly capture?: 'tail' | 'none';
  /** Asked when all stands but the request itself: until then a lost Lease may still hold it back (R6.12). */
  readonly mayStart?: () => boolean;
  /** Absent: whatever pod has the name is the one that is meant. */
  readonly identity?: PodIdentity;
  /** Whether the caller has the right to this exec, whatever was said of it. Absent: a 403 says that it hasn't. */
  readonly isAllowed?: (request: ExecRequest) => Promise<boolean>;
  readonly timing?: Partial<ExecTiming>;
}

const usualTiming: ExecTiming = {
  connectMs: 30_000,
  answerMs: 60_000,
  deniedMs: 3_000,
  pingMs: 20_000,
  dataMs: 3_000,
};

/** All that Go reads of a request's head. What is longer is answered 431, but the answer is often lost as it is still sent. */
const maxPathBytes = 1024 * 1024 + 4096;

/**
 * Runs hooks through `pods/exec`, by WebSocket and `v4.channel.k8s.io`.
 *
 * Not v5 (R4.2), though kubectl and the client libraries ask for it first: v4 ends at the container's own runtime, so that a
 * status is the runtime's; v5 ends at the API server, which takes a kubelet's or runtime's death for success. And v4
 * refuses before the start in HTTP, where v5 opens the stream first. A server that refuses v4 gets v5 for the rest of
 * the run, each exit marked as not proven.
 *
 * Dropping closes the socket: Kubernetes can't stop the command, which may go on running in the container.
 */
export function kubernetesHookExec(
  connections: Pick<Connections, 'open' | 'forget'>,
  options: HookExecOptions = {},
): HookExec {
  const server: Server = { connections, options, dial: dialer(), spoken: 'v4', upgrades: 0, refusedSince: new Map() };
  return {
    start(request, answer) {
      const exec = new Exec(server, request, answer);
      exec.start();
      return () => exec.drop();
    },
  };
}

/** What all execs of a run share. */
interface Server {
  readonly connections: Pick<Connections, 'open' | 'forget'>;
  readonly options: HookExecOptions;
  readonly dial: ReturnType<typeof dialer>;
  spoken: ExecProtocol;
  /** How many streams it has opened. */
  upgrades: number;
  /** Since when each kind of refusal that ends a run has been given, with no stream opened between. */
  readonly refusedSince: Map<ExecOutcome['kind'], number>;
}

/** One hook's exec, from its request to its end, which is told once. */
class Exec {
  readonly #server: Server;
  readonly #request: ExecRequest;
  readonly #answer: ExecAnswer;
  readonly #times: ExecTiming;
  readonly #tails: readonly ReturnType<typeof outputTail>[];
  #over = false;
  #refreshed = false;
  #denied = false;
  #stop = (): void => {};

  constructor(server: Server, request: ExecRequest, answer: ExecAnswer) {
    this.#server = server;
    this.#request = request;
    this.#answer = answer;
    this.#times = { ...usualTiming, ...server.options.timing };
    this.#tails = server.options.capture === 'none' ? [] : [outputTail(), outputTail()];
  }

  start(): void {
    const message = 'the command is longer than the API server accepts (1 MiB)';
    if (execPath(this.#request).length <= maxPathBytes) this.#attempt();
    else queueMicrotask(() => this.#end({ kind: 'error', message }));
  }

  drop(): void {
    this.#over = true;
    this.#stop();
  }

  #end(outcome: ExecOutcome): void {
    if (this.#over) return;
    this.#over = true;
    this.#answer.ended(outcome, outputOf(this.#tails[0]?.text(), this.#tails[1]?.text()));
  }

  #attempt(): void {
    this.#server.connections.open().then(
      (connection) => {
        if (!this.#over) this.#exchange(connection);
      },
      (error) => this.#end(notStarted(error)),
    );
  }

  #exchange(connection: KubeConnection): void {
    const server = this.#server;
    const protocol = server.spoken;
    const request = { connection, path: execPath(this.#request), protocol, times: this.#times };
    server.options.identity?.ahead(this.#request);
    this.#stop = openStream(server.dial, request, {
      mayAsk: (go) => this.#mayAsk(go),
      upgraded: (negotiated) => {
        // The command may run already: it is not asked for again, the next one is.
        if (negotiated !== SUBPROTOCOLS[protocol]) server.spoken = 'v5';
        server.upgrades += 1;
        server.refusedSince.clear();
        this.#answer.started();
      },
      printed: (channel, bytes) => this.#tails[channel - 1]?.add(bytes),
      ended: (ending) => {
        if (ending.kind === 'refused') this.#refused(ending.refusal, connection, protocol);
        else if (ending.kind === 'status') this.#commandEnded(outcomeOfStatus(ending.frame, protocol));
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

  /** The runtime's own word is true of the pod that it ran in: whether it is the one that was meant is asked (R3.28). */
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
      // A pod that has gone since it was seen before the start goes back on nothing.
      else this.#end(outcome);
    });
  }

  #refused(refusal: Refusal, { server: { host } }: KubeConnection, protocol: ExecProtocol): void {
    const server = this.#server;
    const { status } = refusal;
    if (status === 401 && !this.#refreshed) {
      this.#refreshed = true;
      server.connections.forget();
      this.#attempt();
    } else if (protocol === 'v4' && isProtocolRefused(refusal)) {
      server.spoken = 'v5';
      this.#attempt();
    } else if (isUpgradeRefused(refusal, { hasUpgraded: server.upgrades > 0, path: execPath(this.#request) })) {
      server.spoken = 'v4';
      this.#end(this.#unlessPassing({ kind: 'noWebSocket', message: noWebSocket(host, status) }));
    } else if (status === 403 && server.options.isAllowed !== undefined) {
      this.#askWhoDenied(refusal, server.options.isAllowed);
    } else {
      this.#end(this.#unlessPassing(outcomeOfRefusal(refusal, this.#request)));
    }
  }

  /** A 403 although the right is there is a policy's, once it is given a second time (R4.13). */
  #askWhoDenied(refusal: Refusal, isAllowed: NonNullable<HookExecOptions['isAllowed']>): void {
    isAllowed(this.#request).then(
      (allowed) => {
        if (this.#over) return;
        if (!allowed) return this.#end(this.#unlessPassing(outcomeOfRefusal(refusal, this.#request)));
        if (this.#denied) return this.#end(deniedByPolicy(refusal, this.#request));
        this.#denied = true;
        const again = setTimeout(() => this.#attempt(), this.#times.deniedMs);
        this.#stop = () => clearTimeout(again);
      },
      (error) => this.#end(notStarted(error)),
    );
  }

  /** What would end the run is believed when it lasts: an API server, or a proxy, that has just started may say it (R4.12). */
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

function outputOf(stdout: string | undefined, stderr: string | undefined): Output {
  return { ...(stdout !== undefined && { stdout }), ...(stderr !== undefined && { stderr }) };
}

function execPath({ namespace, pod, container, command }: ExecRequest): string {
  const query = new URLSearchParams({ container, stdout: 'true', stderr: 'true' });
  for (const argument of command) query.append('command', argument);
  return `${paths.podExec(namespace, pod)}?${query}`;
}
