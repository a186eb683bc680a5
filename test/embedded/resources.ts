import type { ResourceName } from './status.ts';

/** One kind of object that the server keeps, and how it is treated. */
export interface Resource extends ResourceName {
  readonly version: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly shortNames?: readonly string[];
  readonly subresources?: readonly string[];
  /** `status` is written through its own subresource only. */
  readonly statusApart?: boolean;
  /** Has `metadata.generation`. */
  readonly generation?: boolean;
  /** Names are DNS labels, not subdomains (namespaces), or free (RBAC). */
  readonly names?: 'label' | 'path';
  /** An update must name the resourceVersion that it replaces. */
  readonly conditional?: boolean;
  /** An update (PUT) of a missing object creates it. */
  readonly createdByUpdate?: boolean;
  /** There is no DELETE of all of them. */
  readonly keepsCollection?: boolean;
  /** A custom resource: no strategic merge patch. */
  readonly custom?: boolean;
  /** Created to be answered, never kept. */
  readonly review?: boolean;
}

const core = { group: '', version: 'v1' } as const;
const rbac = { group: 'rbac.authorization.k8s.io', version: 'v1', names: 'path', createdByUpdate: true } as const;
const review = { group: 'authorization.k8s.io', version: 'v1', namespaced: false, review: true } as const;

export const namespaces: Resource = {
  ...core,
  resource: 'namespaces',
  singular: 'namespace',
  kind: 'Namespace',
  namespaced: false,
  shortNames: ['ns'],
  statusApart: true,
  names: 'label',
  keepsCollection: true,
};
export const pods: Resource = {
  ...core,
  resource: 'pods',
  singular: 'pod',
  kind: 'Pod',
  namespaced: true,
  shortNames: ['po'],
  subresources: ['log', 'exec', 'status'],
  statusApart: true,
  generation: true,
};
export const secrets: Resource = {
  ...core,
  resource: 'secrets',
  singular: 'secret',
  kind: 'Secret',
  namespaced: true,
};
export const configMaps: Resource = {
  ...core,
  resource: 'configmaps',
  singular: 'configmap',
  kind: 'ConfigMap',
  namespaced: true,
  shortNames: ['cm'],
};
export const serviceAccounts: Resource = {
  ...core,
  resource: 'serviceaccounts',
  singular: 'serviceaccount',
  kind: 'ServiceAccount',
  namespaced: true,
  shortNames: ['sa'],
  subresources: ['token'],
};
export const events: Resource = {
  ...core,
  resource: 'events',
  singular: 'event',
  kind: 'Event',
  namespaced: true,
  shortNames: ['ev'],
};
export const podTemplates: Resource = {
  ...core,
  resource: 'podtemplates',
  singular: 'podtemplate',
  kind: 'PodTemplate',
  namespaced: true,
};
export const resourceQuotas: Resource = {
  ...core,
  resource: 'resourcequotas',
  singular: 'resourcequota',
  kind: 'ResourceQuota',
  namespaced: true,
  shortNames: ['quota'],
  subresources: ['status'],
  statusApart: true,
};
export const limitRanges: Resource = {
  ...core,
  resource: 'limitranges',
  singular: 'limitrange',
  kind: 'LimitRange',
  namespaced: true,
  shortNames: ['limits'],
};
export const jobs: Resource = {
  group: 'batch',
  version: 'v1',
  resource: 'jobs',
  singular: 'job',
  kind: 'Job',
  namespaced: true,
  subresources: ['status'],
  statusApart: true,
  generation: true,
};
export const leases: Resource = {
  group: 'coordination.k8s.io',
  version: 'v1',
  resource: 'leases',
  singular: 'lease',
  kind: 'Lease',
  namespaced: true,
  conditional: true,
  createdByUpdate: true,
};
const velero = {
  group: 'velero.io',
  version: 'v1',
  namespaced: true,
  generation: true,
  custom: true,
  conditional: true,
} as const;
export const restores: Resource = { ...velero, resource: 'restores', singular: 'restore', kind: 'Restore' };
export const backups: Resource = { ...velero, resource: 'backups', singular: 'backup', kind: 'Backup' };
export const backupStorageLocations: Resource = {
  ...velero,
  resource: 'backupstoragelocations',
  singular: 'backupstoragelocation',
  kind: 'BackupStorageLocation',
  shortNames: ['bsl'],
};
export const downloadRequests: Resource = {
  ...velero,
  resource: 'downloadrequests',
  singular: 'downloadrequest',
  kind: 'DownloadRequest',
};
export const roles: Resource = { ...rbac, resource: 'roles', singular: 'role', kind: 'Role', namespaced: true };
export const roleBindings: Resource = {
  ...rbac,
  resource: 'rolebindings',
  singular: 'rolebinding',
  kind: 'RoleBinding',
  namespaced: true,
};
export const clusterRoles: Resource = {
  ...rbac,
  resource: 'clusterroles',
  singular: 'clusterrole',
  kind: 'ClusterRole',
  namespaced: false,
};
export const clusterRoleBindings: Resource = {
  ...rbac,
  resource: 'clusterrolebindings',
  singular: 'clusterrolebinding',
  kind: 'ClusterRoleBinding',
  namespaced: false,
};
export const selfReviews: Resource = {
  ...review,
  resource: 'selfsubjectaccessreviews',
  singular: 'selfsubjectaccessreview',
  kind: 'SelfSubjectAccessReview',
};
export const subjectReviews: Resource = {
  ...review,
  resource: 'subjectaccessreviews',
  singular: 'subjectaccessreview',
  kind: 'SubjectAccessReview',
};

export const selfRulesReviews: Resource = {
  ...review,
  resource: 'selfsubjectrulesreviews',
  singular: 'selfsubjectrulesreview',
  kind: 'SelfSubjectRulesReview',
};
export const whoAmI: Resource = {
  ...review,
  group: 'authentication.k8s.io',
  resource: 'selfsubjectreviews',
  singular: 'selfsubjectreview',
  kind: 'SelfSubjectReview',
};

export const resources: readonly Resource[] = [
  namespaces,
  pods,
  secrets,
  configMaps,
  serviceAccounts,
  events,
  podTemplates,
  resourceQuotas,
  limitRanges,
  jobs,
  leases,
  restores,
  backups,
  backupStorageLocations,
  downloadRequests,
  roles,
  roleBindings,
  clusterRoles,
  clusterRoleBindings,
  selfReviews,
  subjectReviews,
  selfRulesReviews,
  whoAmI,
];

export const apiVersionOf = (of: Resource): string => (of.group === '' ? of.version : `${of.group}/${of.version}`);

const every = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const verbsOf: Record<string, readonly string[]> = {
  exec: ['create', 'get'],
  log: ['get'],
  status: ['get', 'patch', 'update'],
  token: ['create'],
};

/** The discovery document at a path, if there is one there. */
export function discovery(path: string): Record<string, unknown> | undefined {
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
  const groups = [...new Set(resources.map((each) => each.group).filter((group) => group !== ''))];
  if (path === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(apiGroup) };
  for (const group of groups) {
    if (path === `/apis/${group}`) return { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group) };
    if (path === `/apis/${group}/v1`) return resourceList(group);
  }
  return path === '/api/v1' ? resourceList('') : undefined;
}

function apiGroup(name: string): Record<string, unknown> {
  const version = { groupVersion: `${name}/v1`, version: 'v1' };
  return { name, versions: [version], preferredVersion: version };
}

function resourceList(group: string): Record<string, unknown> {
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: group === '' ? 'v1' : `${group}/v1`,
    resources: resources
      .filter((each) => each.group === group)
      .flatMap((each) => [
        {
          name: each.resource,
          singularName: each.singular,
          namespaced: each.namespaced,
          kind: each.kind,
          verbs: each.review ? ['create'] : every,
          ...(each.shortNames === undefined ? {} : { shortNames: each.shortNames }),
        },
        ...(each.subresources ?? []).map((name) => ({
          name: `${each.resource}/${name}`,
          singularName: '',
          namespaced: each.namespaced,
          kind: name === 'exec' ? 'PodExecOptions' : name === 'token' ? 'TokenRequest' : each.kind,
          verbs: verbsOf[name] ?? [],
        })),
      ]),
  };
}
