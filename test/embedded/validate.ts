import { isDeepStrictEqual } from 'node:util';
import {
  configKeyRule,
  dnsLabel,
  labelRule,
  limits,
  matches,
  metadataFaults,
  metadataUpdateFaults,
} from './metadata.ts';
import type { Container, KubeObject, Pod } from './objects.ts';
import { asPod, isRecord } from './objects.ts';
import type { Resource } from './resources.ts';
import {
  clusterRoleBindings,
  configMaps,
  events,
  jobs,
  leases,
  pods,
  podTemplates,
  roleBindings,
  secrets,
} from './resources.ts';
import type { Fault } from './status.ts';
import { badRequest, invalid } from './status.ts';

export function validateCreate(of: Resource, object: KubeObject): void {
  const ephemeral = of === pods && asPod(object).spec['ephemeralContainers'] !== undefined;
  const detail = 'cannot be set on create';
  const faults: Fault[] = ephemeral ? [{ type: 'Forbidden', field: 'spec.ephemeralContainers', detail }] : [];
  refuse(of, object, [...metadataFaults(of, object), ...specFaults(of, object), ...faults]);
}

export function validateUpdate(of: Resource, previous: KubeObject, object: KubeObject): void {
  refuse(of, object, [
    ...metadataUpdateFaults(previous, object),
    ...specFaults(of, object),
    ...changeFaults(of, previous, object),
  ]);
}

function refuse(of: Resource, object: KubeObject, faults: readonly Fault[]): void {
  if (faults.length > 0) throw invalid(of, object.metadata.name ?? '', faults);
}

function specFaults(of: Resource, object: KubeObject): Fault[] {
  if (of === pods) return podSpecFaults(asPod(object).spec, 'spec');
  if (of === jobs) return jobFaults(object);
  if (of === secrets || of === configMaps) return dataFaults(of, object);
  if (of === podTemplates) {
    const template = isRecord(object['template']) ? object['template'] : {};
    return podSpecFaults(template['spec'], 'template.spec');
  }
  if (of.group === 'rbac.authorization.k8s.io') return roleFaults(of, object);
  if (of === events) return eventFaults(object);
  return of === leases ? leaseFaults(object) : [];
}

function eventFaults(event: KubeObject): Fault[] {
  const about = isRecord(event['involvedObject']) ? event['involvedObject'] : {};
  if (about['namespace'] === event.metadata.namespace) return [];
  const detail = 'does not match event.namespace';
  return [{ type: 'Invalid', field: 'involvedObject.namespace', value: about['namespace'] ?? '', detail }];
}

function leaseFaults(lease: KubeObject): Fault[] {
  const spec = isRecord(lease['spec']) ? lease['spec'] : {};
  const { leaseDurationSeconds: seconds, leaseTransitions: transitions } = spec as Record<string, number | undefined>;
  const faults: Fault[] = [];
  if (seconds !== undefined && seconds <= 0) {
    const detail = 'must be greater than 0';
    faults.push({ type: 'Invalid', field: 'spec.leaseDurationSeconds', value: seconds, detail });
  }
  if (transitions !== undefined && transitions < 0) {
    const detail = 'must be greater than or equal to 0';
    faults.push({ type: 'Invalid', field: 'spec.leaseTransitions', value: transitions, detail });
  }
  return faults;
}

/** Go's: padded, line ends don't count. */
const isBase64 = (text: string): boolean => {
  const plain = text.replace(/[\r\n]/g, '');
  return plain.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(plain);
};

function dataFaults(of: Resource, object: KubeObject): Fault[] {
  const data = isRecord(object['data']) ? object['data'] : {};
  const binary = isRecord(object['binaryData']) ? object['binaryData'] : {};
  const faults: Fault[] = [];
  let size = 0;
  for (const [key, value] of [...Object.entries(data), ...Object.entries(binary)].sort(([a], [b]) =>
    a < b ? -1 : 1,
  )) {
    const field = `data[${key}]`;
    if (!matches('[-._a-zA-Z0-9]+', key)) faults.push({ type: 'Invalid', field, value: key, detail: configKeyRule });
    else if (key === '.' || key.startsWith('..')) {
      const detail = key === '.' || key === '..' ? `must not be '${key}'` : "must not start with '..'";
      faults.push({ type: 'Invalid', field, value: key, detail });
    } else if (Object.hasOwn(data, key) && Object.hasOwn(binary, key) && !faults.some((each) => each.field === field)) {
      faults.push({ type: 'Invalid', field, value: key, detail: 'duplicate of key present in binaryData' });
    }
    const encoded = of === secrets || binary[key] === value;
    const text = String(value);
    if (encoded && !isBase64(text)) {
      throw badRequest(
        `${of.kind} in version "v1" cannot be handled as a ${of.kind}: illegal base64 data at input byte 0`,
      );
    }
    size += encoded ? Buffer.byteLength(text, 'base64') : Buffer.byteLength(text);
  }
  if (size > limits.data) {
    const field = of === secrets ? 'data' : '[]';
    faults.push({ type: 'TooLong', field, detail: `may not be more than ${limits.data} bytes` });
  }
  return faults;
}

function podSpecFaults(spec: unknown, at: string): Fault[] {
  if (!isRecord(spec) || !Array.isArray(spec['containers']) || spec['containers'].length === 0) {
    return [{ type: 'Required', field: `${at}.containers` }];
  }
  const { containers, restartPolicy = 'Always' } = spec;
  const volumes = (Array.isArray(spec['volumes']) ? spec['volumes'] : []) as Record<string, unknown>[];
  const names = volumes.map((volume) => volume['name']);
  const faults = volumes.flatMap((volume, index): Fault[] => {
    const { name, ...sources } = volume;
    const field = `${at}.volumes[${index}]`;
    const second = Object.keys(sources).filter((kind) => kind !== 'emptyDir')[
      Object.keys(sources).includes('emptyDir') ? 0 : 1
    ];
    if (Object.keys(sources).length > 1) {
      return [{ type: 'Forbidden', field: `${field}.${second}`, detail: 'may not specify more than 1 volume type' }];
    }
    return names.indexOf(name) < index ? [{ type: 'Duplicate', field: `${field}.name`, value: name }] : [];
  });
  // A volume that is wrong can't be mounted.
  const usable = new Set(faults.some((each) => each.type === 'Forbidden') ? [] : names);
  const initContainers = Array.isArray(spec['initContainers']) ? spec['initContainers'] : [];
  const seen = new Set<string>();
  for (const [list, items] of [
    ['containers', containers],
    ['initContainers', initContainers],
  ] as const) {
    for (const [index, each] of (items as Partial<Container>[]).entries()) {
      faults.push(...containerFaults(each, `${at}.${list}[${index}]`, seen, usable));
    }
  }
  const policies = ['Always', 'OnFailure', 'Never'];
  if (!policies.includes(String(restartPolicy))) {
    const detail = `supported values: ${policies.map((each) => JSON.stringify(each)).join(', ')}`;
    faults.push({ type: 'NotSupported', field: `${at}.restartPolicy`, value: restartPolicy, detail });
  }
  return faults;
}

function containerFaults(
  container: Partial<Container>,
  field: string,
  seen: Set<string>,
  volumes: ReadonlySet<unknown>,
): Fault[] {
  const { name } = container;
  const faults: Fault[] = [];
  if (!name) faults.push({ type: 'Required', field: `${field}.name` });
  else if (!matches(dnsLabel, name) || name.length > 63) {
    faults.push({ type: 'Invalid', field: `${field}.name`, value: name, detail: labelRule });
  } else if (seen.has(name)) faults.push({ type: 'Duplicate', field: `${field}.name`, value: name });
  seen.add(name ?? '');
  if (!container.image) faults.push({ type: 'Required', field: `${field}.image` });
  for (const [at, variable] of (container.env ?? []).entries()) {
    if (!variable.name) faults.push({ type: 'Required', field: `${field}.env[${at}].name` });
  }
  const paths = (container.volumeMounts ?? []).map((mount) => mount.mountPath);
  for (const [at, mount] of (container.volumeMounts ?? []).entries()) {
    const place = `${field}.volumeMounts[${at}]`;
    if (!volumes.has(mount.name)) faults.push({ type: 'NotFound', field: `${place}.name`, value: mount.name });
    if (paths.indexOf(mount.mountPath) < at) {
      faults.push({ type: 'Invalid', field: `${place}.mountPath`, value: mount.mountPath, detail: 'must be unique' });
    }
  }
  return faults;
}

function jobFaults(job: KubeObject): Fault[] {
  const spec = isRecord(job['spec']) ? job['spec'] : {};
  const template = isRecord(spec['template']) ? spec['template'] : {};
  const faults: Fault[] = ['parallelism', 'completions', 'backoffLimit'].flatMap((field) => {
    const value = spec[field];
    const detail = 'must be greater than or equal to 0';
    return typeof value === 'number' && value < 0
      ? [{ type: 'Invalid' as const, field: `spec.${field}`, value, detail }]
      : [];
  });
  const { name } = job.metadata;
  if (name.length > 63) {
    const fault: Fault = {
      type: 'Invalid',
      field: 'spec.template.labels',
      value: name,
      detail: 'must be no more than 63 bytes',
    };
    faults.push(fault, fault);
  }
  if (spec['completionMode'] === 'Indexed' && spec['completions'] === undefined) {
    const detail = 'when completion mode is Indexed';
    faults.push({ type: 'Required', field: 'spec.completions', detail });
  }
  faults.push(...podSpecFaults(template['spec'], 'spec.template.spec'));
  const policy = isRecord(template['spec']) ? template['spec']['restartPolicy'] : undefined;
  if (policy !== 'Never' && policy !== 'OnFailure' && ['Always', undefined].includes(policy as string)) {
    faults.push({
      type: 'Required',
      field: 'spec.template.spec.restartPolicy',
      detail: 'valid values: "OnFailure", "Never"',
    });
  }
  return faults;
}

function roleFaults(of: Resource, object: KubeObject): Fault[] {
  const faults = (Array.isArray(object['rules']) ? object['rules'] : []).flatMap((rule, index): Fault[] =>
    (rule['verbs'] ?? []).length > 0
      ? []
      : [{ type: 'Required', field: `rules[${index}].verbs`, detail: 'verbs must contain at least one value' }],
  );
  if (of !== roleBindings && of !== clusterRoleBindings) return faults;
  const { kind = '', name = '' } = (object['roleRef'] ?? {}) as Record<string, string>;
  const kinds = of === roleBindings ? ['Role', 'ClusterRole'] : ['ClusterRole'];
  if (!kinds.includes(kind)) {
    const detail = `supported values: ${kinds.map((each) => JSON.stringify(each)).join(', ')}`;
    faults.push({ type: 'NotSupported', field: 'roleRef.kind', value: kind, detail });
  }
  if (name === '') faults.push({ type: 'Required', field: 'roleRef.name' });
  return faults;
}

function changeFaults(of: Resource, previous: KubeObject, object: KubeObject): Fault[] {
  const faults: Fault[] = [];
  const frozen = (field: string, before: unknown, after: unknown): void => {
    if (!isDeepStrictEqual(before, after))
      faults.push({ type: 'Invalid', field, value: after, detail: 'field is immutable' });
  };
  if (of === secrets) frozen('type', previous['type'], object['type']);
  if (of === jobs && isRecord(previous['spec']) && isRecord(object['spec'])) {
    const [before, after] = [previous['spec'], object['spec']];
    frozen('spec.completions', before['completions'], after['completions']);
    frozen('spec.completionMode', before['completionMode'], after['completionMode']);
    const isFree = before['suspend'] === true && isNotStarted(previous);
    frozen('spec.template', frozenTemplate(before['template'], isFree), frozenTemplate(after['template'], isFree));
  }
  if (previous['immutable'] === true) {
    const detail = 'field is immutable when `immutable` is set';
    if (object['immutable'] !== true) faults.push({ type: 'Forbidden', field: 'immutable', detail });
    if (!isDeepStrictEqual(previous['data'] ?? {}, object['data'] ?? {})) {
      faults.push({ type: 'Forbidden', field: 'data', detail });
    }
  }
  if (of === roleBindings || of === clusterRoleBindings) {
    const { apiGroup = '', kind = '', name = '' } = (object['roleRef'] ?? {}) as Record<string, string>;
    if (!isDeepStrictEqual(previous['roleRef'], object['roleRef'])) {
      const value = { APIGroup: apiGroup, Kind: kind, Name: name };
      faults.push({ type: 'Invalid', field: 'roleRef', value, detail: 'cannot change roleRef' });
    }
  }
  if (of === pods) faults.push(...podChangeFaults(asPod(previous), asPod(object)));
  return faults;
}

const isNotStarted = ({ status }: KubeObject): boolean => !isRecord(status) || status['startTime'] === undefined;

/** The scheduling fields of a Job's pods may change until the Job has started. */
function frozenTemplate(template: unknown, isFree: boolean): unknown {
  if (!isFree || !isRecord(template) || !isRecord(template['spec'])) return template;
  const { nodeSelector: _, tolerations: __, affinity: ___, schedulingGates: ____, ...spec } = template['spec'];
  return { spec };
}

function podChangeFaults(previous: Pod, pod: Pod): Fault[] {
  for (const list of ['containers', 'initContainers'] as const) {
    if ((previous.spec[list] ?? []).length !== (pod.spec[list] ?? []).length) {
      return [{ type: 'Forbidden', field: `spec.${list}`, detail: 'pod updates may not add or remove containers' }];
    }
  }
  const deadlines = [previous, pod].map(({ spec }) => spec['activeDeadlineSeconds'] as number | undefined);
  const [before, after] = deadlines;
  if (before !== undefined && (after === undefined || after > before)) {
    const detail =
      after === undefined
        ? 'must not update from a positive integer to nil value'
        : `must be less than or equal to previous value ${before}`;
    return [{ type: 'Invalid', field: 'spec.activeDeadlineSeconds', value: after ?? null, detail }];
  }
  const unimportant = (spec: Pod['spec']): unknown => ({
    ...spec,
    containers: spec.containers.map((container) => ({ ...container, image: '' })),
    initContainers: (spec.initContainers ?? []).map((container) => ({ ...container, image: '' })),
    activeDeadlineSeconds: undefined,
    tolerations: undefined,
  });
  if (isDeepStrictEqual(unimportant(previous.spec), unimportant(pod.spec))) return [];
  return [
    {
      type: 'Forbidden',
      field: 'spec',
      detail:
        'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
    },
  ];
}
