import { isDeepStrictEqual } from 'node:util';
import type { Container, KubeObject, Pod } from './objects.ts';
import { asPod, isRecord } from './objects.ts';
import type { Resource } from './resources.ts';
import { clusterRoleBindings, configMaps, jobs, leases, pods, podTemplates, roleBindings, secrets } from './resources.ts';
import type { Fault } from './status.ts';
import { badRequest, invalid } from './status.ts';
import { configKeyRule, dnsLabel, labelRule, limits, matches, metadataFaults, metadataUpdateFaults } from './metadata.ts';

export function validateCreate(of: Resource, object: KubeObject): void {
  refuse(of, object, [...metadataFaults(of, object), ...specFaults(of, object)]);
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
  return of === leases ? leaseFaults(object) : [];
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

function dataFaults(of: Resource, object: KubeObject): Fault[] {
  const data = isRecord(object['data']) ? object['data'] : {};
  const binary = isRecord(object['binaryData']) ? object['binaryData'] : {};
  const faults: Fault[] = [];
  let size = 0;
  for (const [key, value] of [...Object.entries(data), ...Object.entries(binary)].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const field = `data[${key}]`;
    if (!matches('[-._a-zA-Z0-9]+', key)) faults.push({ type: 'Invalid', field, value: key, detail: configKeyRule });
    else if (key === '.' || key.startsWith('..')) {
      const detail = key === '.' || key === '..' ? `must not be '${key}'` : "must not start with '..'";
      faults.push({ type: 'Invalid', field, value: key, detail });
    } else if (Object.hasOwn(data, key) && Object.hasOwn(binary, key) && !faults.some((each) => each.field === field)) {
      faults.push({ type: 'Invalid', field, value: key, detail: 'duplicate of key present in binaryData' });
    }
    const encoded = of === secrets || Object.hasOwn(binary, key);
    const text = String(value);
    if (encoded && !/^[A-Za-z0-9+/\r\n]*={0,2}[\r\n]*$/.test(text)) {
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
  const containers = isRecord(spec) ? spec['containers'] : undefined;
  if (!isRecord(spec) || !Array.isArray(containers) || containers.length === 0) {
    return [{ type: 'Required', field: `${at}.containers` }];
  }
  const seen = new Set<string>();
  const volumes = new Set(Array.isArray(spec['volumes']) ? spec['volumes'].map((volume) => volume?.name) : []);
  const initContainers = Array.isArray(spec['initContainers']) ? spec['initContainers'] : [];
  const lists = [
    ['initContainers', initContainers],
    ['containers', containers],
  ] as const;
  return lists.flatMap(([list, items]) =>
    items.flatMap((container: Partial<Container>, index): Fault[] => {
      const field = `${at}.${list}[${index}]`;
      const { name } = container;
      const faults: Fault[] = [];
      if (!name) faults.push({ type: 'Required', field: `${field}.name` });
      else if (!matches(dnsLabel, name) || name.length > 63) {
        faults.push({ type: 'Invalid', field: `${field}.name`, value: name, detail: labelRule });
      } else if (seen.has(name)) faults.push({ type: 'Duplicate', field: `${field}.name`, value: name });
      seen.add(name ?? '');
      if (!container.image) faults.push({ type: 'Required', field: `${field}.image` });
      for (const [at, mount] of (container.volumeMounts ?? []).entries()) {
        if (!volumes.has(mount.name)) {
          faults.push({
            type: 'Invalid',
            field: `${field}.volumeMounts[${at}].name`,
            value: mount.name,
            detail: 'not found',
          });
        }
      }
      return faults;
    }),
  );
}

function jobFaults(job: KubeObject): Fault[] {
  const spec = isRecord(job['spec']) ? job['spec'] : {};
  const template = isRecord(spec['template']) ? spec['template'] : {};
  const faults = podSpecFaults(template['spec'], 'spec.template.spec');
  const policy = isRecord(template['spec']) ? template['spec']['restartPolicy'] : undefined;
  if (policy !== 'Never' && policy !== 'OnFailure') {
    faults.push({
      type: 'Required',
      field: 'spec.template.spec.restartPolicy',
      detail: 'valid values: "OnFailure", "Never"',
    });
  }
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
    frozen('spec.template', previous['spec']['template'], object['spec']['template']);
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

function podChangeFaults(previous: Pod, pod: Pod): Fault[] {
  for (const list of ['containers', 'initContainers'] as const) {
    if ((previous.spec[list] ?? []).length !== (pod.spec[list] ?? []).length) {
      return [{ type: 'Forbidden', field: `spec.${list}`, detail: 'pod updates may not add or remove containers' }];
    }
  }
  const unimportant = (spec: Pod['spec']): unknown => ({
    ...spec,
    containers: spec.containers.map((container) => ({ ...container, image: '' })),
    initContainers: (spec.initContainers ?? []).map((container) => ({ ...container, image: '' })),
    activeDeadlineSeconds: undefined,
    tolerations: undefined,
    terminationGracePeriodSeconds: undefined,
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
