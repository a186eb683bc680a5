import { RestoreHooksError } from '../../core/errors.ts';
import { cutText, sanitizeLine } from '../../core/sanitize.ts';
import type { ServerUrl } from '../connect/proxy.ts';

/** Turn a failure below HTTP into the error that users see. */
export function unreachable(server: ServerUrl, error: unknown): RestoreHooksError {
  if (error instanceof RestoreHooksError) return error;
  const fault: Fault = error ?? {};
  const { proxy } = server;
  const way = proxy === undefined ? '' : ` by the proxy ${proxy}`;
  const [why, hint] = (proxy === undefined ? undefined : explainProxy(fault, proxy)) ?? explain(fault, server);
  return new RestoreHooksError(
    'CLUSTER_UNREACHABLE',
    `the API server at ${server.host} can't be reached${way}: ${why}`,
    {
      hint,
      cause: error,
    },
  );
}

/** An error of Node's net, dns and tls. */
interface Fault {
  readonly code?: string;
  readonly message?: string;
  /** The name that was looked up. */
  readonly hostname?: string;
  /** The name that the certificate should have had. */
  readonly host?: string;
}
type Explanation = readonly [why: string, hint: string];

const CHECK_PROXY = 'check the proxy: proxy-url in the kubeconfig, else HTTPS_PROXY (HTTP_PROXY) and NO_PROXY';

/** What a proxy does before the API server has been reached. */
function explainProxy({ code = '', message = '', hostname }: Fault, proxy: string): Explanation | undefined {
  const [, status] = /^Bad response: (\d{3})/.exec(message) ?? [];
  if (status === '407') {
    return [
      'the proxy wants a user and a password (HTTP 407)',
      'put them into the proxy-url of the kubeconfig, else into HTTPS_PROXY: http://USER:PASSWORD@HOST:PORT',
    ];
  }
  if (status !== undefined) return [`the proxy answered HTTP ${status}`, CHECK_PROXY];
  if (code === 'ECONNREFUSED') return ['the proxy refuses the connection', CHECK_PROXY];
  if (isLookup(code)) return [lookupText(code, hostname ?? URL.parse(proxy)?.hostname ?? proxy), CHECK_PROXY];
  return undefined;
}

const isLookup = (code: string): boolean => code === 'ENOTFOUND' || code === 'EAI_AGAIN';
const lookupText = (code: string, host: string): string =>
  code === 'ENOTFOUND' ? `no such host ${host}` : `no name server says where ${host} is (${code})`;

function explain(fault: Fault, server: URL): Explanation {
  const { code = '', message = '' } = fault;
  const isUp = 'check that the cluster is up and that this is the right --context or --server';
  if (code === 'ECONNREFUSED') return ['connection refused', isUp];
  if (isLookup(code)) {
    const hint = "check the server in the kubeconfig, and this machine's network (a VPN)";
    return [lookupText(code, fault.hostname ?? server.hostname), hint];
  }
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return ['the connection was closed before the answer was complete', isUp];
  return explainTls(fault, server) ?? [message || code || 'unknown reason', isUp];
}

function explainTls({ code = '', message = '', host }: Fault, { hostname }: URL): Explanation | undefined {
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    const what = code === 'CERT_HAS_EXPIRED' ? 'has expired' : 'is not valid yet';
    return [`its certificate ${what} (${code})`, "renew it there, or set this machine's clock right"];
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const [, names] = /altnames: (?:Host: .* altnames: |IP: .* list: )(.*)$/s.exec(message) ?? [];
    const others = names === undefined || names.trim() === '' ? '' : `, but for ${cutText(sanitizeLine(names), 200)}`;
    return [
      `its certificate is not for ${host ?? hostname}${others}`,
      'use one of its names in the kubeconfig, as server or as tls-server-name',
    ];
  }
  if (/CERT|SIGNATURE|ISSUER/.test(code)) {
    return [
      `its certificate is not trusted: another authority has signed it (${code})`,
      "the kubeconfig's certificate-authority must be that of this cluster: get the kubeconfig again, or choose another --context",
    ];
  }
  if (code !== 'EPROTO' && !code.startsWith('ERR_SSL')) return undefined;
  const isPlain = /wrong version number|packet length too long/i.test(message);
  const why = isPlain ? 'it does not speak TLS there' : `TLS failed (${code})`;
  return [why, "check the kubeconfig's server (scheme and port), certificates and proxy-url"];
}
