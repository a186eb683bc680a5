import * as z from 'zod';
import type { ErrorCode } from '../../core/errors.ts';
import { RestoreHooksError } from '../../core/errors.ts';
import type { ServerUrl } from '../connect/proxy.ts';

/** What the API server said, kept as the `cause` of the RestoreHooksError that it became. */
export interface KubeApiError {
  readonly status: number;
  /** Kubernetes' reason: `Conflict`, `AlreadyExists`, `Expired`, `Invalid`, …; empty if the answer had no Status. */
  readonly reason: string;
  readonly message: string;
  /** The object that the Status names. A 404 for an unknown resource type (no such CRD) names none. */
  readonly name?: string;
  /** Whether the Status names an object. The API server's own refusals do, those of an admission webhook don't. */
  readonly hasDetails: boolean;
  readonly retryAfterMs?: number;
}

const Status = z.object({
  kind: z.literal('Status'),
  code: z.number().nullish(),
  message: z.string().nullish(),
  reason: z.string().nullish(),
  details: z
    .object({ name: z.string().nullish(), kind: z.string().nullish(), retryAfterSeconds: z.number().nullish() })
    .nullish(),
});

const answers = new WeakSet<object>();

/** The API server's answer behind an error, if it gave one. */
export function kubeApiError(error: unknown): KubeApiError | undefined {
  const cause = error instanceof RestoreHooksError ? error.cause : undefined;
  return typeof cause === 'object' && cause !== null && answers.has(cause) ? (cause as KubeApiError) : undefined;
}

export interface Refused {
  readonly status: number;
  readonly body: string;
  readonly retryAfterMs?: number;
  readonly server: URL;
  /** Such as `GET /api/v1/pods`: for the message where the answer has none, and for the object that a 404 must name. */
  readonly request: string;
}

/** Turn an answer that isn't 2xx, or an ERROR event of a watch, into the error that users see. */
export function refusedByServer({ status, body, retryAfterMs, server, request }: Refused): RestoreHooksError {
  const said = statusOf(body);
  const wait = retryAfterMs ?? (said?.details?.retryAfterSeconds ?? 0) * 1000;
  const answer: KubeApiError = {
    status,
    reason: said?.reason ?? '',
    message: said?.message || `${server.host} answered ${request} with HTTP ${status}`,
    ...(said?.details?.name && { name: said.details.name }),
    hasDetails: said?.details !== undefined && said.details !== null,
    ...(wait > 0 && { retryAfterMs: wait }),
  };
  answers.add(answer);
  const isNotFound = status === 404 && namesObject(said, request);
  const { code, hint } = meaning(answer, server, isNotFound);
  const message = status === 401 ? `the API server at ${server.host} did not accept the credentials` : answer.message;
  return new RestoreHooksError(code, message, { ...(hint && { hint }), cause: answer });
}

/**
 * Whether a 404 says that the request's object, or its namespace, doesn't exist (R4.18). Proxies, aggregated API
 * servers and an API server that is starting also answer 404, and then the object may well exist.
 */
function namesObject(said: z.infer<typeof Status> | undefined, request: string): boolean {
  const { name, kind } = said?.details ?? {};
  if (!name) return false;
  const path = request.slice(request.indexOf('/'));
  const [, ofNamespace, resource, ofObject] = OBJECT_PATH.exec(path) ?? [];
  const asked = (part: string | undefined): boolean => part !== undefined && decodeURIComponent(part) === name;
  return (asked(ofObject) && (kind ?? resource) === resource) || (kind === 'namespaces' && asked(ofNamespace));
}

/** Namespace, resource and name. */
const OBJECT_PATH = /\/(?:api|apis\/[^/]+)\/[^/]+(?:\/namespaces\/([^/?]+)(?=\/))?\/([^/?]+)(?:\/([^/?]+))?/;

function meaning({ status }: KubeApiError, server: URL, isNotFound: boolean): { code: ErrorCode; hint?: string } {
  if (status === 401) return { code: 'FORBIDDEN', hint: 'log in again, or choose another --context or --user' };
  if (status === 403) return { code: 'FORBIDDEN', hint: 'ask for this right, or choose another --context or --as' };
  if (isNotFound) return { code: 'NOT_FOUND' };
  if (status === 404) {
    const hint = `check that ${server.origin} is this cluster's API server, and what stands before it (a proxy)`;
    return { code: 'CLUSTER_UNREACHABLE', hint };
  }
  if (status === 409) return { code: 'WRITE_CONFLICT' };
  if (status >= 500 || status === 429) return { code: 'CLUSTER_UNREACHABLE', hint: 'try again in a moment' };
  if (status < 400) {
    return { code: 'CLUSTER_UNREACHABLE', hint: `check that ${server.origin} is a Kubernetes API server` };
  }
  return { code: 'INVALID_INPUT' };
}

/**
 * A 403 for a caller who has the right (R7.21): a quota, PodSecurity, a LimitRange, a webhook or a policy refuses the
 * object, or the namespace is being deleted. The answer alone doesn't tell these from a missing right.
 */
export const deniedByAdmission = (error: RestoreHooksError): RestoreHooksError =>
  new RestoreHooksError('DENIED', error.message, {
    hint: 'the right is there, but the cluster refuses this object: correct what the message names (a quota, a policy, a webhook, the namespace), then try again',
    cause: error.cause,
  });

function statusOf(body: string): z.infer<typeof Status> | undefined {
  try {
    return Status.safeParse(JSON.parse(body)).data;
  } catch {
    return undefined;
  }
}

/** Turn a failure below HTTP into the error that users see. */
export function unreachable(server: ServerUrl, error: unknown): RestoreHooksError {
  if (error instanceof RestoreHooksError) return error;
  const { code = '', message = '' } = (error ?? {}) as { code?: string; message?: string };
  const [why, hint] = explain(code, message, server);
  const by = server.proxy === undefined ? '' : ` by the proxy ${server.proxy}`;
  return new RestoreHooksError(
    'CLUSTER_UNREACHABLE',
    `the API server at ${server.host} can't be reached${by}: ${why}`,
    {
      hint: by === '' ? hint : `check the proxy (proxy-url in the kubeconfig, else HTTPS_PROXY and NO_PROXY); ${hint}`,
      cause: error,
    },
  );
}

function explain(code: string, message: string, server: URL): [why: string, hint: string] {
  const isUp = 'check that the cluster is up and that this is the right --context';
  if (code === 'ECONNREFUSED') return ['connection refused', isUp];
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return [`no such host ${server.hostname}`, isUp];
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return ['the connection was closed before the answer was complete', isUp];
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    const what = code === 'CERT_HAS_EXPIRED' ? 'has expired' : 'is not valid yet';
    return [`its certificate ${what} (${code})`, "renew it there, or set this machine's clock right"];
  }
  if (/CERT|SIGNATURE|ISSUER/.test(code)) {
    return [`its certificate is not trusted (${code})`, "check the kubeconfig's certificate-authority and server name"];
  }
  if (code.startsWith('ERR_SSL') || code === 'EPROTO') {
    return [`TLS failed (${code})`, "check the kubeconfig's server, certificates and proxy-url"];
  }
  return [message || code || 'unknown reason', isUp];
}
