import { isDeepStrictEqual } from 'node:util';
import type { Container, KubeObject, Pod } from './objects.ts';
import { asPod, isRecord } from './objects.ts';
import type { Resource } from './resources.ts';
import { configMaps, jobs, leases, pods, secrets } from './resources.ts';
import type { Fault } from './status.ts';
import { badRequest, invalid } from './status.ts';

const dnsLabel = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const dnsSubdomain = `${dnsLabel}(\\.${dnsLabel})*`;
const labelName = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const labelValue = `(${labelName})?`;
const limits = { annotations: 262_144, data: 1_048_576 } as const;

const subdomainRule =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const labelRule =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const keyRule =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const valueRule =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const configKeyRule =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

const matches = (pattern: string, text: string): boolean => new RegExp(`^(${pattern})$`).test(text);

/** Read a body as an object of this resource, or refuse it as the real decoder does. */
export function decode(of: Resource, apiVersion: string, body: unknown): KubeObject {
  if (!isRecord(body)) throw badRequest(`the object provided is unrecognized (must be of type ${of.kind})`);
  const { kind = of.kind, apiVersion: version = apiVersion } = body;
  if (kind !== of.kind || version !== apiVersion) {
    throw badRequest(
      `${String(kind)} in version "${String(version)}" cannot be handled as a ${of.kind}: no conversion between them`,
    );
  }
  const metadata = body['metadata'] ?? {};
  if (!isRecord(metadata)) throw badRequest(`${of.kind} in version "${of.version}" cannot be handled: bad metadata`);
  for (const field of ['labels', 'annotations']) {
    const map = metadata[field];
    const wrong = isRecord(map) ? Object.values(map).find((value) => typeof value !== 'string') : undefined;
    if (wrong !== undefined) {
      throw badRequest(
        `${of.kind} in version "${of.version}" cannot be handled as a ${of.kind}: json: cannot unmarshal ${typeof wrong} into Go struct field ObjectMeta.metadata.${field} of type string`,
      );
    }
  }
  return { ...body, apiVersion, kind: of.kind, metadata: { ...metadata } as unknown as KubeObject['metadata'] };
}

export function validateCreate(of: Resource, object: KubeObject): void {
  refuse(of, object, [...metadataFaults(of, object), ...specFaults(of, object)]);
}

export function validateUpdate(of: Resource, previous: KubeObject, object: KubeObject): void {
  refuse(of, object, [...metadataFaults(of, object), ...specFaults(of, object), ...changeFaults(of, previous, object)]);
}

function refuse(of: Resource, object: KubeObject, faults: readonly Fault[]): void {
  if (faults.length > 0) throw invalid(of, object.metadata.name ?? '', faults);
}

function metadataFaults(of: Resource, object: KubeObject): Fault[] {
  const { name, labels = {}, annotations = {} } = object.metadata;
  const faults: Fault[] = [];
  if (!name) {
    return [{ type: 'Required', field: 'metadata.name', detail: 'name or generateName is required' }];
  }
  if (of.names === 'path') {
    if (/[/%]|^\.{1,2}$/.test(name)) {
      faults.push({ type: 'Invalid', field: 'metadata.name', value: name, detail: `may not contain '/'` });
    }
  } else if (of.names === 'label') {
    if (!matches(dnsLabel, name) || name.length > 63) {
      faults.push({ type: 'Invalid', field: 'metadata.name', value: name, detail: labelRule });
    }
  } else if (!matches(dnsSubdomain, name) || name.length > 253) {
    faults.push({ type: 'Invalid', field: 'metadata.name', value: name, detail: subdomainRule });
  }
  for (const [key, value] of Object.entries(labels)) {
    const field = 'metadata.labels';
    if (!isKey(key)) faults.push({ type: 'Invalid', field, value: key, detail: keyRule });
    if (value.length > 63) faults.push({ type: 'Invalid', field, value, detail: 'must be no more than 63 bytes' });
    else if (!matches(labelValue, value)) faults.push({ type: 'Invalid', field, value, detail: valueRule });
  }
  let size = 0;
  for (const [key, value] of Object.entries(annotations)) {
    const field = 'metadata.annotations';
    if (!isKey(key.toLowerCase())) faults.push({ type: 'Invalid', field, value: key, detail: keyRule });
    size += key.length + Buffer.byteLength(value);
  }
  if (size > limits.annotations) {
    faults.push({
      type: 'TooLong',
      field: 'metadata.annotations',
      detail: `may not be more than ${limits.annotations} bytes`,
    });
  }
  return faults;
}

function isKey(key: string): boolean {
  const parts = key.split('/');
  const name = parts.pop() ?? '';
  const prefix = parts.pop();
  return (
    parts.length === 0 &&
    name.length <= 63 &&
    matches(labelName, name) &&
    (prefix === undefined || (prefix.length <= 253 && matches(dnsSubdomain, prefix)))
  );
}

function specFaults(of: Resource, object: KubeObject): Fault[] {
  if (of === pods) return podSpecFaults(asPod(object).spec, 'spec');
  if (of === jobs) return jobFaults(object);
  if (of === secrets || of === configMaps) return dataFaults(of, object);
  if (of === leases) {
    const seconds = isRecord(object['spec']) ? object['spec']['leaseDurationSeconds'] : undefined;
    if (typeof seconds === 'number' && seconds <= 0) {
      return [
        { type: 'Invalid', field: 'spec.leaseDurationSeconds', value: seconds, detail: 'must be greater than 0' },
      ];
    }
  }
  return [];
}

function dataFaults(of: Resource, object: KubeObject): Fault[] {
  const data = isRecord(object['data']) ? object['data'] : {};
  const binary = isRecord(object['binaryData']) ? object['binaryData'] : {};
  const faults: Fault[] = [];
  let size = 0;
  for (const [key, value] of [...Object.entries(data), ...Object.entries(binary)]) {
    if (!matches('[-._a-zA-Z0-9]+', key)) {
      faults.push({ type: 'Invalid', field: `data[${key}]`, value: key, detail: configKeyRule });
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
  frozen('metadata.uid', previous.metadata.uid, object.metadata.uid);
  if (of === secrets) frozen('type', previous['type'], object['type']);
  if (of === jobs && isRecord(previous['spec']) && isRecord(object['spec'])) {
    frozen('spec.template', previous['spec']['template'], object['spec']['template']);
  }
  if (previous['immutable'] === true && !isDeepStrictEqual(previous['data'], object['data'])) {
    faults.push({ type: 'Forbidden', field: 'data', detail: 'field is immutable when `immutable` is set' });
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
