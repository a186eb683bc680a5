import type { KubeObject } from './objects.ts';
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from './resources.ts';
import type { Store } from './store.ts';

export interface User {
  readonly name: string;
  readonly groups: readonly string[];
}

/** An action on a resource, or with `path` a request for another address. */
export interface Attributes {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly path?: string | undefined;
}

export interface Decision {
  readonly allowed: boolean;
  /** The binding that allows the action, or the reason why it could not be evaluated. */
  readonly reason: string;
}

interface PolicyRule {
  readonly verbs: readonly string[];
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
}

interface Subject {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
}

interface Binding extends KubeObject {
  readonly roleRef: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly Subject[];
}

/** Evaluate Roles, ClusterRoles and their bindings, as Kubernetes' own authorizer does. */
export function authorize(store: Store, user: User, wanted: Attributes): Decision {
  if (user.groups.includes('system:masters')) return { allowed: true, reason: '' };
  const unknown: string[] = [];
  const bindings = [
    ...store.list(clusterRoleBindings),
    ...(wanted.namespace === undefined ? [] : store.list(roleBindings, wanted.namespace)),
  ] as Binding[];
  for (const binding of bindings) {
    const subject = binding.subjects?.find((each) => isSubject(each, user, binding.metadata.namespace));
    if (subject === undefined) continue;
    const { kind, name } = binding.roleRef;
    const of = kind === 'ClusterRole' ? clusterRoles : roles;
    const role = store.get(of, binding.metadata.namespace, name);
    if (role === undefined) {
      unknown.push(`${of.singular}.rbac.authorization.k8s.io "${name}" not found`);
      continue;
    }
    const rules = (role['rules'] ?? []) as readonly PolicyRule[];
    if (rules.some((rule) => allows(rule, wanted))) {
      return {
        allowed: true,
        reason: `RBAC: allowed by ${nameOf(binding)} of ${kind} "${name}" to ${toText(subject)}`,
      };
    }
  }
  return { allowed: false, reason: unknown.length === 0 ? '' : `RBAC: ${unknown.join(', ')}` };
}

/** What somebody may do in a namespace, as SelfSubjectRulesReview tells it. */
export function rulesOf(store: Store, user: User, namespace: string) {
  const missing: string[] = [];
  const all = [...store.list(clusterRoleBindings), ...store.list(roleBindings, namespace)] as Binding[];
  const rules = all
    .filter((binding) => binding.subjects?.some((each) => isSubject(each, user, binding.metadata.namespace)))
    .flatMap(({ roleRef: { kind, name }, metadata }) => {
      const of = kind === 'ClusterRole' ? clusterRoles : roles;
      const role = store.get(of, metadata.namespace, name);
      if (role === undefined) missing.push(`${of.singular}.rbac.authorization.k8s.io "${name}" not found`);
      return (role?.['rules'] ?? []) as readonly PolicyRule[];
    });
  return {
    resourceRules: rules.filter((rule) => rule.resources !== undefined),
    nonResourceRules: rules.filter((rule) => rule.nonResourceURLs !== undefined),
    ...(missing.length === 0 ? {} : { evaluationError: missing.join(', ') }),
  };
}

const nameOf = (binding: Binding): string => {
  const { name, namespace } = binding.metadata;
  return namespace === undefined ? `ClusterRoleBinding "${name}"` : `RoleBinding "${name}/${namespace}"`;
};

const toText = (subject: Subject): string =>
  subject.kind === 'ServiceAccount'
    ? `ServiceAccount "${subject.name}/${subject.namespace}"`
    : `${subject.kind} "${subject.name}"`;

function isSubject(subject: Subject, user: User, bindingNamespace: string | undefined): boolean {
  switch (subject.kind) {
    case 'User':
      return subject.name === user.name;
    case 'Group':
      return user.groups.includes(subject.name);
    case 'ServiceAccount':
      return user.name === `system:serviceaccount:${subject.namespace ?? bindingNamespace}:${subject.name}`;
    default:
      return false;
  }
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list !== undefined && (list.includes('*') || list.includes(value));

function allows(rule: PolicyRule, wanted: Attributes): boolean {
  if (!has(rule.verbs, wanted.verb)) return false;
  if (wanted.path !== undefined) {
    const { path } = wanted;
    return (rule.nonResourceURLs ?? []).some((url) =>
      url.endsWith('*') ? path.startsWith(url.slice(0, -1)) : path === url,
    );
  }
  if (!has(rule.apiGroups, wanted.group)) return false;
  const { subresource } = wanted;
  const resource = subresource === undefined ? wanted.resource : `${wanted.resource}/${subresource}`;
  const named = has(rule.resources, resource) || (subresource !== undefined && has(rule.resources, `*/${subresource}`));
  if (!named) return false;
  return (rule.resourceNames ?? []).length === 0 || (rule.resourceNames ?? []).includes(wanted.name ?? '');
}

/** The API server's sentence for a refusal. */
export function refusalText(user: User, wanted: Attributes, decision: Decision): string {
  const suffix = decision.reason === '' ? '' : `: ${decision.reason}`;
  if (wanted.path !== undefined) return `User "${user.name}" cannot ${wanted.verb} path "${wanted.path}"${suffix}`;
  const resource = wanted.subresource === undefined ? wanted.resource : `${wanted.resource}/${wanted.subresource}`;
  const where = wanted.namespace === undefined ? 'at the cluster scope' : `in the namespace "${wanted.namespace}"`;
  return `User "${user.name}" cannot ${wanted.verb} resource "${resource}" in API group "${wanted.group}" ${where}${suffix}`;
}

/** Roles that every cluster has from the start. */
export function defaultRoles(): { clusterRoles: KubeObject[]; clusterRoleBindings: KubeObject[] } {
  const apiVersion = 'rbac.authorization.k8s.io/v1';
  const role = (name: string, rules: readonly PolicyRule[]): KubeObject => ({
    apiVersion,
    kind: 'ClusterRole',
    metadata: { name },
    rules,
  });
  const binding = (name: string, group: string): KubeObject => ({
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: group }],
  });
  return {
    clusterRoles: [
      role('cluster-admin', [
        { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
        { verbs: ['*'], nonResourceURLs: ['*'] },
      ]),
      role('system:basic-user', [
        {
          verbs: ['create'],
          apiGroups: ['authorization.k8s.io'],
          resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
        },
        { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'] },
      ]),
      role('system:discovery', [
        {
          verbs: ['get'],
          nonResourceURLs: [
            ...['/api', '/api/*', '/apis', '/apis/*', '/healthz', '/livez', '/openapi', '/openapi/*', '/readyz'],
            ...['/version', '/version/'],
          ],
        },
      ]),
      role('system:public-info-viewer', [
        { verbs: ['get'], nonResourceURLs: ['/healthz', '/livez', '/readyz', '/version', '/version/'] },
      ]),
    ],
    clusterRoleBindings: [
      binding('cluster-admin', 'system:masters'),
      binding('system:basic-user', 'system:authenticated'),
      binding('system:discovery', 'system:authenticated'),
      binding('system:public-info-viewer', 'system:authenticated'),
      { ...binding('system:public-info-viewer', 'system:unauthenticated'), metadata: { name: 'system:public-info' } },
    ],
  };
}
