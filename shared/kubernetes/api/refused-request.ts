import type { ErrorCode } from '../../core/errors.ts';
import { RestoreHooksError } from '../../core/errors.ts';
import type { Right } from '../../core/manifests/rbac.ts';
import { cutText } from '../../core/sanitize.ts';
import type { KubeApiError } from './api-error.ts';
import { kubeApiError } from './api-error.ts';

/** Only the last 2 KiB of a runner's log are read, and 4 KiB of a status: an admission webhook's text must fit. */
const LONGEST_MESSAGE = 400;

/** One request for one object: the right that it needs, and the object's name. */
export type Asked = Right & { readonly name: string };

/**
 * A runner's failed request, told with its verb and its object. What a 403 and a 404 mean is judged before, by the
 * client: `FORBIDDEN` is a missing right, `DENIED` is admission, `NOT_FOUND` is a Status that names the object. Here
 * the code becomes one that says whether another try is worth it:
 * - `CLUSTER_UNREACHABLE` and `WRITE_CONFLICT` are.
 * - `RUN_FAILED` is not: admission or validation refuses this object.
 *
 * Any other error stays as it is.
 */
export function describeRefusal(asked: Asked, error: unknown): unknown {
  const answer = kubeApiError(error);
  if (answer === undefined || !(error instanceof RestoreHooksError)) return error;
  const { verb, resource, group, namespace, name } = asked;
  const object = `${resource}${group === '' ? '' : `.${group}`} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
  const said = error.message.length > LONGEST_MESSAGE ? `${cutText(error.message, LONGEST_MESSAGE)}…` : error.message;
  return new RestoreHooksError(codeOf(error, answer), `${verb} ${object}: ${said} (HTTP ${answer.status})`, {
    ...(error.hint !== undefined && { hint: error.hint }),
    cause: error.cause,
  });
}

function codeOf({ code }: RestoreHooksError, { status }: KubeApiError): ErrorCode {
  if (status === 408) return 'CLUSTER_UNREACHABLE';
  return code === 'DENIED' || code === 'INVALID_INPUT' ? 'RUN_FAILED' : code;
}
