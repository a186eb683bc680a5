import { closest } from '../closest.ts';
import type { Problem } from './problem.ts';

/** The fields that an object may have, and theirs. `any`: whatever stands there; a list: each item has these fields. */
type Fields = { readonly [name: string]: Fields | 'any' | readonly [Fields] };

const labelSelector = {
  matchLabels: 'any',
  matchExpressions: [{ key: 'any', operator: 'any', values: 'any' }],
} as const satisfies Fields;

const entry = {
  name: 'any',
  includedNamespaces: 'any',
  excludedNamespaces: 'any',
  includedResources: 'any',
  excludedResources: 'any',
  labelSelector,
} as const satisfies Fields;
const exec = {
  container: 'any',
  command: 'any',
  onError: 'any',
  execTimeout: 'any',
  waitTimeout: 'any',
  waitForReady: 'any',
} as const satisfies Fields;
const init = { initContainers: 'any', timeout: 'any' } as const satisfies Fields;

/** What only our documents have, of an entry and of its exec hooks. */
const OWN_OF_ENTRY = { wave: 'any', runOn: 'any' } as const satisfies Fields;
const OWN_OF_EXEC = {
  retry: { attempts: 'any', delay: 'any', maxDelay: 'any' },
  detach: 'any',
} as const satisfies Fields;
export const OWN_FIELDS: readonly string[] = [...Object.keys(OWN_OF_ENTRY), ...Object.keys(OWN_OF_EXEC)];

/** The fields of an entry, of Velero's Restore and of our document. */
export const HOOK_ENTRY = {
  Restore: { ...entry, postHooks: [{ exec, init }] },
  RestoreHooks: { ...entry, ...OWN_OF_ENTRY, postHooks: [{ exec: { ...exec, ...OWN_OF_EXEC }, init }] },
} as const satisfies Record<string, Fields>;

const RESTORE_HOOKS: Fields = {
  apiVersion: 'any',
  kind: 'any',
  metadata: 'any',
  spec: { resources: [HOOK_ENTRY.RestoreHooks] },
};

/** As in Velero 1.18. */
const RESTORE: Fields = {
  apiVersion: 'any',
  kind: 'any',
  metadata: 'any',
  status: 'any',
  spec: {
    backupName: 'any',
    scheduleName: 'any',
    includedNamespaces: 'any',
    excludedNamespaces: 'any',
    includedResources: 'any',
    excludedResources: 'any',
    includeClusterResources: 'any',
    labelSelector,
    orLabelSelectors: [labelSelector],
    namespaceMapping: 'any',
    hooks: { resources: [HOOK_ENTRY.Restore] },
    existingResourcePolicy: 'any',
    itemOperationTimeout: 'any',
    preserveNodePorts: 'any',
    resourceModifier: { apiGroup: 'any', kind: 'any', name: 'any' },
    resourcePolicy: { apiGroup: 'any', kind: 'any', name: 'any' },
    restorePVs: 'any',
    restoreStatus: { includedResources: 'any', excludedResources: 'any' },
    uploaderConfig: { parallelFilesDownload: 'any', writeSparseFiles: 'any' },
  },
};

/** A document of ours that nobody else validates: a mistyped filter would let a hook run everywhere (R1.11). */
export const unknownFieldsOfHooks = (object: unknown): Problem[] => unknownFields(object, RESTORE_HOOKS, '');

/** Of a Restore in a file. The API server drops them, with a warning at most. */
export const unknownFieldsOfRestore = (object: unknown): Problem[] => unknownFields(object, RESTORE, '');

const DEFAULTS: Fields = {
  apiVersion: 'any',
  kind: 'any',
  image: 'any',
  imagePullSecrets: 'any',
  serviceAccount: 'any',
  runNamespace: 'any',
  jobPatch: 'any',
};

/** A field that nobody reads would leave a run without what was meant (R8.23). */
export const unknownFieldsOfDefaults = (object: unknown): Problem[] => unknownFields(object, DEFAULTS, '');

function unknownFields(value: unknown, fields: Fields, at: string): Problem[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  return Object.entries(value).flatMap(([name, child]): Problem[] => {
    const path = at === '' ? name : `${at}.${name}`;
    const known = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (known === undefined) return [{ code: 'decode-error', path, message: unknownField(name, fields) }];
    if (known === 'any') return [];
    if (!isList(known)) return unknownFields(child, known, path);
    const [ofItem] = known;
    return Array.isArray(child)
      ? child.flatMap((item: unknown, index) => unknownFields(item, ofItem, `${path}[${index}]`))
      : [];
  });
}

const isList = (fields: Fields | readonly [Fields]): fields is readonly [Fields] => Array.isArray(fields);

function unknownField(name: string, fields: Fields): string {
  if (OWN_FIELDS.includes(name) && !Object.hasOwn(fields, name) && ('postHooks' in fields || 'waitForReady' in fields))
    return Object.hasOwn(OWN_OF_ENTRY, name)
      ? 'unknown field; an entry (spec.resources[]) of a RestoreHooks document has it (--hooks)'
      : 'unknown field; an exec hook of a RestoreHooks document has it (--hooks)';
  const names = Object.keys(fields);
  const lower = name.toLowerCase();
  const near =
    closest(name, names) ??
    names.find((known) => known.toLowerCase() === lower) ??
    names.find((known) => known.toLowerCase().endsWith(lower));
  return `unknown field; ${near === undefined ? `expected one of ${names.join(', ')}` : `did you mean ${near}?`}`;
}
