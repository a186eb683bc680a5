import type { Container, KubeObject, PodSpec } from './objects.ts';
import { asPod, isRecord, randomSuffix } from './objects.ts';
import type { Resource } from './resources.ts';
import { events, jobs, namespaces, pods, secrets } from './resources.ts';

/** Fill in what the API server fills in when an object is created. */
export function withDefaults(of: Resource, object: KubeObject, uid: string): KubeObject {
  if (of === pods)
    return { ...object, spec: podSpec(asPod(object).spec, true), status: { phase: 'Pending', qosClass: 'BestEffort' } };
  if (of === jobs) return job(object, uid);
  if (of === secrets) return secret(object);
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
  if (!isRecord(stringData)) return { ...rest, type: object['type'] ?? 'Opaque' } as KubeObject;
  const encoded = Object.entries(stringData).map(([key, text]) => [key, Buffer.from(String(text)).toString('base64')]);
  const data = { ...(isRecord(object['data']) ? object['data'] : {}), ...Object.fromEntries(encoded) };
  return { ...rest, data, type: object['type'] ?? 'Opaque' } as KubeObject;
}

const container = (each: Container): Container => ({
  resources: {},
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
  ...each,
  imagePullPolicy:
    each.imagePullPolicy ?? (/(:latest|^[^:@]+)$/.test(each.image.replace(/^.*\//, '')) ? 'Always' : 'IfNotPresent'),
});

const tokenPath = '/var/run/secrets/kubernetes.io/serviceaccount';

function podSpec(spec: PodSpec, admitted: boolean): PodSpec {
  const defaulted: PodSpec = {
    dnsPolicy: 'ClusterFirst',
    restartPolicy: 'Always',
    schedulerName: 'default-scheduler',
    securityContext: {},
    terminationGracePeriodSeconds: 30,
    ...spec,
    containers: spec.containers.map(container),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(container) }),
  };
  if (!admitted) return defaulted;
  const serviceAccountName = spec.serviceAccountName ?? spec.serviceAccount ?? 'default';
  const account: PodSpec = {
    ...defaulted,
    enableServiceLinks: true,
    preemptionPolicy: 'PreemptLowerPriority',
    priority: 0,
    serviceAccountName,
    serviceAccount: serviceAccountName,
  };
  return spec.automountServiceAccountToken === false ? account : withToken(account);
}

/** The ServiceAccount's token as admission mounts it into every container. */
function withToken(spec: PodSpec): PodSpec {
  const name = `kube-api-access-${randomSuffix()}`;
  const mounted = (each: Container): Container =>
    each.volumeMounts?.some((mount) => mount.mountPath === tokenPath)
      ? each
      : { ...each, volumeMounts: [...(each.volumeMounts ?? []), { name, mountPath: tokenPath, readOnly: true }] };
  return {
    ...spec,
    containers: spec.containers.map(mounted),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(mounted) }),
    volumes: [
      ...(spec.volumes ?? []),
      {
        name,
        projected: {
          sources: [
            { serviceAccountToken: { path: 'token' } },
            { downwardAPI: { items: [{ path: 'namespace', fieldRef: { fieldPath: 'metadata.namespace' } }] } },
          ],
        },
      },
    ],
  };
}

function job(object: KubeObject, uid: string): KubeObject {
  const { name } = object.metadata;
  const spec = isRecord(object['spec']) ? object['spec'] : {};
  const template = isRecord(spec['template']) ? spec['template'] : {};
  const metadata = isRecord(template['metadata']) ? template['metadata'] : {};
  const generated = {
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
    'controller-uid': uid,
    'job-name': name,
  };
  const labels = { ...(isRecord(metadata['labels']) ? metadata['labels'] : {}), ...generated };
  return {
    ...object,
    metadata: { ...object.metadata, labels: { ...(labels as Record<string, string>), ...object.metadata.labels } },
    spec: {
      backoffLimit: 6,
      completionMode: 'NonIndexed',
      completions: 1,
      manualSelector: false,
      parallelism: 1,
      podReplacementPolicy: 'podFailurePolicy' in spec ? 'Failed' : 'TerminatingOrFailed',
      suspend: false,
      ...spec,
      selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } },
      template: { ...template, metadata: { ...metadata, labels }, spec: podSpec(template['spec'] as PodSpec, false) },
    },
    status: {},
  };
}
