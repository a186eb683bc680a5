import { createHash, createHmac } from 'node:crypto';
import * as z from 'zod';
import { RestoreHooksError } from '../../core/errors.ts';
import type { KubeConfig } from './kubeconfig.ts';
import { proxyFor } from './proxy.ts';

/*
 * Amazon EKS without an SDK. EKS accepts as a bearer token a URL of AWS's STS that is signed (Signature Version 4). Its
 * authenticator calls the URL to learn who signed it. The token is the same, byte for byte, as `aws eks get-token` makes.
 */

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export interface EksCluster {
  readonly name: string;
  readonly region: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
/** EKS's authenticator takes a token for 15 minutes after it was signed, whatever the URL's own time says. */
const TOKEN_MS = 14 * 60_000;
const DESCRIBE_MS = 10_000;

const SUFFIXES: readonly (readonly [RegExp, string])[] = [
  [/^cn-/, 'amazonaws.com.cn'],
  [/^us-iso-/, 'c2s.ic.gov'],
  [/^us-isob-/, 'sc2s.sgov.gov'],
  [/^eu-isoe-/, 'cloud.adc-e.uk'],
  [/^us-isof-/, 'csp.hci.ic.gov'],
  [/^eusc-/, 'amazonaws.eu'],
];
export const awsHost = (service: string, region: string): string =>
  `${service}.${region}.${SUFFIXES.find(([of]) => of.test(region))?.[1] ?? 'amazonaws.com'}`;

/** `aws eks get-token`: who we are, for this cluster alone (R8.9). */
export function eksToken({ name, region }: EksCluster, credentials: AwsCredentials, now: number): string {
  const host = awsHost('sts', region);
  const signing = signer({ service: 'sts', region }, credentials, now);
  const headers = { host, 'x-k8s-aws-id': name };
  const query: [string, string][] = [
    ['Action', 'GetCallerIdentity'],
    ['Version', '2011-06-15'],
    ['X-Amz-Algorithm', ALGORITHM],
    ['X-Amz-Credential', signing.credential],
    ['X-Amz-Date', signing.timestamp],
    ['X-Amz-Expires', '60'],
    ['X-Amz-SignedHeaders', Object.keys(headers).join(';')],
    ...(credentials.sessionToken ? [['X-Amz-Security-Token', credentials.sessionToken] as [string, string]] : []),
  ];
  const signature = signing.sign({ path: '/', query, headers });
  const url = `https://${host}/?${queryText(query)}&X-Amz-Signature=${signature}`;
  return `k8s-aws-v1.${Buffer.from(url).toString('base64url')}`;
}

interface ToSign {
  readonly path: string;
  readonly query: readonly (readonly [string, string])[];
  /** In the order of their names, which are in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Signature Version 4 of GET requests, at one moment. */
function signer(
  { service, region }: { readonly service: string; readonly region: string },
  { accessKeyId, secretAccessKey }: AwsCredentials,
  now: number,
) {
  const timestamp = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = [timestamp.slice(0, 8), region, service, 'aws4_request'];
  const key = scope.reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`);
  return {
    timestamp,
    credential: `${accessKeyId}/${scope.join('/')}`,
    sign({ path, query, headers }: ToSign): string {
      const canonical = [
        'GET',
        path,
        queryText([...query].sort(([one], [other]) => (one < other ? -1 : 1))),
        ...Object.entries(headers).map(([name, value]) => `${name}:${value.trim().replace(/\s+/g, ' ')}`),
        '',
        Object.keys(headers).join(';'),
        sha256(''),
      ].join('\n');
      const text = [ALGORITHM, timestamp, scope.join('/'), sha256(canonical)].join('\n');
      return hmac(key, text).toString('hex');
    },
  };
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
/** By RFC 3986, which leaves fewer characters as they are than encodeURIComponent. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (found) => `%${found.charCodeAt(0).toString(16).toUpperCase()}`);
const queryText = (query: readonly (readonly [string, string])[]): string =>
  query.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join('&');

type Env = Readonly<Record<string, string | undefined>>;

/** Of the role that this runs as: Lambda has them in its environment. */
function credentialsOf(env: Env): AwsCredentials {
  const accessKeyId = env['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = env['AWS_SECRET_ACCESS_KEY'];
  if (accessKeyId && secretAccessKey) return { accessKeyId, secretAccessKey, sessionToken: env['AWS_SESSION_TOKEN'] };
  throw new RestoreHooksError('FORBIDDEN', 'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not in the environment', {
    hint: 'give the function an execution role',
  });
}

const Described = z.object({
  cluster: z.object({ endpoint: z.string(), certificateAuthority: z.object({ data: z.string() }) }),
});

/** Ask EKS for the cluster's address and its CA: needs `eks:DescribeCluster`. */
async function describeCluster({ name, region }: EksCluster, env: Env) {
  const url = new URL(`/clusters/${name}`, env['AWS_ENDPOINT_URL_EKS'] || `https://${awsHost('eks', region)}`);
  const credentials = credentialsOf(env);
  const headers = describeHeaders({ name, region }, url.host, credentials, Date.now());
  const fails = (why: string, code: 'FORBIDDEN' | 'INVALID_INPUT' | 'CLUSTER_UNREACHABLE', cause?: unknown) =>
    new RestoreHooksError(code, `EKS cluster ${name} in ${region} can't be described: ${why}`, {
      hint: 'allow the function eks:DescribeCluster, or give it endpoint and certificateAuthority',
      cause,
    });
  let answer: Response;
  let body: unknown;
  try {
    answer = await fetch(url, { headers, signal: AbortSignal.timeout(DESCRIBE_MS) });
    body = await answer.json();
  } catch (error) {
    throw fails(`no answer from ${url.host}`, 'CLUSTER_UNREACHABLE', error);
  }
  if (answer.status === 404) throw fails('there is no cluster of that name', 'INVALID_INPUT');
  if (answer.status === 403) throw fails("the function's role may not do that", 'FORBIDDEN');
  const described = Described.safeParse(body);
  if (answer.ok && described.success) {
    const { endpoint, certificateAuthority } = described.data.cluster;
    return { endpoint, certificateAuthority: certificateAuthority.data };
  }
  throw fails(`HTTP ${answer.status} from ${url.host}`, 'CLUSTER_UNREACHABLE');
}

/** The headers of a signed DescribeCluster. */
export function describeHeaders(
  { name, region }: EksCluster,
  host: string,
  credentials: AwsCredentials,
  now: number,
): Record<string, string> {
  const signing = signer({ service: 'eks', region }, credentials, now);
  const headers = {
    host,
    'x-amz-date': signing.timestamp,
    ...(credentials.sessionToken ? { 'x-amz-security-token': credentials.sessionToken } : {}),
  };
  const signature = signing.sign({ path: `/clusters/${name}`, query: [], headers });
  const signed = Object.keys(headers).join(';');
  const authorization = `${ALGORITHM} Credential=${signing.credential}, SignedHeaders=${signed}, Signature=${signature}`;
  return { ...headers, authorization };
}

/** A cluster to which this role is known, by tokens that are made anew as they expire. */
export async function eksConfig(
  cluster: EksCluster & { readonly endpoint?: string | undefined; readonly certificateAuthority?: string | undefined },
  env: NodeJS.ProcessEnv,
): Promise<KubeConfig> {
  const { name, region, endpoint, certificateAuthority } = cluster;
  const known = endpoint && certificateAuthority ? { endpoint, certificateAuthority } : undefined;
  const place = known ?? (await describeCluster(cluster, env));
  const server = place.endpoint.replace(/\/+$/, '');
  const { certificateAuthority: caData } = place;
  const target = { name, server, caData, skipTLSVerify: false };
  if (proxyFor(target, env) !== undefined) {
    throw new RestoreHooksError('INVALID_ARGUMENT', `a proxy is set for ${server}, and Lambda can't use one`, {
      hint: 'name the host in NO_PROXY, or unset HTTPS_PROXY',
    });
  }
  const issueToken = () => {
    const now = Date.now();
    return { token: eksToken({ name, region }, credentialsOf(env), now), until: now + TOKEN_MS };
  };
  return { cluster: target, user: { name: `eks:${name}`, issueToken }, env };
}
