import { BlockList, isIP } from 'node:net';
import type { KubeCluster } from './kube-cluster.ts';

/** The API server's base URL; it may have a path. */
export interface ServerUrl extends URL {
  /** The proxy's URL without user, password and path, if requests go through a proxy. */
  readonly proxy?: string;
}

export function serverUrl(cluster: KubeCluster, env: NodeJS.ProcessEnv): ServerUrl {
  const proxy = proxyFor(cluster, env);
  const url = proxy === undefined ? null : URL.parse(proxy);
  return Object.assign(new URL(cluster.server), url && { proxy: `${url.protocol}//${url.host}` });
}

/** The proxy for the cluster: the kubeconfig's, else the environment's as Go reads it (NO_PROXY may contain CIDRs). */
export function proxyFor(cluster: KubeCluster, env: NodeJS.ProcessEnv): string | undefined {
  if (cluster.proxyUrl !== undefined) return cluster.proxyUrl;
  if (cluster.isInside) return undefined;
  const server = new URL(cluster.server);
  const either = (name: string) => env[name] || env[name.toLowerCase()];
  const proxy = server.protocol === 'https:' ? either('HTTPS_PROXY') : either('HTTP_PROXY');
  if (!proxy || isDirect(server, either('NO_PROXY') ?? '')) return undefined;
  return proxy.includes('://') ? proxy : `http://${proxy}`;
}

function isDirect(server: URL, noProxy: string): boolean {
  const host = server.hostname.replace(/^\[|\]$/g, '');
  if (host === 'localhost' || host === '::1' || host.startsWith('127.')) return true;
  const port = server.port || (server.protocol === 'https:' ? '443' : '80');
  return noProxy
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .some((entry) => entry !== '' && (entry === '*' || admits(entry, host, port)));
}

function admits(entry: string, host: string, port: string): boolean {
  const [network, bits] = entry.split('/');
  if (network && bits !== undefined) return isIP(host) !== 0 && contains(network, Number(bits), host);
  const withPort = /^(.*):(\d+)$/.exec(entry);
  const name = withPort && isIP(entry) === 0 ? (withPort[1] ?? '') : entry;
  if (withPort && isIP(entry) === 0 && withPort[2] !== port) return false;
  const domain = name.replace(/^\*?\./, '');
  return (host === domain && !/^\*?\./.test(name)) || host.endsWith(`.${domain}`);
}

function contains(network: string, bits: number, host: string): boolean {
  const family = isIP(network) === 6 ? 'ipv6' : 'ipv4';
  if (isIP(network) !== isIP(host)) return false;
  const list = new BlockList();
  try {
    list.addSubnet(network, bits, family);
  } catch {
    return false;
  }
  return list.check(host, family);
}
