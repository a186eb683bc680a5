import * as z from 'zod';
import { RestoreHooksError } from '../../core/errors.ts';
import type { Right } from '../../core/manifests/rbac.ts';
import type { KubeClient } from './client.ts';
import { paths } from './paths.ts';
import { sideBySide } from './side-by-side.ts';

/**
 * Which of these rights the caller lacks. Everybody may ask this. One review per namespace lists the caller's rules; as
 * that list may be incomplete, rights that it doesn't show are asked for one by one.
 */
export async function missingRights(client: Pick<KubeClient, 'create'>, rights: readonly Right[]): Promise<Right[]> {
  const places = Map.groupBy(rights, ({ namespace }) => namespace);
  const unseen = await sideBySide([...places], async ([namespace, own]) => {
    if (namespace === undefined || own.length === 1) return own;
    const rules = await rulesIn(client, namespace);
    return own.filter((right) => !rules.some((rule) => isGrantedBy(rule, right)));
  });
  const missing = new Set(await missingOf(client, unseen.flat(), paths.selfSubjectAccessReviews(), SELF, {}));
  return rights.filter((right) => missing.has(right));
}

/** Which of these rights a ServiceAccount lacks. Rejects with `FORBIDDEN` if the caller may not ask that (R7.17). */
export function missingRightsOfServiceAccount(
  client: Pick<KubeClient, 'create'>,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  rights: readonly Right[],
): Promise<Right[]> {
  return missingOf(client, rights, paths.subjectAccessReviews(), 'SubjectAccessReview', {
    user: `system:serviceaccount:${namespace}:${name}`,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
  });
}

const SELF = 'SelfSubjectAccessReview';

async function missingOf(
  client: Pick<KubeClient, 'create'>,
  rights: readonly Right[],
  path: string,
  kind: string,
  who: object,
): Promise<Right[]> {
  const denied = await sideBySide(rights, async (right) => {
    const spec = { ...who, resourceAttributes: right };
    const answer = await client.create(path, { apiVersion: 'authorization.k8s.io/v1', kind, spec });
    return Review.safeParse(answer).data?.status.allowed === true ? [] : [right];
  });
  return denied.flat();
}

const Review = z.object({ status: z.object({ allowed: z.boolean() }) });

const Rule = z.object({
  verbs: z.array(z.string()).nullish(),
  apiGroups: z.array(z.string()).nullish(),
  resources: z.array(z.string()).nullish(),
  resourceNames: z.array(z.string()).nullish(),
});
const Rules = z.object({ status: z.object({ resourceRules: z.array(Rule) }) });

/** The caller's rules in a namespace, as far as the API server lists them. */
async function rulesIn(client: Pick<KubeClient, 'create'>, namespace: string): Promise<z.infer<typeof Rule>[]> {
  const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace } };
  try {
    return (
      Rules.safeParse(await client.create(paths.selfSubjectRulesReviews(), review)).data?.status.resourceRules ?? []
    );
  } catch (error) {
    // Without the list, each right is asked for.
    if (error instanceof RestoreHooksError && error.code !== 'CLUSTER_UNREACHABLE') return [];
    throw error;
  }
}

/**
 * Whether a rule grants a right, as RBAC matches them. A rule with resourceNames doesn't grant the right in general.
 */
function isGrantedBy({ verbs, apiGroups, resources, resourceNames }: z.infer<typeof Rule>, right: Right): boolean {
  const has = (list: readonly string[] | null | undefined, ...values: string[]): boolean =>
    list?.some((each) => each === '*' || values.includes(each)) ?? false;
  const { group, verb, resource, subresource } = right;
  const wanted = subresource === undefined ? [resource] : [`${resource}/${subresource}`, `*/${subresource}`];
  return (resourceNames ?? []).length === 0 && has(verbs, verb) && has(apiGroups, group) && has(resources, ...wanted);
}

/** The name by which the API server knows the caller; `USER` if it doesn't say. */
export async function ownName(client: Pick<KubeClient, 'create'>): Promise<string> {
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' };
  const answer = await client.create(paths.selfSubjectReviews(), review).catch(() => ({}));
  const { status } = answer as { status?: { userInfo?: { username?: unknown } } };
  const name = status?.userInfo?.username;
  return typeof name === 'string' && name !== '' ? name : 'USER';
}

/** Such as `create pods/exec in namespace a`, for messages. */
export function rightText({ verb, group, resource, subresource, namespace }: Right): string {
  const full = `${resource}${group === '' ? '' : `.${group}`}${subresource === undefined ? '' : `/${subresource}`}`;
  return `${verb} ${full} ${namespace === undefined ? 'in the whole cluster' : `in namespace ${namespace}`}`;
}
