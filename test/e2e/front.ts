import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import type { Loose } from './harness.ts';

export interface FrontRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly isUpgrade: boolean;
}

export interface FrontAnswer {
  readonly status: number;
  readonly body: string | object;
}

/** What the front does with a request: undefined: passes it on; `strip`: without its Upgrade; `hang`: never answers. */
export type Verdict = FrontAnswer | 'strip' | 'hang' | undefined;

export interface Front {
  /** The given kubeconfig, with this front as its server. */
  readonly kubeconfig: string;
  /** Called for each request, which waits for the verdict. */
  decide: (request: FrontRequest) => Verdict | Promise<Verdict>;
  /** From now on nothing comes through the open watches, and they stay open. */
  stallWatches(): void;
  /** Cut the open watches, as a load balancer does; what else is open stays. */
  cutWatches(): void;
  close(): void;
}

/** An HTTP reverse proxy in front of a kubeconfig's API server. The kubeconfig must have a token. */
export async function startFront(kubeconfig: string): Promise<Front> {
  const config: Loose = JSON.parse(readFileSync(kubeconfig, 'utf8'));
  const { cluster } = config.clusters[0];
  const target = new URL(cluster.server);
  // The front adds the token, because clients don't send it over plain HTTP.
  const authorization = `Bearer ${config.users[0].user.token}`;
  const { 'certificate-authority-data': data, 'certificate-authority': file } = cluster;
  const ca: Buffer | undefined = data ? Buffer.from(data, 'base64') : file && readFileSync(file);
  const verify = { ...(ca && { ca }) };
  const watches = new Set<{ stall(): void; cut(): void }>();
  const open = new Set<Duplex>();

  const at = { host: target.hostname, port: Number(target.port) || (target.protocol === 'http:' ? 80 : 443) };
  const asked = ({ method = '', url = '' }: IncomingMessage, isUpgrade: boolean): FrontRequest => {
    const { pathname, searchParams } = new URL(url, 'http://front');
    return { method, path: pathname, query: searchParams, isUpgrade };
  };
  const written = (body: FrontAnswer['body']): [text: string, headers: OutgoingHttpHeaders] =>
    typeof body === 'string'
      ? [body, { 'content-type': 'text/html' }]
      : [JSON.stringify(body), { 'content-type': 'application/json' }];

  const server = http.createServer(async (request, response) => {
    const about = asked(request, false);
    const verdict = await front.decide(about);
    if (verdict === 'hang') return;
    if (typeof verdict === 'object') {
      const [text, headers] = written(verdict.body);
      response.writeHead(verdict.status, headers).end(text);
      return;
    }
    const scheme = target.protocol === 'http:' ? http : https;
    const { host: _, ...given } = request.headers;
    const headers = { ...given, authorization };
    const upstream = scheme.request(
      { ...at, ...verify, method: request.method, path: request.url, headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
        if (about.query.get('watch') !== 'true') return;
        const watch = { stall: () => answer.unpipe(response).resume(), cut: () => response.destroy() };
        watches.add(watch);
        response.on('close', () => watches.delete(watch));
      },
    );
    upstream.on('error', () => response.destroy());
    response.on('close', () => upstream.destroy());
    request.pipe(upstream);
  });
  server.on('connection', (socket) => void open.add(socket.on('error', () => {})));
  server.on('upgrade', async (request, client) => {
    const verdict = await front.decide(asked(request, true));
    if (verdict === 'hang') return;
    if (typeof verdict === 'object') {
      const [text, headers] = written(verdict.body);
      const head = `HTTP/1.1 ${verdict.status} Front\r\ncontent-type: ${headers['content-type']}\r\nconnection: close\r\n`;
      client.end(`${head}content-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
      return;
    }
    const lines = request.rawHeaders.flatMap((name, index, all) => {
      const isLeftOut = verdict === 'strip' && /^(upgrade|connection|sec-websocket-.*)$/i.test(name);
      const isReplaced = /^authorization$/i.test(name);
      return index % 2 === 0 && !isLeftOut && !isReplaced ? [`${name}: ${all[index + 1]}`] : [];
    });
    lines.push(`Authorization: ${authorization}`);
    if (verdict === 'strip') lines.push('Connection: close');
    const say = () => {
      upstream.write(`GET ${request.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
      upstream.pipe(client).pipe(upstream);
    };
    const upstream = target.protocol === 'http:' ? net.connect(at, say) : tls.connect({ ...at, ...verify }, say);
    open.add(upstream.on('error', () => client.destroy()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  config.clusters[0].cluster = { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  const changed = `${kubeconfig}.front`;
  await writeFile(changed, JSON.stringify(config));

  const front: Front = {
    kubeconfig: changed,
    decide: () => undefined,
    stallWatches() {
      for (const { stall } of watches) stall();
    },
    cutWatches() {
      for (const { cut } of watches) cut();
    },
    close() {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
  return front;
}
