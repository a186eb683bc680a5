import * as z from 'zod';
import type { ErrorCode } from '../../core/errors.ts';
import { RestoreHooksError } from '../../core/errors.ts';
import type { Right } from '../../core/manifests/rbac.ts';
import { SERVICE_ACCOUNT } from '../../core/names.ts';
import { grantCommand, rightsText } from './grant.ts';

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
    message: said?.message || `the server at ${server.host} answered ${request} with HTTP ${status}`,
    ...(said?.details?.name && { name: said.details.name }),
    hasDetails: said?.details !== undefined && said.details !== null,
    ...(wait > 0 && { retryAfterMs: wait }),
  };
  answers.add(answer);
  const {
    code,
    message = answer.message,
    hint,
  } = meaning(answer, server, {
    isNotFound: status === 404 && namesObject(said, request),
    hasStatus: said !== undefined,
    isSpeakingTls: /HTTP request to an HTTPS server/.test(body),
  });
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

interface Meaning {
  readonly code: ErrorCode;
  /** Absent: the server's own. */
  readonly message?: string;
  readonly hint?: string;
}

function meaning(
  answer: KubeApiError,
  server: URL,
  { isNotFound, hasStatus, isSpeakingTls }: Record<'isNotFound' | 'hasStatus' | 'isSpeakingTls', boolean>,
): Meaning {
  const { status, message } = answer;
  const at = `the API server at ${server.host}`;
  const check = `check that ${server.origin} is this cluster's API server, and what stands before it (a proxy, a login page)`;
  if (status === 401) {
    const hint = 'log in again, or choose another --context or --user';
    return { code: 'FORBIDDEN', message: `${at} did not accept the credentials`, hint };
  }
  if (status === 403) return { code: 'FORBIDDEN', ...missingRight(message) };
  if (isNotFound) return { code: 'NOT_FOUND' };
  if (status === 404 || status < 400) return { code: 'CLUSTER_UNREACHABLE', hint: check };
  if (status === 409)
    return { code: 'WRITE_CONFLICT', hint: 'somebody has changed it meanwhile: run the command again' };
  if (status === 429)
    return { code: 'CLUSTER_UNREACHABLE', message: `${at} is too busy (HTTP 429): ${message}`, hint: AGAIN };
  if (status >= 500) {
    const said = hasStatus ? `${at} failed (HTTP ${status}): ${message}` : message;
    return { code: 'CLUSTER_UNREACHABLE', message: said, hint: AGAIN };
  }
  if (status === 400 && isSpeakingTls) {
    const hint = `the server of the cluster in the kubeconfig must begin with https://`;
    return {
      code: 'CLUSTER_UNREACHABLE',
      message: `the server at ${server.host} speaks HTTPS, and was asked over HTTP`,
      hint,
    };
  }
  if (!hasStatus && NOT_OF_KUBERNETES.has(status)) return { code: 'CLUSTER_UNREACHABLE', hint: check };
  return { code: 'INVALID_INPUT', hint: 'the API server refuses this request: correct what the message names' };
}

const AGAIN = 'try again in a moment; if it stays so, look at the API server and its webhooks';

/** What Go's HTTP server and proxies answer; the Kubernetes API explains such an answer with a Status. */
const NOT_OF_KUBERNETES = new Set([400, 405, 407, 421]);

const MISSING_RIGHT =
  /User "(.+)" cannot (\S+) resource "([^"/]+)(?:\/([^"]+))?" in API group "([^"]*)" (?:in the namespace "([^"]+)"|at the cluster scope)(.*)$/s;

/** The authorizer's words as who may not do what, with the command that grants it; other refusals as they are. */
function missingRight(said: string): Pick<Meaning, 'message' | 'hint'> {
  const [, user, verb = '', resource = '', subresource, group = '', namespace, more = ''] =
    MISSING_RIGHT.exec(said) ?? [];
  if (user === undefined) return { hint: 'ask for this right, or choose another --context or --as' };
  const right: Right = {
    ...{ verb, resource, group },
    ...(subresource !== undefined && { subresource }),
    ...(namespace !== undefined && { namespace }),
  };
  const isRunner = namespace !== undefined && user === `system:serviceaccount:${namespace}:${SERVICE_ACCOUNT}`;
  return {
    message: `user ${user} may not ${rightsText([right])}${more}`,
    hint: isRunner
      ? `see how an administrator can grant this: kubectl restorehooks check -n ${namespace}`
      : `an administrator can grant this: ${grantCommand(user, [right])}`,
  };
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
