import { readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { createSecureContext, getCACertificates } from 'node:tls';
import { RestoreHooksError } from '../../core/errors.ts';
import type { Credential } from './credentials.ts';
import { credentialSource } from './credentials.ts';
import type { Impersonation, KubeConfig } from './kubeconfig.ts';
import { codeOf } from './kubeconfig-file.ts';
import type { ServerUrl } from './proxy.ts';
import { proxyFor, serverUrl } from './proxy.ts';

export interface TlsOptions {
  readonly ca?: string | Buffer | string[];
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly servername?: string;
  readonly rejectUnauthorized?: boolean;
}

/** Everything that a request needs, REST or WebSocket. Ask for another one before the next request. */
export interface KubeConnection {
  readonly server: ServerUrl;
  /** Credentials and impersonation. */
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** Does keep-alive, TLS session resumption and the proxy. The same object until a certificate changes. */
  readonly agent: http.Agent;
  /** The same object as long as its content is the same, so that it can be the key of a cache. */
  readonly tls: TlsOptions;
}

export interface Connections {
  /** The user's name in the kubeconfig, for messages. */
  readonly user: string;
  open(): Promise<KubeConnection>;
  /** The API server said 401: read tokens and certificates again at the next `open`. */
  forget(): void;
  close(): void;
}

/** How long certificates are used before their files are read again. */
const filesMaxAgeMs = 60_000;

export function connections(config: KubeConfig): Connections {
  const credentials = credentialSource(config);
  const server = serverUrl(config.cluster, config.env);
  const impersonation = impersonationHeaders(config.user.impersonate);
  const agents = new Set<Promise<http.Agent>>();
  let files: { readonly tls: Promise<TlsOptions>; readonly since: number } | undefined;
  let current: { readonly identity: string; readonly agent: Promise<http.Agent>; readonly tls: TlsOptions } | undefined;

  async function open(): Promise<KubeConnection> {
    const ageMs = files === undefined ? Number.NaN : Date.now() - files.since;
    // If the age is below 0, the clock was set back.
    if (files === undefined || !(ageMs >= 0 && ageMs < filesMaxAgeMs)) {
      files = { tls: tlsOptions(config), since: Date.now() };
    }
    const asked = files;
    const [tls, credential] = await Promise.all([asked.tls, credentials.get()]).catch((error: unknown) => {
      if (files === asked) files = undefined;
      throw error;
    });
    return {
      server,
      headers: { ...(credential.authorization && { authorization: credential.authorization }), ...impersonation },
      ...(await agentFor(tls, credential)),
    };
  }

  async function agentFor(tls: TlsOptions, { cert, key }: Credential): Promise<Pick<KubeConnection, 'agent' | 'tls'>> {
    const all = cert === undefined || key === undefined ? tls : { ...tls, cert, key };
    const identity = [all.ca, all.cert, all.key].map(String).join('\n');
    if (current?.identity !== identity) {
      const agent = createAgent(config, all);
      agents.add(agent);
      current = { identity, agent, tls: all };
    }
    const { agent, tls: same } = current;
    return { agent: await agent, tls: same };
  }

  return {
    user: config.user.name,
    open,
    forget() {
      files = undefined;
      credentials.forget();
    },
    close() {
      for (const agent of agents) {
        void agent.then(
          (created) => created.destroy(),
          () => {},
        );
      }
    },
  };
}

/** The agent for the API server, or for another server given as `cluster`. */
export async function createAgent(config: Pick<KubeConfig, 'cluster' | 'env'>, tls: TlsOptions): Promise<http.Agent> {
  const proxy = proxyFor(config.cluster, config.env);
  const options = { keepAlive: true, keepAliveMsecs: 30_000 };
  if (proxy === undefined) {
    return config.cluster.server.startsWith('http:')
      ? new http.Agent(options)
      : new https.Agent({ ...options, ...tls });
  }
  if (config.cluster.server.startsWith('http:') && proxy.startsWith('http:')) return forwardingAgent(proxy, options);
  // The client library knows HTTP and SOCKS proxies; it is loaded only for them.
  const { KubeConfig: ClientNodeConfig } = await import('@kubernetes/client-node');
  const proxied = new ClientNodeConfig();
  const { name, server, skipTLSVerify } = config.cluster;
  const plain = server.startsWith('http:');
  proxied.loadFromClusterAndUser(
    { name, server, proxyUrl: proxy, skipTLSVerify: skipTLSVerify || plain },
    { name: 'proxied' },
  );
  const request: https.RequestOptions = { ...tls };
  try {
    await proxied.applyToHTTPSOptions(request);
  } catch {
    // Its message quotes the URL, which may hold a password.
    throw new RestoreHooksError(
      'INVALID_ARGUMENT',
      `the proxy of cluster "${name}" is not an http, https or socks5 URL`,
    );
  }
  const agent = request.agent as https.Agent;
  return Object.assign(agent, { keepAlive: true, options: { ...agent.options, keepAlive: true } });
}

/**
 * Sends plain HTTP requests to a proxy with the whole URL, as Go does: many proxies open tunnels (CONNECT) to TLS ports
 * only.
 */
function forwardingAgent(proxyUrl: string, options: http.AgentOptions): http.Agent {
  const proxy = new URL(proxyUrl);
  const { username, password } = proxy;
  const credentials = [username, password].map(decodeURIComponent).join(':');
  const agent = new http.Agent(options) as http.Agent & {
    /** Node calls it with each request before the request's head is written. */
    addRequest(request: http.ClientRequest, at: object): void;
  };
  const { addRequest } = agent;
  agent.addRequest = function forward(request, at) {
    request.path = `http://${request.getHeader('host')}${request.path}`;
    if (username !== '') {
      request.setHeader('proxy-authorization', `Basic ${Buffer.from(credentials).toString('base64')}`);
    }
    addRequest.call(this, request, { ...at, host: proxy.hostname, port: Number(proxy.port || 80) });
  };
  return agent;
}

async function tlsOptions(config: KubeConfig): Promise<TlsOptions> {
  const { cluster, user } = config;
  const [ca, cert, key] = await Promise.all([
    pem(cluster.caData, cluster.caFile, `cluster "${cluster.name}"`),
    pem(user.certData, user.certFile, `user "${user.name}"`),
    pem(user.keyData, user.keyFile, `user "${user.name}"`),
  ]);
  requirePem(config, ca, cert, key);
  return {
    // Without a CA in the kubeconfig, kubectl trusts the system's CAs, and not the list that Node ships.
    ca: ca ?? getCACertificates('system'),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(cluster.tlsServerName && { servername: cluster.tlsServerName }),
    // Always set, because otherwise NODE_TLS_REJECT_UNAUTHORIZED decides.
    rejectUnauthorized: !cluster.skipTLSVerify,
  };
}

/** Refuse what is no certificate and no key, as kubectl does: a connection would fail for another reason. */
function requirePem({ cluster, user }: KubeConfig, ca?: Buffer, cert?: Buffer, key?: Buffer): void {
  const isPem = (bytes: Buffer): boolean => bytes.includes('-----BEGIN ');
  const unusable = (of: string, what: string): RestoreHooksError =>
    new RestoreHooksError('INVALID_ARGUMENT', `${of}: ${what}`, {
      hint: 'get the kubeconfig again, or choose another --context or --user',
    });
  if (ca !== undefined && !isPem(ca)) {
    const where = cluster.caFile ?? 'certificate-authority-data';
    throw unusable(`cluster "${cluster.name}"`, `${where} holds no certificate, expected PEM`);
  }
  if (cert === undefined || key === undefined) return;
  for (const [bytes, where] of [
    [cert, user.certFile ?? 'client-certificate-data'],
    [key, user.keyFile ?? 'client-key-data'],
  ] as const) {
    if (!isPem(bytes)) throw unusable(`user "${user.name}"`, `${where} is not PEM`);
  }
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const { code = 'unknown reason' } = (error ?? {}) as { code?: string };
    throw unusable(`user "${user.name}"`, `its client certificate and key can't be used together (${code})`);
  }
}

async function pem(data: string | undefined, file: string | undefined, whose: string): Promise<Buffer | undefined> {
  if (data !== undefined) return Buffer.from(data, 'base64');
  if (file === undefined) return undefined;
  try {
    return await readFile(file);
  } catch (error) {
    throw new RestoreHooksError('INVALID_ARGUMENT', `${whose}: ${file} can't be read (${codeOf(error)})`, {
      hint: 'check the path: in a kubeconfig it is relative to that file',
      cause: error,
    });
  }
}

function impersonationHeaders(as: Impersonation | undefined): Record<string, string | string[]> {
  if (as === undefined) return {};
  const headers: Record<string, string | string[]> = { 'impersonate-user': headerValue(as.user) };
  if (as.uid !== undefined) headers['impersonate-uid'] = headerValue(as.uid);
  if (as.groups.length > 0) headers['impersonate-group'] = as.groups.map(headerValue);
  for (const [key, values] of Object.entries(as.extra)) {
    headers[`impersonate-extra-${headerName(key)}`] = values.map(headerValue);
  }
  return headers;
}

/** A key as part of a header's name. Characters that a name can't have, and `%`, are escaped as client-go does it. */
const headerName = (key: string): string =>
  Array.from(Buffer.from(key, 'utf8'), (byte) => {
    const character = String.fromCharCode(byte);
    return /[\w!#$&'*+.^`|~-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }).join('');

/** Go sends headers in UTF-8, while Node writes one byte for each character. */
function headerValue(value: string): string {
  if (/[\r\n\0]/.test(value))
    throw new RestoreHooksError(
      'INVALID_ARGUMENT',
      '--as, --as-group, --as-uid or --as-user-extra contains a line break',
    );
  return Buffer.from(value, 'utf8').toString('latin1');
}
