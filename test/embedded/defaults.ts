import type { Container, KubeObject, PodSpec } from './objects.ts';
import { asPod, isRecord, randomSuffix } from './objects.ts';
import type { Resource } from './resources.ts';
import {
  clusterRoleBindings,
  clusterRoles,
  events,
  jobs,
  leases,
  namespaces,
  pods,
  podTemplates,
  roleBindings,
  roles,
  secrets,
} from './resources.ts';

type Fields = Record<string, unknown>;
const fieldsOf = (value: unknown): Fields => (isRecord(value) ? value : {});

/** What the API server fills in whenever an object is read, also of an update. */
export function withTypeDefaults(of: Resource, object: KubeObject): KubeObject {
  if (of === pods) return { ...object, spec: podDefaults(fieldsOf(object['spec']) as unknown as PodSpec) };
  if (of === podTemplates) return { ...object, template: template(fieldsOf(object['template'])) };
  if (of === jobs) return { ...object, spec: jobDefaults(fieldsOf(object['spec'])) };
  if (of === secrets) return secret(object);
  if (of === leases) return { spec: {}, ...object };
  if (of === roles || of === clusterRoles) return { ...object, rules: object['rules'] ?? null };
  if (of === roleBindings || of === clusterRoleBindings) return binding(object);
  return object;
}

/** What it fills in besides when an object is created. */
export function withDefaults(of: Resource, object: KubeObject, uid: string): KubeObject {
  if (of === pods) {
    const spec = admittedPod(asPod(object).spec);
    return { ...object, spec, status: { phase: 'Pending', qosClass: qosClass(spec) } };
  }
  if (of === jobs) return job(object, uid);
  if (of === namespaces) {
    const labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name };
    return {
      ...object,
      metadata: { ...object.metadata, labels },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    };
  }
  if (of === events) {
    return {
      source: {},
      firstTimestamp: null,
      lastTimestamp: null,
      eventTime: null,
      reportingComponent: '',
      reportingInstance: '',
      ...object,
    };
  }
  return object;
}

function secret(object: KubeObject): KubeObject {
  const { stringData, ...rest } = object;
  const encoded = Object.entries(fieldsOf(stringData)).map(([key, text]) => [
    key,
    Buffer.from(String(text)).toString('base64'),
  ]);
  const data = { ...fieldsOf(object['data']), ...Object.fromEntries(encoded) };
  const all = { ...rest, type: object['type'] ?? 'Opaque' } as KubeObject;
  return Object.keys(data).length === 0 ? all : { ...all, data };
}

function binding(object: KubeObject): KubeObject {
  if (!Array.isArray(object['subjects'])) return object;
  const subjects = object['subjects'].map((each) =>
    fieldsOf(each)['kind'] === 'ServiceAccount' ? each : { apiGroup: 'rbac.authorization.k8s.io', ...each },
  );
  return { ...object, subjects };
}

const template = (of: Fields): Fields => ({
  metadata: {},
  ...of,
  spec: podSpec(fieldsOf(of['spec']) as unknown as PodSpec),
});

const probe = (of: unknown): Fields => {
  const { httpGet, ...rest } = fieldsOf(of);
  return {
    timeoutSeconds: 1,
    periodSeconds: 10,
    successThreshold: 1,
    failureThreshold: 3,
    ...rest,
    ...(isRecord(httpGet) ? { httpGet: { path: '/', scheme: 'HTTP', ...httpGet } } : {}),
  };
};

const variable = (of: Fields): Fields => {
  const { valueFrom } = of as { valueFrom?: Fields };
  const fieldRef = valueFrom?.['fieldRef'];
  return isRecord(fieldRef) ? { ...of, valueFrom: { ...valueFrom, fieldRef: { apiVersion: 'v1', ...fieldRef } } } : of;
};

function container(each: Container): Container {
  const probes = ['livenessProbe', 'readinessProbe', 'startupProbe'].filter((field) => each[field] !== undefined);
  return {
    resources: {},
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    ...each,
    ...(Array.isArray(each['ports']) ? { ports: each['ports'].map((port) => ({ protocol: 'TCP', ...port })) } : {}),
    ...(Array.isArray(each.env) ? { env: each.env.map((one) => variable(one as unknown as Fields) as never) } : {}),
    ...Object.fromEntries(probes.map((field) => [field, probe(each[field])])),
    imagePullPolicy:
      each.imagePullPolicy ??
      (/(:latest|^[^:@]+)$/.test((each.image ?? '').replace(/^.*\//, '')) ? 'Always' : 'IfNotPresent'),
  };
}

const filesMode = 420;
function volume(of: Fields): Fields {
  const { name, ...source } = of;
  if (Object.keys(source).length === 0) return { name, emptyDir: {} };
  const filled = Object.entries(source).map(([kind, value]) => {
    if (kind === 'hostPath') return [kind, { type: '', ...fieldsOf(value) }];
    return [kind, filesKinds.includes(kind) ? { defaultMode: filesMode, ...fieldsOf(value) } : value];
  });
  return { name, ...Object.fromEntries(filled) };
}
const filesKinds = ['secret', 'configMap', 'downwardAPI', 'projected'];

function podSpec(spec: PodSpec): PodSpec {
  const list = (containers: unknown): Container[] => (Array.isArray(containers) ? containers.map(container) : []);
  return {
    dnsPolicy: 'ClusterFirst',
    restartPolicy: 'Always',
    schedulerName: 'default-scheduler',
    securityContext: {},
    terminationGracePeriodSeconds: 30,
    ...spec,
    ...(spec.containers === undefined ? {} : { containers: list(spec.containers) }),
    ...(spec.initContainers === undefined ? {} : { initContainers: list(spec.initContainers) }),
    ...(Array.isArray(spec.volumes)
      ? { volumes: spec.volumes.map((each) => volume(each as unknown as Fields) as never) }
      : {}),
    ...account(spec),
  } as PodSpec;
}

const account = ({ serviceAccountName, serviceAccount }: PodSpec): Fields => {
  const name = serviceAccountName ?? serviceAccount;
  return name === undefined ? {} : { serviceAccountName: name, serviceAccount: name };
};

function podDefaults(spec: PodSpec): PodSpec {
  const grace = spec.terminationGracePeriodSeconds;
  const requested = (each: Container): Container => {
    const { limits, requests } = fieldsOf(each['resources']) as { limits?: Fields; requests?: Fields };
    return limits === undefined ? each : { ...each, resources: { limits, requests: { ...limits, ...requests } } };
  };
  const all = podSpec({ enableServiceLinks: true, ...spec });
  const tolerations = (Array.isArray(all['tolerations']) ? all['tolerations'] : []) as { key?: string }[];
  const others = [toleration('not-ready'), toleration('unreachable')].filter(
    ({ key }) => !tolerations.some((each) => each.key === key),
  );
  return {
    ...all,
    tolerations: [...tolerations, ...others],
    ...(grace !== undefined && grace < 0 ? { terminationGracePeriodSeconds: 1 } : {}),
    ...(all.containers === undefined ? {} : { containers: all.containers.map(requested) }),
    ...(all.initContainers === undefined ? {} : { initContainers: all.initContainers.map(requested) }),
  };
}

/** The pod's QoS class: whether all containers request all resources, or some request any. */
function qosClass({ containers, initContainers = [] }: PodSpec): string {
  const all = [...containers, ...initContainers].map((each) => fieldsOf(each['resources']));
  const amounts = all.flatMap(({ limits, requests }) => [
    ...Object.keys(fieldsOf(limits)),
    ...Object.keys(fieldsOf(requests)),
  ]);
  if (amounts.length === 0) return 'BestEffort';
  const isWhole = all.every(({ limits, requests }) =>
    ['cpu', 'memory'].every((key) => {
      const limit = fieldsOf(limits)[key];
      return limit !== undefined && limit === fieldsOf(requests)[key];
    }),
  );
  return isWhole ? 'Guaranteed' : 'Burstable';
}

const tokenPath = '/var/run/secrets/kubernetes.io/serviceaccount';
const toleration = (key: string) => ({
  key: `node.kubernetes.io/${key}`,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: 300,
});

function admittedPod(spec: PodSpec): PodSpec {
  const serviceAccountName = spec.serviceAccountName ?? spec.serviceAccount ?? 'default';
  const admitted: PodSpec = {
    ...spec,
    preemptionPolicy: 'PreemptLowerPriority',
    priority: 0,
    serviceAccountName,
    serviceAccount: serviceAccountName,
  };
  return spec.automountServiceAccountToken === false ? admitted : withToken(admitted);
}

/** The ServiceAccount's token as admission mounts it into every container. */
function withToken(spec: PodSpec): PodSpec {
  const name = `kube-api-access-${randomSuffix()}`;
  const mounted = (each: Container): Container =>
    each.volumeMounts?.some((mount) => mount.mountPath === tokenPath)
      ? each
      : { ...each, volumeMounts: [...(each.volumeMounts ?? []), { name, mountPath: tokenPath, readOnly: true }] };
  const fieldRef = { apiVersion: 'v1', fieldPath: 'metadata.namespace' };
  return {
    ...spec,
    containers: spec.containers.map(mounted),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(mounted) }),
    volumes: [
      ...(spec.volumes ?? []),
      {
        name,
        projected: {
          defaultMode: filesMode,
          sources: [
            { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
            { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
            { downwardAPI: { items: [{ path: 'namespace', fieldRef }] } },
          ],
        } as never,
      },
    ],
  };
}

const maxInt32 = 2_147_483_647;

function jobDefaults(spec: Fields): Fields {
  const { podFailurePolicy: policy } = spec;
  const rules = fieldsOf(policy)['rules'];
  const withStatus = (rule: Fields): Fields => {
    const conditions = rule['onPodConditions'];
    return Array.isArray(conditions)
      ? { ...rule, onPodConditions: conditions.map((each) => ({ status: 'True', ...each })) }
      : rule;
  };
  const isIndexed = spec['backoffLimitPerIndex'] !== undefined;
  return {
    backoffLimit: isIndexed ? maxInt32 : 6,
    completionMode: 'NonIndexed',
    ...(spec['completions'] === undefined && spec['parallelism'] === undefined ? { completions: 1 } : {}),
    parallelism: 1,
    podReplacementPolicy: 'podFailurePolicy' in spec ? 'Failed' : 'TerminatingOrFailed',
    suspend: false,
    ...spec,
    ...(Array.isArray(rules) ? { podFailurePolicy: { rules: rules.map(withStatus) } } : {}),
    template: template(fieldsOf(spec['template'])),
  };
}

function job(object: KubeObject, uid: string): KubeObject {
  const { name } = object.metadata;
  const spec = fieldsOf(object['spec']);
  const made = fieldsOf(spec['template']);
  const metadata = fieldsOf(made['metadata']);
  const generated = {
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
    'controller-uid': uid,
    'job-name': name,
  };
  const labels = { ...(fieldsOf(metadata['labels']) as Record<string, string>), ...generated };
  const own = object.metadata.labels ?? {};
  return {
    ...object,
    metadata: { ...object.metadata, labels: Object.keys(own).length === 0 ? labels : own },
    spec: {
      ...spec,
      manualSelector: false,
      selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } },
      template: { ...made, metadata: { ...metadata, labels } },
    },
    status: {},
  };
}
