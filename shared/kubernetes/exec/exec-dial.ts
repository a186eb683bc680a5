import { EventEmitter } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import tls from 'node:tls';
import type { KubeConnection, TlsOptions } from '../connect/connection.ts';

type Dialed = (error: Error | undefined, socket?: Duplex) => void;

/**
 * Opens one connection for one exec, and hands it over only after the TLS handshake, so that no byte of a request has
 * been written before. The agent's kept-alive connections can't be used: if the server has just closed one, the request
 * gets no answer, and nobody knows whether the command was started.
 *
 * All connections share one TLS context and resume one another's sessions, which halves the cost of an exec.
 */
export function dialer(): (connection: KubeConnection, done: Dialed) => () => void {
  const contexts = new WeakMap<TlsOptions, { readonly secure: SecureContext; session?: Buffer }>();

  function dialTls(connection: KubeConnection): tls.TLSSocket {
    const { ca, cert, key, ...verify } = connection.tls;
    let shared = contexts.get(connection.tls);
    if (shared === undefined) {
      shared = { secure: tls.createSecureContext({ ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }) };
      contexts.set(connection.tls, shared);
    }
    const { secure: secureContext, session } = shared;
    const address = addressOf(connection);
    const socket = tls.connect({ ...address, ...verify, secureContext, ...(session && { session }) });
    const kept = shared;
    socket.on('session', (ticket) => {
      kept.session = ticket;
    });
    return socket;
  }

  return (connection, done) => {
    const isTls = connection.server.protocol !== 'http:';
    let over = false;
    let socket: Duplex | undefined;

    const settle: Dialed = (error) => {
      if (over) return;
      over = true;
      if (error === undefined) return done(undefined, socket);
      socket?.destroy();
      done(error);
    };
    const awaitReady = (opened: net.Socket, ready: 'connect' | 'secureConnect'): void => {
      opened.once(ready, () => settle(undefined));
      opened.once('error', settle);
      opened.once('close', () => settle(new Error('the connection was closed before the request')));
    };
    const useProxied = (opened: net.Socket): void => {
      socket = opened;
      if (over) opened.destroy();
      else if (isTls) awaitReady(opened, 'secureConnect');
      else settle(undefined);
    };

    try {
      if (isProxying(connection.agent)) dialByProxy(connection, isTls, useProxied, settle);
      else {
        const opened = isTls ? dialTls(connection) : net.connect(addressOf(connection));
        opened.setNoDelay(true).setKeepAlive(true, 30_000);
        socket = opened;
        awaitReady(opened, isTls ? 'secureConnect' : 'connect');
      }
    } catch (error) {
      queueMicrotask(() => settle(error instanceof Error ? error : new Error(String(error))));
    }
    return () => {
      over = true;
      socket?.destroy();
    };
  };
}

function addressOf({ server, tls: { servername } }: KubeConnection) {
  const host = server.hostname.replace(/^\[|\]$/g, '');
  return {
    host,
    port: Number(server.port) || (server.protocol === 'http:' ? 80 : 443),
    // TLS can't ask for an IP address by SNI, but the certificate is checked all the same.
    servername: servername ?? (net.isIP(host) === 0 ? host : ''),
    ALPNProtocols: ['http/1.1'],
  };
}

const isProxying = (agent: http.Agent) => agent.constructor !== http.Agent && agent.constructor !== https.Agent;

/** Dial through the client library's agents: hpagent's for HTTP proxies, agent-base's for SOCKS. */
function dialByProxy(
  connection: KubeConnection,
  isTls: boolean,
  opened: (socket: net.Socket) => void,
  failed: (error: Error) => void,
): void {
  const { agent, tls: verify } = connection;
  const target = { ...verify, ...addressOf(connection) };
  if ('connect' in agent && typeof agent.connect === 'function') {
    // The agent emits events on the request, and there is no request yet.
    const request = Object.assign(new EventEmitter(), { destroy: () => {} });
    const connected: Promise<net.Socket> = agent.connect(request, { ...target, secureEndpoint: isTls });
    connected.then(opened, failed);
    return;
  }
  const asProxy = agent as unknown as {
    createConnection(options: object, callback: (error: Error | null, socket: net.Socket) => void): void;
  };
  asProxy.createConnection(target, (error, socket) => (error ? failed(error) : opened(socket)));
}
