import { RestoreHooksError } from '../../core/errors.ts';
import type { Right } from '../../core/manifests/rbac.ts';
import { cutText } from '../../core/sanitize.ts';
import { missingRights } from './access.ts';
import { kubeApiError } from './api-error.ts';
import type { KubeClient } from './client.ts';

/** A runner's log is read to its last 2 KiB, a status to 4: whatever an admission webhook has to say. */
const LONGEST_MESSAGE = 400;

/** One request for one object: the right that it needs, and the object's name. */
export type Asked = Right & { readonly name: string };

/**
 * What the API server said to a request, told with the verb and the object, and with the code that says what to do:
 * - `NOT_FOUND`: a Status names the object that is gone. Any other 404 (a proxy's) is `CLUSTER_UNREACHABLE`.
 * - `FORBIDDEN`: the right is missing. A 403 although it is there is the word of a quota, of admission or of a
 *   namespace that is going: `RUN_FAILED`, as is every other 4xx.
 * - `WRITE_CONFLICT`, `CLUSTER_UNREACHABLE`: worth another try.
 */
export async function refusedWrite(client: Pick<KubeClient, 'create'>, asked: Asked, error: unknown): Promise<unknown> {
  const answer = kubeApiError(error);
  if (answer === undefined || !(error instanceof RestoreHooksError)) return error;
  const { verb, resource, group, namespace, name } = asked;
  const object = `${resource}${group === '' ? '' : `.${group}`} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
  const said = error.message.length > LONGEST_MESSAGE ? `${cutText(error.message, LONGEST_MESSAGE)}…` : error.message;
  const { hint } = error;
  const told = (code: RestoreHooksError['code']) =>
    new RestoreHooksError(code, `${verb} ${object}: ${said} (HTTP ${answer.status})`, {
      ...(hint !== undefined && { hint }),
      cause: error.cause,
    });
  if (error.code === 'NOT_FOUND') return told(answer.name === undefined ? 'CLUSTER_UNREACHABLE' : 'NOT_FOUND');
  if (answer.status === 408) return told('CLUSTER_UNREACHABLE');
  if (error.code === 'DENIED' || (answer.status === 403 && !(await isMissing(client, asked))))
    return told('RUN_FAILED');
  return told(error.code === 'INVALID_INPUT' ? 'RUN_FAILED' : error.code);
}

/** Whether the right is missing, as far as anybody can tell. */
async function isMissing(client: Pick<KubeClient, 'create'>, { name: _, ...right }: Asked): Promise<boolean> {
  try {
    return (await missingRights(client, [right])).length > 0;
  } catch (error) {
    if (error instanceof RestoreHooksError) return true;
    throw error;
  }
}
