/** The path of one object, of all objects in a namespace, or (without a namespace) of all in the cluster. */
export type ResourcePath = (namespace?: string, name?: string) => string;

const at = encodeURIComponent;

export function resourcePath(group: string, version: string, resource: string): ResourcePath {
  const base = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  return (namespace, name) =>
    base +
    (namespace === undefined ? '' : `/namespaces/${at(namespace)}`) +
    `/${resource}` +
    (name === undefined ? '' : `/${at(name)}`);
}

const rbac = 'rbac.authorization.k8s.io';

export const paths = {
  restores: resourcePath('velero.io', 'v1', 'restores'),
  backups: resourcePath('velero.io', 'v1', 'backups'),
  backupStorageLocations: resourcePath('velero.io', 'v1', 'backupstoragelocations'),
  downloadRequests: resourcePath('velero.io', 'v1', 'downloadrequests'),
  pods: resourcePath('', 'v1', 'pods'),
  podLog: (namespace: string, pod: string) => `${paths.pods(namespace, pod)}/log`,
  podExec: (namespace: string, pod: string) => `${paths.pods(namespace, pod)}/exec`,
  namespaces: (name?: string) => resourcePath('', 'v1', 'namespaces')(undefined, name),
  persistentVolumes: () => resourcePath('', 'v1', 'persistentvolumes')(),
  secrets: resourcePath('', 'v1', 'secrets'),
  configMaps: resourcePath('', 'v1', 'configmaps'),
  serviceAccounts: resourcePath('', 'v1', 'serviceaccounts'),
  events: resourcePath('', 'v1', 'events'),
  nodes: () => resourcePath('', 'v1', 'nodes')(),
  networkPolicies: resourcePath('networking.k8s.io', 'v1', 'networkpolicies'),
  deployments: resourcePath('apps', 'v1', 'deployments'),
  jobs: resourcePath('batch', 'v1', 'jobs'),
  leases: resourcePath('coordination.k8s.io', 'v1', 'leases'),
  roles: resourcePath(rbac, 'v1', 'roles'),
  roleBindings: resourcePath(rbac, 'v1', 'rolebindings'),
  clusterRoles: (name?: string) => resourcePath(rbac, 'v1', 'clusterroles')(undefined, name),
  clusterRoleBindings: (name?: string) => resourcePath(rbac, 'v1', 'clusterrolebindings')(undefined, name),
  selfSubjectReviews: () => resourcePath('authentication.k8s.io', 'v1', 'selfsubjectreviews')(),
  selfSubjectAccessReviews: () => resourcePath('authorization.k8s.io', 'v1', 'selfsubjectaccessreviews')(),
  selfSubjectRulesReviews: () => resourcePath('authorization.k8s.io', 'v1', 'selfsubjectrulesreviews')(),
  subjectAccessReviews: () => resourcePath('authorization.k8s.io', 'v1', 'subjectaccessreviews')(),
} as const;
