/**
 * The requests, as data: one entry each. `player.ts` sends them, `normal.ts` removes from the answers what must differ
 * between servers, and `recording.json` has the real server's answers.
 *
 * In paths, headers and bodies:
 *   $(ns)                   the scene's namespace
 *   $(a.metadata.uid)       of the given object whose name is `a`, as it stands when the request is sent
 *   $(0.metadata.continue)  of the first answer of this case
 */
export interface Scene {
  readonly name: string;
  /** Labels of its namespace. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Created once, before the first case, which waits until the pods that should run are running. */
  readonly given?: readonly Given[];
  /** Each is sent again and again before the first case, until it is answered with its `until`; it may change nothing. */
  readonly ready?: readonly Ask[];
  readonly cases: readonly Case[];
}

export interface Given {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

/** Objects that the case created, or that were created for it, are gone when the next case begins. */
export interface Case {
  readonly name: string;
  readonly given?: readonly Given[];
  readonly ask: Ask | readonly Ask[];
}

export interface Ask {
  /** `METHOD PATH`, or `EXEC PATH` for a WebSocket upgrade. */
  readonly send: string;
  /** `Content-Type`; `merge` and the like are short for the types of patches. Default: JSON. */
  readonly type?: string;
  /** An object is sent as JSON, a text as it is. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Impersonate this user. */
  readonly as?: string;
  /** The parts of the answer's body that are compared, as dotted paths; default: all. */
  readonly compare?: readonly string[];
  /** Sent, one after another, when the answer to this one has begun: for a watch, or to end a command's container. */
  readonly meanwhile?: readonly Ask[];
  /** Of a watch: hang up after so many events. Default: the server ends it. */
  readonly events?: number;
  /** Of an exec: sub-protocols that are offered. */
  readonly protocols?: readonly string[];
  /** Ask again until it is answered with this status: for what controllers do in their own time. */
  readonly until?: number;
}

export const core = '/api/v1/namespaces/$(ns)';
export const batch = '/apis/batch/v1/namespaces/$(ns)';
export const velero = '/apis/velero.io/v1/namespaces/$(ns)';
export const coordination = '/apis/coordination.k8s.io/v1/namespaces/$(ns)';
export const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/$(ns)';

export const types: Readonly<Record<string, string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

const object =
  (apiVersion: string, kind: string) =>
  (name: string, more: object = {}, metadata: object = {}): Given => ({
    apiVersion,
    kind,
    metadata: { name, ...metadata },
    ...more,
  });
export const secret = object('v1', 'Secret');
export const account = object('v1', 'ServiceAccount');
export const lease = object('coordination.k8s.io/v1', 'Lease');
export const restore = object('velero.io/v1', 'Restore');
export const quota = object('v1', 'ResourceQuota');
export const role = object('rbac.authorization.k8s.io/v1', 'Role');
export const binding = (name: string, roleName: string, user: string): Given => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'RoleBinding',
  metadata: { name },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: roleName },
  subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
});
export const configMap = (name: string, data: object = {}, metadata: object = {}): Given =>
  object('v1', 'ConfigMap')(name, { data }, metadata);

export const image = 'testbed.local/busybox:1';
/** A pod that no scheduler takes, so that it doesn't change. */
export const pod = (name: string, spec: object = {}, metadata: object = {}): Given =>
  object('v1', 'Pod')(
    name,
    { spec: { schedulerName: 'nobody', containers: [{ name: 'c', image }], ...spec } },
    metadata,
  );
export const template = (name: string, spec: object): Given =>
  object('v1', 'PodTemplate')(name, { template: { spec } });
export const runningPod = (name: string, containers: readonly object[] = [{}], spec: object = {}): Given =>
  object('v1', 'Pod')(name, {
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: containers.map((more) => ({ name: 'c', image, command: ['sleep', '3600'], ...more })),
      ...spec,
    },
  });
export const job = (name: string, spec: object = {}, podSpec: object = {}, metadata: object = {}): Given =>
  object('batch/v1', 'Job')(
    name,
    {
      spec: {
        suspend: true,
        ...spec,
        template: { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image }], ...podSpec } },
      },
    },
    metadata,
  );
