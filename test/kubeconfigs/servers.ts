import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import net from 'node:net';
import type { TLSSocket } from 'node:tls';
import { selfSignedCertificate } from '../embedded/certificate.ts';

/** What a server saw of a client. */
export interface Seen {
  /** `a`, `b` (TLS, each with a CA of its own) or `plain`. */
  readonly server: string;
  /** Through the proxy: asked for by its whole URL, or through a tunnel. */
  readonly proxied?: 'forwarded' | 'tunnelled';
  readonly path: string;
  readonly authorization?: string;
  /** The fingerprint of the client's certificate. */
  readonly certificate?: string;
  /** Header and values, sorted. */
  readonly impersonated?: readonly string[];
}

export interface Servers {
  /** `${A}` and the like in a kubeconfig of the table. */
  readonly values: Readonly<Record<string, string>>;
  /** What was asked since the last call. */
  take(): Seen[];
  close(): void;
}

/** Stand-ins for API servers and a proxy, which answer `GET /version` alike and note who asked. */
export async function startServers(): Promise<Servers> {
  let seen: Seen[] = [];
  const closing: (http.Server | https.Server)[] = [];
  const client = selfSignedCertificate();
  const fingerprint = new X509Certificate(client.cert).fingerprint256;
  const answer = (server: string) => (request: http.IncomingMessage, response: http.ServerResponse) => {
    seen.push(seenBy(server, request, fingerprint));
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ major: '1', minor: '35', gitVersion: 'v1.35.4' }));
  };
  const listen = async (server: http.Server | https.Server): Promise<number> => {
    closing.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  const tls = { a: selfSignedCertificate(), b: selfSignedCertificate() };
  const options = { requestCert: true, rejectUnauthorized: false };
  const a = await listen(https.createServer({ ...tls.a, ...options }, answer('a')));
  const b = await listen(https.createServer({ ...tls.b, ...options }, answer('b')));
  const plain = await listen(http.createServer(answer('plain')));
  const proxy = await listen(proxyServer(answer('plain')));
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return {
    values: {
      A: `https://127.0.0.1:${a}`,
      B: `https://127.0.0.1:${b}`,
      A_HOST: `127.0.0.1:${a}`,
      PLAIN: `http://127.0.0.1:${plain}`,
      PLAIN_HOST: `127.0.0.1:${plain}`,
      PROXY: `http://127.0.0.1:${proxy}`,
      PROXY_HOST: `127.0.0.1:${proxy}`,
      NOBODY: 'https://127.0.0.1:1',
      CA_A: base64(tls.a.cert),
      CA_B: base64(tls.b.cert),
      CA_A_LINES: base64(tls.a.cert).replace(/.{60}/g, '$&\\n'),
      PEM_A: tls.a.cert,
      PEM_B: tls.b.cert,
      CERT: base64(client.cert),
      KEY: base64(client.key),
      PEM_CERT: client.cert,
      PEM_KEY: client.key,
      // Escaped twice, because the document is in a string of another document.
      JSON_CERT: inJson(inJson(client.cert)),
      JSON_KEY: inJson(inJson(client.key)),
    },
    take() {
      const taken = seen;
      seen = [];
      return taken;
    },
    close() {
      for (const server of closing) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}

const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);

function seenBy(server: string, request: http.IncomingMessage, known: string): Seen {
  const { socket, headers, url = '' } = request;
  const certificate = (socket as TLSSocket).getPeerX509Certificate?.()?.fingerprint256;
  const impersonated = Object.entries(headers)
    .filter(([name]) => name.startsWith('impersonate-'))
    .map(([name, value]) => `${name}: ${Buffer.from([value].flat().join(', '), 'latin1').toString('utf8')}`)
    .sort();
  const absolute = URL.parse(url);
  const isTunnelled = proxiedPorts.has(socket.remotePort ?? 0);
  return {
    server,
    ...(absolute === null ? isTunnelled && { proxied: 'tunnelled' as const } : { proxied: 'forwarded' as const }),
    path: absolute?.pathname ?? url,
    ...(headers.authorization !== undefined && { authorization: headers.authorization }),
    ...(certificate !== undefined && { certificate: certificate === known ? 'known' : digest(certificate) }),
    ...(impersonated.length > 0 && { impersonated }),
  };
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 8);

/** The local ports of the proxy's connections to the servers. */
const proxiedPorts = new Set<number>();

function proxyServer(answer: http.RequestListener): http.Server {
  const server = http.createServer(answer);
  server.on('connect', (request, socket, head) => {
    const { hostname, port } = new URL(`http://${request.url}`);
    const onward = net.connect(Number(port), hostname, () => {
      proxiedPorts.add(onward.localPort ?? 0);
      socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    for (const end of [onward, socket]) end.on('error', () => undefined);
  });
  return server;
}
