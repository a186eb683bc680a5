import { isDeepStrictEqual } from 'node:util';
import type { KubeObject, OwnerReference } from './objects.ts';
import type { Resource } from './resources.ts';
import type { Fault } from './status.ts';

export const dnsLabel = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const dnsSubdomain = `${dnsLabel}(\\.${dnsLabel})*`;
const labelName = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
export const labelValue = `(${labelName})?`;
export const limits = { annotations: 262_144, data: 1_048_576 } as const;

const mustConsist =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const subdomainRule =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
export const labelRule =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const examples =
  "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const nameRule = `name part ${mustConsist} ${examples}`;
const keyRule = `a valid label key ${mustConsist} ${examples} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`;
export const valueRule =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
export const configKeyRule =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

export const matches = (pattern: string, text: string): boolean => new RegExp(`^(${pattern})$`).test(text);

export function metadataFaults(of: Resource, object: KubeObject): Fault[] {
  const { name, generateName, finalizers = [] } = object.metadata;
  const faults: Fault[] = [];
  if (generateName) {
    const whys = nameFaults(of, generateName.replace(/-$/, 'a'));
    for (const detail of whys)
      faults.push({ type: 'Invalid', field: 'metadata.generateName', value: generateName, detail });
  }
  if (!name) faults.push({ type: 'Required', field: 'metadata.name', detail: 'name or generateName is required' });
  else
    for (const detail of nameFaults(of, name))
      faults.push({ type: 'Invalid', field: 'metadata.name', value: name, detail });
  return [...faults, ...attachmentFaults(object), ...finalizerFaults(finalizers)];
}

/** Of labels, annotations and owners. */
function attachmentFaults({ metadata }: KubeObject): Fault[] {
  const { labels = {}, annotations = {}, ownerReferences = [] } = metadata;
  const faults: Fault[] = [];
  for (const [key, value] of Object.entries(labels)) {
    const field = 'metadata.labels';
    for (const detail of keyFaults(key)) faults.push({ type: 'Invalid', field, value: key, detail });
    for (const detail of labelValueFaults(value)) faults.push({ type: 'Invalid', field, value, detail });
  }
  let size = 0;
  for (const [key, value] of Object.entries(annotations)) {
    const field = 'metadata.annotations';
    for (const detail of keyFaults(key.toLowerCase())) faults.push({ type: 'Invalid', field, value: key, detail });
    size += key.length + Buffer.byteLength(value);
  }
  if (size > limits.annotations) {
    const detail = `may not be more than ${limits.annotations} bytes`;
    faults.push({ type: 'TooLong', field: 'metadata.annotations', detail });
  }
  return [...faults, ...ownerFaults(ownerReferences)];
}

function nameFaults(of: Resource, name: string): string[] {
  if (of.names === 'path') {
    if (name === '.' || name === '..') return [`may not be '${name}'`];
    return ['/', '%'].filter((each) => name.includes(each)).map((each) => `may not contain '${each}'`);
  }
  if (of.names === 'label') {
    if (name.includes('.')) return ['must not contain dots'];
    return [...tooLong(name, 63, 'bytes'), ...(matches(dnsLabel, name) ? [] : [labelRule])];
  }
  return [...tooLong(name, 253, 'characters'), ...(matches(dnsSubdomain, name) ? [] : [subdomainRule])];
}
const tooLong = (text: string, most: number, what: string): string[] =>
  text.length > most ? [`must be no more than ${most} ${what}`] : [];

/** Of a label's key, an annotation's, a finalizer. */
export function keyFaults(key: string): string[] {
  const parts = key.split('/');
  if (parts.length > 2) return [keyRule];
  const name = parts.pop() ?? '';
  const prefix = parts.pop();
  return [
    ...(prefix === ''
      ? ['prefix part must be non-empty']
      : prefix !== undefined && !matches(dnsSubdomain, prefix)
        ? [`prefix part ${subdomainRule}`]
        : []),
    ...(name === '' ? ['name part must be non-empty'] : tooLong(name, 63, 'bytes').map((each) => `name part ${each}`)),
    ...(matches(labelName, name) ? [] : [nameRule]),
  ];
}

export const labelValueFaults = (value: string): string[] => [
  ...tooLong(value, 63, 'bytes'),
  ...(matches(labelValue, value) ? [] : [valueRule]),
];

function ownerFaults(owners: readonly OwnerReference[]): Fault[] {
  const faults = owners.flatMap((owner): Fault[] => {
    const empty = (['apiVersion', 'kind', 'name', 'uid'] as const).filter((field) => !owner[field]);
    if (owner.kind === 'Event' && owner.apiVersion === 'v1') {
      const detail = '/v1, Kind=Event is disallowed from being an owner';
      return [{ type: 'Invalid', field: 'metadata.ownerReferences', value: owner, detail }];
    }
    return empty.map((field) => ({
      type: 'Invalid',
      field: `metadata.ownerReferences.${field}`,
      value: '',
      detail: field === 'apiVersion' ? 'version must not be empty' : 'must not be empty',
    }));
  });
  const [first, second] = owners.filter((each) => each.controller);
  if (first !== undefined && second !== undefined) {
    const detail = `Only one reference can have Controller set to true. Found "true" in references for ${first.kind}/${first.name} and ${second.kind}/${second.name}`;
    faults.push({ type: 'Invalid', field: 'metadata.ownerReferences', value: owners, detail });
  }
  return faults;
}

const standardFinalizers = ['foregroundDeletion', 'orphan', 'kubernetes'];

function finalizerFaults(finalizers: readonly string[]): Fault[] {
  return finalizers.flatMap((value, index): Fault[] => [
    ...keyFaults(value).map((detail): Fault => ({ type: 'Invalid', field: 'metadata.finalizers', value, detail })),
    ...(value.includes('/') || standardFinalizers.includes(value)
      ? []
      : [
          {
            type: 'Invalid' as const,
            field: `metadata.finalizers[${index}]`,
            value,
            detail: 'name is neither a standard finalizer name nor is it fully qualified',
          },
        ]),
  ]);
}

/** Checks the metadata of an update. The real server checks some of it several times, and repeats its errors. */
export function metadataUpdateFaults(previous: KubeObject, object: KubeObject): Fault[] {
  const { uid, deletionTimestamp, finalizers = [] } = previous.metadata;
  const now = object.metadata.finalizers ?? [];
  const attachments = attachmentFaults(object);
  const faults = [...attachments, ...attachments, ...finalizerFaults(now)];
  if (!isDeepStrictEqual(uid, object.metadata.uid)) {
    faults.push({ type: 'Invalid', field: 'metadata.uid', value: object.metadata.uid, detail: 'field is immutable' });
  }
  const added = now.filter((each) => !finalizers.includes(each));
  if (deletionTimestamp !== undefined && added.length > 0) {
    const list = `[]string{${added.map((each) => JSON.stringify(each)).join(', ')}}`;
    const detail = `no new finalizers can be added if the object is being deleted, found new finalizers ${list}`;
    faults.push({ type: 'Forbidden', field: 'metadata.finalizers', detail });
  }
  return [...faults, ...faults];
}
