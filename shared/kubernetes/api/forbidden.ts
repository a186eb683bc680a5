import { RestoreHooksError } from '../../core/errors.ts';
import { deniedByAdmission, kubeApiError } from './api-error.ts';
import type { HttpRequest } from './http.ts';
import type { KubeObject } from './kube-object.ts';
import { paths } from './paths.ts';
import { rightOfRequest } from './request-right.ts';

/**
 * Judge what a failed write means. A 403 means either that the caller lacks the right (`FORBIDDEN`) or that admission
 * refuses this very object (`DENIED`), and the answer doesn't say which. So the API server is asked whether the right
 * is there (R7.21). If there is no answer, and for every other error, the error stays as it is.
 */
export async function judgeForbidden(
  error: unknown,
  request: Pick<HttpRequest, 'method' | 'path'>,
  review: (request: { readonly path: string; readonly body: object }) => Promise<KubeObject | undefined>,
): Promise<unknown> {
  const answer = kubeApiError(error);
  if (answer?.status !== 403 || !(error instanceof RestoreHooksError)) return error;
  const resourceAttributes = rightOfRequest(request);
  if (resourceAttributes === undefined) return error;
  // Whoever grants rights must hold them: a refusal of the RBAC API itself is about rights, too.
  if (resourceAttributes.group === 'rbac.authorization.k8s.io' && answer.hasDetails) return error;
  const body = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes },
  };
  try {
    const { status } = ((await review({ path: paths.selfSubjectAccessReviews(), body })) ?? {}) as {
      status?: { allowed?: unknown } | null;
    };
    return status?.allowed === true ? deniedByAdmission(error) : error;
  } catch {
    return error;
  }
}
