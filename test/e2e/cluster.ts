import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { ExecOutcome } from '../../shared/core/model/hook.ts';
import { DEFAULT_IMAGE } from '../../shared/core/version.ts';
import { kubeApiError } from '../../shared/kubernetes/api/api-error.ts';
import type { KubeClient, PatchType } from '../../shared/kubernetes/api/client.ts';
import { kubeClient } from '../../shared/kubernetes/api/client.ts';
import type { ResourcePath } from '../../shared/kubernetes/api/paths.ts';
import { paths, resourcePath } from '../../shared/kubernetes/api/paths.ts';
import { connections } from '../../shared/kubernetes/connect/connection.ts';
import { loadKubeConfig } from '../../shared/kubernetes/connect/kubeconfig.ts';
import { kubernetesHookExec } from '../../shared/kubernetes/exec/exec.ts';
import { requireBuilt } from '../built.ts';
import type { EmbeddedCluster, EmbeddedClusterOptions } from '../embedded/server.ts';
import { startEmbeddedCluster } from '../embedded/server.ts';

export const isReal = process.env['RESTOREHOOKS_TEST_CLUSTER'] === '1';
/** The built runner. */
export const RUNNER = join(import.meta.dirname, '../../dist/runner.cjs');

/** An object of the API server, without types. */
// biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of an object by reading it.
export type Loose = any;

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  /** Absent: in the whole cluster. */
  readonly namespace?: string;
}

/** A cluster to test on. Real and embedded clusters have the same interface. */
export interface TestCluster {
  readonly kind: 'real' | 'embedded';
  /** The embedded server, so that a test can script it; undefined on a real cluster. */
  readonly embedded: EmbeddedCluster | undefined;
  /** Of an administrator. */
  readonly kubeconfig: string;
  /** A folder for the test's own files. */
  readonly folder: string;
  readonly client: KubeClient;
  create(object: object): Promise<Loose>;
  get(resource: string, namespace: string | undefined, name: string): Promise<Loose>;
  list(resource: string, namespace: string | undefined, labelSelector?: string): Promise<Loose[]>;
  patch(resource: string, namespace: string | undefined, name: string, body: unknown, type?: PatchType): Promise<Loose>;
  /** Delete an object, without waiting until it is gone. It may be missing. */
  remove(resource: string, namespace: string | undefined, name: string): Promise<void>;
  exists(resource: string, namespace: string | undefined, name: string): Promise<boolean>;
  log(namespace: string, pod: string): Promise<string>;
  /** Run a command in a container. */
  exec(
    namespace: string,
    pod: string,
    container: string,
    command: readonly string[],
  ): Promise<{ outcome: ExecOutcome; stdout: string }>;
  /** A namespace in which pods can be created, deleted at the end. */
  namespace(prefix: string, labels?: Readonly<Record<string, string>>): Promise<string>;
  /** A kubeconfig of a new ServiceAccount that has just these rights. */
  userWith(namespace: string, rules: readonly Rule[]): Promise<string>;
  /** Whether a ServiceAccount may do what comes first in a rule. What is written takes effect some moments later. */
  may(namespace: string, serviceAccount: string, rule: Rule): Promise<boolean>;
  close(): Promise<void>;
}

const RESOURCES: Readonly<Record<string, ResourcePath>> = {
  ...(paths as unknown as Record<string, ResourcePath>),
  namespaces: resourcePath('', 'v1', 'namespaces'),
  clusterRoles: resourcePath('rbac.authorization.k8s.io', 'v1', 'clusterroles'),
  clusterRoleBindings: resourcePath('rbac.authorization.k8s.io', 'v1', 'clusterrolebindings'),
  deployments: resourcePath('apps', 'v1', 'deployments'),
  replicaSets: resourcePath('apps', 'v1', 'replicasets'),
  customResourceDefinitions: resourcePath('apiextensions.k8s.io', 'v1', 'customresourcedefinitions'),
  backups: resourcePath('velero.io', 'v1', 'backups'),
  resourceQuotas: resourcePath('', 'v1', 'resourcequotas'),
  persistentVolumes: (_, name) => resourcePath('', 'v1', 'persistentvolumes')(undefined, name),
  persistentVolumeClaims: resourcePath('', 'v1', 'persistentvolumeclaims'),
  validatingAdmissionPolicies: resourcePath('admissionregistration.k8s.io', 'v1', 'validatingadmissionpolicies'),
  validatingAdmissionPolicyBindings: resourcePath(
    'admissionregistration.k8s.io',
    'v1',
    'validatingadmissionpolicybindings',
  ),
};

/** The path of a resource by its plural as `paths` has it (`configMaps`), in any case. */
function pathOf(resource: string): ResourcePath {
  const key = Object.keys(RESOURCES).find((each) => each.toLowerCase() === resource.toLowerCase());
  const found = key === undefined ? undefined : RESOURCES[key];
  if (found === undefined) throw new Error(`the tests know no resource ${resource}`);
  return found;
}

const isMissing = (error: unknown): boolean => error instanceof RestoreHooksError && error.code === 'NOT_FOUND';

export async function openCluster(options: EmbeddedClusterOptions = {}): Promise<TestCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'restorehooks-e2e-'));
  requireBuilt(RUNNER);
  const embedded = isReal
    ? undefined
    : await startEmbeddedCluster({
        crashBackoff: 60_000,
        runner: { image: DEFAULT_IMAGE, entrypoint: [process.execPath, RUNNER] },
        ...options,
      });
  const kubeconfig = embedded?.kubeconfigPath ?? process.env['KUBECONFIG'] ?? '';
  const config = loadKubeConfig({ env: { ...process.env, KUBECONFIG: kubeconfig } });
  const client = kubeClient(config, { userAgent: 'restorehooks-e2e' });
  const connected = connections(config);
  const commands = kubernetesHookExec(connected);
  const namespaces: string[] = [];
  const clusterWide: [string, string][] = [];

  const cluster: TestCluster = {
    kind: isReal ? 'real' : 'embedded',
    embedded,
    kubeconfig,
    folder,
    client,
    async create(object) {
      const { kind, metadata } = object as { kind: string; metadata: { namespace?: string } };
      return client.create(
        pathOf(kind.endsWith('y') ? `${kind.slice(0, -1)}ies` : `${kind}s`)(metadata.namespace),
        object,
      );
    },
    get: (resource, namespace, name) => client.get(pathOf(resource)(namespace, name)),
    list: async (resource, namespace, labelSelector) =>
      (await client.listAll(pathOf(resource)(namespace), { labelSelector })).items,
    patch: (resource, namespace, name, body, type = 'merge') =>
      client.patch(pathOf(resource)(namespace, name), body, type),
    async remove(resource, namespace, name) {
      await client.delete(pathOf(resource)(namespace, name), { propagationPolicy: 'Background' }).catch((error) => {
        if (!isMissing(error)) throw error;
      });
    },
    exists: (resource, namespace, name) =>
      client.get(pathOf(resource)(namespace, name)).then(
        () => true,
        (error) => {
          if (isMissing(error)) return false;
          throw error;
        },
      ),
    log: async (namespace, pod) => {
      const { text } = await waitFor(`the log of pod ${pod}`, () =>
        client.getText(paths.podLog(namespace, pod)).then(
          (read) => ({ text: read }),
          (error: unknown) => {
            // A kubelet may learn of a container's start after its end.
            if (kubeApiError(error)?.status !== 400) throw error;
            return undefined;
          },
        ),
      );
      return text;
    },
    exec: (namespace, pod, container, command) =>
      new Promise((resolve) => {
        commands.start(
          { namespace, pod, container, command },
          { started() {}, ended: (outcome, { stdout = '' }) => resolve({ outcome, stdout }) },
        );
      }),
    async namespace(prefix, labels = {}) {
      const name = `${prefix}-${randomUUID().slice(0, 5)}`;
      await cluster.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
      namespaces.push(name);
      // Pods are refused until the namespace has its ServiceAccount.
      if (isReal) await waitFor(`namespace ${name}`, () => cluster.exists('serviceAccounts', name, 'default'));
      return name;
    },
    async userWith(namespace, rules) {
      const name = `user-${randomUUID().slice(0, 5)}`;
      await cluster.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } });
      for (const place of new Set(rules.map((rule) => rule.namespace))) {
        const wide = place === undefined;
        const metadata = wide ? { name: `${namespace}:${name}` } : { name: `${namespace}:${name}`, namespace: place };
        const group = 'rbac.authorization.k8s.io';
        const [role, binding] = wide ? ['ClusterRole', 'ClusterRoleBinding'] : ['Role', 'RoleBinding'];
        const granted = rules.filter((rule) => rule.namespace === place).map(({ namespace: _, ...rule }) => rule);
        await cluster.create({ apiVersion: `${group}/v1`, kind: role, metadata, rules: granted });
        await cluster.create({
          apiVersion: `${group}/v1`,
          kind: binding,
          metadata,
          roleRef: { apiGroup: group, kind: role, name: metadata.name },
          subjects: [{ kind: 'ServiceAccount', name, namespace }],
        });
        if (wide) clusterWide.push(['clusterRoles', metadata.name], ['clusterRoleBindings', metadata.name]);
      }
      const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
      const answer: Loose = await client.create(`${paths.serviceAccounts(namespace, name)}/token`, request);
      const path = join(folder, `${name}.kubeconfig`);
      await writeFile(path, kubeconfigText(config.cluster, name, answer.status.token), { mode: 0o600 });
      for (const rule of rules) await waitFor('the right', () => cluster.may(namespace, name, rule));
      return path;
    },
    async may(namespace, name, rule) {
      const [resource, subresource] = rule.resources[0]?.split('/') ?? [];
      const resourceAttributes = {
        ...{ group: rule.apiGroups[0], resource, subresource, verb: rule.verbs[0] },
        ...(rule.namespace !== undefined && { namespace: rule.namespace }),
      };
      const review: Loose = await client.create('/apis/authorization.k8s.io/v1/subjectaccessreviews', {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SubjectAccessReview',
        spec: { user: `system:serviceaccount:${namespace}:${name}`, resourceAttributes },
      });
      return review.status.allowed;
    },
    async close() {
      for (const [resource, name] of clusterWide) await cluster.remove(resource, undefined, name);
      if (isReal) for (const name of namespaces) await cluster.remove('namespaces', undefined, name);
      connected.close();
      client.close();
      await embedded?.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return cluster;
}

function kubeconfigText(
  { server, caData, caFile, skipTLSVerify }: ReturnType<typeof loadKubeConfig>['cluster'],
  user: string,
  token: string,
): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'e2e',
    clusters: [
      {
        name: 'e2e',
        cluster: {
          server,
          ...(skipTLSVerify && { 'insecure-skip-tls-verify': true }),
          ...(caData !== undefined && { 'certificate-authority-data': caData }),
          ...(caFile !== undefined && { 'certificate-authority': caFile }),
        },
      },
    ],
    users: [{ name: user, user: { token } }],
    contexts: [{ name: 'e2e', context: { cluster: 'e2e', user } }],
  });
}

/** A real kubelet may look at an API server that was away only after more than a minute. */
const PATIENCE_MS = isReal ? 180_000 : 90_000;

/** Ask again and again until the answer is neither false nor undefined; an object that isn't there yet is waited for. */
export async function waitFor<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  limitMs = PATIENCE_MS,
): Promise<T> {
  const until = Date.now() + limitMs;
  let last: unknown;
  while (Date.now() < until) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      last = answer;
    } catch (error) {
      if (!isMissing(error)) throw error;
      last = error;
    }
    await delay(50);
  }
  throw new Error(`waited in vain for ${what}`, { cause: last });
}
