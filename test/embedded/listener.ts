import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createPlainServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { selfSignedCertificate } from './certificate.ts';

/** The first byte that a TLS client sends. */
const HANDSHAKE = 0x16;

export interface Listener {
  /** As kubeconfigs name it: `https://…` where that is served. */
  readonly secureUrl: string;
  /** The same port, plain where it takes that. */
  readonly url: string;
  /** Of the CA that signed the server's certificate: itself. */
  readonly certificate: string;
  close(): Promise<void>;
}

/** Serve on a free port of 127.0.0.1: HTTPS alone, plain HTTP alone (`tls` false), or by default both on the same port. */
export async function listen(
  tls: boolean | undefined,
  serve: (request: IncomingMessage, response: ServerResponse) => void,
  upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void,
): Promise<Listener> {
  // As much as Go's server accepts, because an exec's command is in its URL.
  const options = { keepAliveTimeout: 60_000, maxHeaderSize: 1 << 20 };
  const { key, cert } = selfSignedCertificate();
  const secure = createTlsServer({ ...options, key, cert });
  const plain = createPlainServer(options);
  for (const server of [secure, plain]) {
    server.on('request', serve);
    server.on('upgrade', upgrade);
  }
  const sockets = new Set<Socket>();
  const both = (): Server =>
    createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('readable', () => {
        const first: Buffer | null = socket.read();
        if (first === null) return;
        socket.unshift(first);
        (first[0] === HANDSHAKE ? secure : plain).emit('connection', socket);
      });
    });
  const port: Server = tls === undefined ? both() : tls ? secure : plain;
  port.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => port.listen(0, '127.0.0.1', resolve));
  const at = `127.0.0.1:${(port.address() as AddressInfo).port}`;
  return {
    secureUrl: `${tls === false ? 'http' : 'https'}://${at}`,
    url: `${tls ? 'https' : 'http'}://${at}`,
    certificate: cert,
    async close() {
      const closed = new Promise((resolve) => port.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
