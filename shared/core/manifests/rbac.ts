import { DEFAULTS_KEY, DEFAULTS_NAME, SERVICE_ACCOUNT } from '../names.ts';
import { objectsNamespace } from './run-objects.ts';

/** Where a right holds: in the Restore's namespace, in that of its runs (often the same), or where the pods are. */
type Scope = 'restore' | 'run' | 'pods';

export interface RunnerRule {
  readonly scope: Scope;
  readonly apiGroup: string;
  /** With its subresource: `pods/exec`. */
  readonly resource: string;
  readonly verbs: readonly string[];
  /** A run goes on without it (R5.24). */
  readonly optional?: true;
}

/** All that the runner may do (R8.7). Roles, and the questions whether it may, are made of it. */
export const runnerRules = (createPods = false): readonly RunnerRule[] => [...RULES, ...(createPods ? POD_RULES : [])];

const RULES: readonly RunnerRule[] = [
  { scope: 'restore', apiGroup: 'velero.io', resource: 'restores', verbs: ['get', 'patch'] },
  // Only create: RBAC knows no prefixes, and Velero's cloud credentials may be in the same namespace.
  { scope: 'run', apiGroup: '', resource: 'secrets', verbs: ['create'] },
  // The journal and the Lease (R6.7, R6.11).
  { scope: 'run', apiGroup: '', resource: 'configmaps', verbs: ['get', 'create', 'patch'] },
  { scope: 'run', apiGroup: 'coordination.k8s.io', resource: 'leases', verbs: ['get', 'create', 'patch'] },
  { scope: 'run', apiGroup: 'batch', resource: 'jobs', verbs: ['get'] },
  { scope: 'restore', apiGroup: '', resource: 'events', verbs: ['create'], optional: true },
  { scope: 'pods', apiGroup: '', resource: 'pods', verbs: ['get', 'list', 'watch'] },
  // An exec over WebSocket is a GET; from Kubernetes 1.35 on the API server asks for `create` as well.
  { scope: 'pods', apiGroup: '', resource: 'pods/exec', verbs: ['get', 'create'] },
];

/** What init hooks need beyond that: pods created, or deleted and created anew, and the logs of their containers. */
const POD_RULES: readonly RunnerRule[] = [
  { scope: 'pods', apiGroup: '', resource: 'pods', verbs: ['create', 'delete'] },
  { scope: 'pods', apiGroup: '', resource: 'pods/log', verbs: ['get'] },
];

/** One thing to do, as an access review asks for it. */
export interface Right {
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly verb: string;
  /** Absent: in all namespaces. */
  readonly namespace?: string;
}

export interface RunnerPlace {
  /** The Restore's. */
  readonly namespace: string;
  /** The runner's, and that of what a run writes; absent: the Restore's (R8.80). */
  readonly runNamespace?: string | undefined;
  /** Where the pods are; absent: in all namespaces. */
  readonly podNamespaces?: readonly string[] | undefined;
}

/** The rules of the runner one by one, those that a run can't go without. */
export const runnerRights = (place: RunnerPlace, rules: readonly RunnerRule[] = runnerRules()): Right[] =>
  rightsOf(
    place,
    rules.filter(({ optional }) => !optional),
  );

/** Those that a run goes on without. */
export const optionalRights = (place: RunnerPlace): Right[] =>
  rightsOf(
    place,
    RULES.filter(({ optional }) => optional),
  );

function rightsOf(place: RunnerPlace, rules: readonly RunnerRule[]): Right[] {
  const placesOf = {
    restore: [place.namespace],
    run: [objectsNamespace(place)],
    pods: place.podNamespaces ?? [undefined],
  } as const;
  return rules.flatMap((rule) => {
    const [resource = '', subresource] = rule.resource.split('/');
    const places: readonly (string | undefined)[] = placesOf[rule.scope];
    return places.flatMap((place) =>
      rule.verbs.map((verb) => ({
        group: rule.apiGroup,
        resource,
        ...(subresource !== undefined && { subresource }),
        verb,
        ...(place !== undefined && { namespace: place }),
      })),
    );
  });
}

/** What one exec in a namespace needs. */
export const execRights = (namespace: string): Right[] =>
  runnerRights(
    { namespace, podNamespaces: [namespace] },
    RULES.filter(({ resource }) => resource === 'pods/exec'),
  );

export const MANAGED_LABELS = {
  'app.kubernetes.io/name': 'restorehooks',
  'app.kubernetes.io/managed-by': 'kubectl-restorehooks',
} as const;

export const NAMESPACES_ANNOTATION = 'restorehooks.io/namespaces';

/** To which namespaces `setup --namespaces` has limited this ServiceAccount; undefined: to none. */
export function podNamespacesOf(serviceAccount: {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> | null | undefined };
}): readonly string[] | undefined {
  const names = serviceAccount.metadata?.annotations?.[NAMESPACES_ANNOTATION]?.split(',').map((name) => name.trim());
  const found = names?.filter((name) => name !== '') ?? [];
  return found.length === 0 ? undefined : found;
}

/** What `setup` makes carries its place in its name: two Veleros in one cluster, or two ServiceAccounts, don't meet. */
const restoreRoleName = (serviceAccount: string): string => `restorehooks:${serviceAccount}`;
const podRoleName = (namespace: string, serviceAccount: string): string =>
  `restorehooks:${namespace}:${serviceAccount}`;
/** In the Restores' namespace, for a ServiceAccount of another one; pods may be there as well. */
const otherRestoreRoleName = (runNamespace: string, serviceAccount: string): string =>
  `${podRoleName(runNamespace, serviceAccount)}:${RESTORES}`;
const RESTORES = 'restores';

interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface SetupManifest {
  readonly apiVersion: string;
  readonly kind: 'ServiceAccount' | 'ConfigMap' | 'Role' | 'RoleBinding' | 'ClusterRole' | 'ClusterRoleBinding';
  readonly metadata: Metadata;
  readonly [field: string]: unknown;
}

export interface Setup extends RunnerPlace {
  readonly serviceAccount?: string;
  /** With the rights that init hooks need. */
  readonly createPods?: boolean;
  /** Restores of the namespace of runs have their runs there, too, with this ServiceAccount (R8.88). */
  readonly alsoBeside?: boolean;
  /** The defaults of runs, as they were written. */
  readonly defaults?: string;
}

/**
 * The runner's ServiceAccount and the least rights that it needs, in an order in which they can be created (R7.12).
 * deploy/base and deploy/pods are made of it (R8.85).
 */
export function setupManifests(
  setup: Setup,
  rules: readonly RunnerRule[] = runnerRules(setup.createPods),
): SetupManifest[] {
  const { namespace, podNamespaces, serviceAccount = SERVICE_ACCOUNT, defaults } = setup;
  const own = objectsNamespace(setup);
  const subject = { kind: 'ServiceAccount', name: serviceAccount, namespace: own };
  const granted = (scopes: readonly Scope[], name: string, place?: string) =>
    roleAndBinding(
      rules.filter(({ scope }) => scopes.includes(scope)),
      subject,
      name,
      place,
    );
  const podRole = podRoleName(own, serviceAccount);
  return [
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: {
        ...metadata(serviceAccount, own),
        ...(podNamespaces !== undefined && { annotations: { [NAMESPACES_ANNOTATION]: podNamespaces.join(',') } }),
      },
    },
    ...(defaults === undefined ? [] : [defaultsManifest(namespace, defaults)]),
    ...(own === namespace
      ? granted(['restore', 'run'], restoreRoleName(serviceAccount), namespace)
      : [
          // R8.84
          ...granted(setup.alsoBeside ? ['restore', 'run'] : ['run'], restoreRoleName(serviceAccount), own),
          ...granted(['restore'], otherRestoreRoleName(own, serviceAccount), namespace),
        ]),
    ...(podNamespaces?.flatMap((place) => granted(['pods'], podRole, place)) ?? granted(['pods'], podRole)),
  ];
}

/** Cluster-wide without a namespace. */
function roleAndBinding(
  rules: readonly RunnerRule[],
  subject: object,
  name: string,
  namespace: string | undefined,
): SetupManifest[] {
  const group = 'rbac.authorization.k8s.io';
  const [role, binding] =
    namespace === undefined ? (['ClusterRole', 'ClusterRoleBinding'] as const) : (['Role', 'RoleBinding'] as const);
  return [
    {
      apiVersion: `${group}/v1`,
      kind: role,
      metadata: metadata(name, namespace),
      rules: rules.map(({ apiGroup, resource, verbs }) => ({ apiGroups: [apiGroup], resources: [resource], verbs })),
    },
    {
      apiVersion: `${group}/v1`,
      kind: binding,
      metadata: metadata(name, namespace),
      roleRef: { apiGroup: group, kind: role, name },
      subjects: [subject],
    },
  ];
}

const metadata = (name: string, namespace: string | undefined): Metadata => ({
  name,
  ...(namespace !== undefined && { namespace }),
  labels: MANAGED_LABELS,
});

/** The ConfigMap with the defaults (R8.23). Who starts a run reads it, and so does a runner that makes its own plan. */
const defaultsManifest = (namespace: string, text: string): SetupManifest => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: metadata(DEFAULTS_NAME, namespace),
  data: { [DEFAULTS_KEY]: text },
});

interface Named {
  readonly name: string;
  readonly namespace?: string | undefined;
}

interface Runner {
  readonly account: string;
  readonly namespace: string | undefined;
  readonly scope?: Scope;
}

/**
 * For which ServiceAccount `setup` has made an object that bears our labels, and what a role or binding of it grants;
 * undefined: it is for none.
 */
export function madeFor(kind: SetupManifest['kind'], { name, namespace }: Named): Runner | undefined {
  if (kind === 'ConfigMap') return undefined;
  if (kind === 'ServiceAccount') return { account: name, namespace };
  const [program, first = '', second, third, ...rest] = name.split(':');
  if (program !== 'restorehooks' || rest.length > 0 || (third !== undefined && third !== RESTORES)) return undefined;
  return second === undefined
    ? { account: first, namespace, scope: 'run' }
    : { account: second, namespace: first, scope: third === undefined ? 'pods' : 'restore' };
}

/** Whether an object that bears our labels is of this setup; without a `serviceAccount`: of any in its namespace. */
export function isMadeBySetup(setup: Setup, kind: SetupManifest['kind'], metadata: Named): boolean {
  const { serviceAccount } = setup;
  // All ServiceAccounts of the namespace share it.
  if (kind === 'ConfigMap') return metadata.name === DEFAULTS_NAME && serviceAccount === undefined;
  const runner = madeFor(kind, metadata);
  return (
    runner !== undefined &&
    runner.namespace === objectsNamespace(setup) &&
    (serviceAccount === undefined || runner.account === serviceAccount)
  );
}
