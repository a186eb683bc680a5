import * as z from 'zod';
import type { Right } from '../core/manifests/rbac.ts';
import type { KubeClient } from './client.ts';
import { paths } from './paths.ts';

/** Of these rights, those that the caller lacks. Anybody may ask this. */
export const missingRights = (client: Pick<KubeClient, 'create'>, rights: readonly Right[]): Promise<Right[]> =>
  missing(client, rights, paths.selfSubjectAccessReviews(), 'SelfSubjectAccessReview', {});

/** Of these rights, those that a ServiceAccount lacks. Rejects with `FORBIDDEN` where the caller may not ask. */
export function missingRightsOfServiceAccount(
  client: Pick<KubeClient, 'create'>,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  rights: readonly Right[],
): Promise<Right[]> {
  return missing(client, rights, paths.subjectAccessReviews(), 'SubjectAccessReview', {
    user: `system:serviceaccount:${namespace}:${name}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
  });
}

async function missing(
  client: Pick<KubeClient, 'create'>,
  rights: readonly Right[],
  path: string,
  kind: string,
  who: object,
): Promise<Right[]> {
  const denied = await Promise.all(
    rights.map(async (right) => {
      const spec = { ...who, resourceAttributes: right };
      const answer = await client.create(path, { apiVersion: 'authorization.k8s.io/v1', kind, spec });
      return Review.safeParse(answer).data?.status.allowed === true ? [] : [right];
    }),
  );
  return denied.flat();
}

const Review = z.object({ status: z.object({ allowed: z.boolean() }) });

/** `create pods/exec in namespace a`, as a line for people. */
export function rightText({ verb, group, resource, subresource, namespace }: Right): string {
  const full = `${resource}${group === '' ? '' : `.${group}`}${subresource === undefined ? '' : `/${subresource}`}`;
  return `${verb} ${full} ${namespace === undefined ? 'in the whole cluster' : `in namespace ${namespace}`}`;
}
