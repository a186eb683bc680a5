import type { DeleteOptions } from './api.ts';
import { isRecord } from './objects.ts';
import type { Fault } from './status.ts';
import { badRequest, invalid } from './status.ts';

/** Reads the options in a request's query, with the API server's checks. */

const refuse = (kind: string, faults: readonly Fault[]): void => {
  if (faults.length > 0) throw invalid({ group: 'meta.k8s.io', resource: '', kind }, '', faults);
};

export function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^[-+]?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

export interface WriteQuery {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: 'Ignore' | 'Warn' | 'Strict';
  readonly force: boolean;
}

const longestManager = 128;

export function writeQuery(
  query: URLSearchParams,
  kind: 'CreateOptions' | 'UpdateOptions' | 'PatchOptions',
  isApply = false,
): WriteQuery {
  const fieldManager = query.get('fieldManager') ?? '';
  const fieldValidation = query.get('fieldValidation') ?? '';
  const force = query.get('force');
  const faults: Fault[] = [];
  if (isApply && fieldManager === '') {
    faults.push({ type: 'Required', field: 'fieldManager', detail: 'is required for apply patch' });
  }
  if (!isApply && force !== null) {
    faults.push({ type: 'Forbidden', field: 'force', detail: 'may not be specified for non-apply patch' });
  }
  if (fieldManager.length > longestManager) {
    faults.push({ type: 'TooLong', field: 'fieldManager', detail: `may not be more than ${longestManager} bytes` });
  }
  const at = [...fieldManager].findIndex((character) => /\p{C}/u.test(character));
  if (at >= 0) {
    const code = fieldManager.charCodeAt(at).toString(16).toUpperCase().padStart(4, '0');
    const detail = `invalid character U+${code} (at position ${at})`;
    faults.push({ type: 'Invalid', field: 'fieldManager', value: fieldManager, detail });
  }
  const dryRun = query.getAll('dryRun');
  faults.push(...dryRunFaults(dryRun));
  const known = ['', 'Ignore', 'Strict', 'Warn'];
  if (!known.includes(fieldValidation)) {
    faults.push({ type: 'NotSupported', field: 'fieldValidation', value: fieldValidation, detail: supported(known) });
  }
  refuse(kind, faults);
  const how = fieldValidation === '' ? 'Warn' : (fieldValidation as WriteQuery['fieldValidation']);
  return { dryRun: dryRun.length > 0, fieldManager, fieldValidation: how, force: force === 'true' };
}

const supported = (values: readonly string[]): string =>
  `supported values: ${values.map((each) => JSON.stringify(each)).join(', ')}`;
const dryRunFaults = (dryRun: readonly string[]): Fault[] =>
  dryRun.some((each) => each !== 'All')
    ? [{ type: 'NotSupported', field: 'dryRun', value: dryRun, detail: supported(['All']) }]
    : [];

export function listQuery(query: URLSearchParams, isWatch: boolean): void {
  for (const name of ['timeoutSeconds', 'limit']) integer(query, name);
  const field = 'resourceVersionMatch';
  const version = query.get('resourceVersion') ?? '';
  const match = query.get(field) ?? '';
  const initial = query.get('sendInitialEvents');
  const faults: Fault[] = [];
  const forbid = (detail: string): void => void faults.push({ type: 'Forbidden', field, detail });
  if (isWatch) {
    if (initial !== null && match !== 'NotOlderThan')
      forbid('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan');
    if (initial === null && match !== '')
      forbid('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided');
  } else {
    if (initial !== null) {
      faults.push({ type: 'Forbidden', field: 'sendInitialEvents', detail: 'sendInitialEvents is forbidden for list' });
    }
    if (match !== '' && version === '') forbid(`${field} is forbidden unless resourceVersion is provided`);
    if (match !== '' && !['Exact', 'NotOlderThan'].includes(match)) {
      faults.push({ type: 'NotSupported', field, value: match, detail: supported(['Exact', 'NotOlderThan', '']) });
    }
    if (match === 'Exact' && version === '0') forbid(`${field} "exact" is forbidden for resourceVersion "0"`);
  }
  refuse('ListOptions', faults);
}

const policies = ['Foreground', 'Background', 'Orphan', 'nil'];

export interface Deletion extends DeleteOptions {
  readonly dryRun: boolean;
}

/** Of a DELETE: its body, or its query where it has none. */
export function deletion(body: unknown, query: URLSearchParams): Deletion {
  const from = isRecord(body) ? body : {};
  const grace = integer(query, 'gracePeriodSeconds');
  const isKnown = [undefined, 'DeleteOptions'].includes(from['kind'] as string | undefined);
  if (!isKnown) {
    throw badRequest(
      `no kind ${JSON.stringify(from['kind'])} is registered for version ${JSON.stringify(from['apiVersion'])} in scheme "pkg/runtime/scheme.go:111"`,
    );
  }
  const policy = from['propagationPolicy'] ?? query.get('propagationPolicy') ?? undefined;
  const dryRun = (Array.isArray(from['dryRun']) ? from['dryRun'] : query.getAll('dryRun')) as string[];
  const faults: Fault[] = [];
  if (policy !== undefined && !policies.slice(0, 3).includes(String(policy))) {
    faults.push({ type: 'NotSupported', field: 'propagationPolicy', value: policy, detail: supported(policies) });
  }
  if (policy !== undefined && from['orphanDependents'] !== undefined) {
    const detail = 'orphanDependents and deletionPropagation cannot be both set';
    faults.push({ type: 'Invalid', field: 'propagationPolicy', value: policy, detail });
  }
  faults.push(...dryRunFaults(dryRun));
  refuse('DeleteOptions', faults);
  return {
    ...(isRecord(from['preconditions']) ? { preconditions: from['preconditions'] } : {}),
    ...(typeof from['gracePeriodSeconds'] === 'number' ? { gracePeriodSeconds: from['gracePeriodSeconds'] } : {}),
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
    ...(policy === undefined ? {} : { propagationPolicy: String(policy) }),
    dryRun: dryRun.length > 0,
  };
}
