import type { Reading } from './decode.ts';
import { decode } from './decode.ts';
import { isRecord } from './objects.ts';
import type { User } from './rbac.ts';
import { authorize, rulesOf } from './rbac.ts';
import type { Resource } from './resources.ts';
import { apiVersionOf, selfReviews, selfRulesReviews, subjectReviews, whoAmI } from './resources.ts';
import type { Fault } from './status.ts';
import { badRequest, invalid } from './status.ts';
import type { Store } from './store.ts';

/** Access and token reviews: objects that are answered when they are created, and not stored. */
export function review(store: Store, of: Resource, body: unknown, user: User, reading: Reading): object {
  const { spec: given, metadata } = decode(of, body, reading);
  const spec = isRecord(given) ? given : {};
  const answer = (status: object, shown: object = { spec }): object => ({
    kind: of.kind,
    apiVersion: apiVersionOf(of),
    metadata: {},
    ...shown,
    status,
  });
  if (of === whoAmI) return answer({ userInfo: { username: user.name, groups: user.groups } }, {});
  if (of === selfRulesReviews) {
    const { namespace } = spec;
    if (typeof namespace !== 'string' || namespace === '') throw badRequest('no namespace on request');
    return answer({ ...rulesOf(store, user, namespace), incomplete: false }, { spec: {} });
  }
  if (Object.keys(metadata).length > 0) {
    throw invalid({ ...of, kind: '' }, '', [
      { type: 'Invalid', field: 'metadata', value: metadata, detail: 'must be empty' },
    ]);
  }
  const wanted = spec['resourceAttributes'];
  const path = spec['nonResourceAttributes'];
  refuse(of, spec, wanted, path);
  const text = (from: unknown, key: string): string | undefined => {
    const value = isRecord(from) ? from[key] : undefined;
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const groups = Array.isArray(spec['groups']) ? spec['groups'].map(String) : [];
  const subject: User = of === selfReviews ? user : { name: String(spec['user'] ?? ''), groups };
  const decision = authorize(store, subject, {
    verb: text(path ?? wanted, 'verb') ?? '',
    group: text(wanted, 'group') ?? '',
    resource: text(wanted, 'resource') ?? '',
    subresource: text(wanted, 'subresource'),
    namespace: text(wanted, 'namespace'),
    name: text(wanted, 'name'),
    path: path === undefined ? undefined : text(path, 'path'),
  });
  return answer({ allowed: decision.allowed, ...(decision.reason === '' ? {} : { reason: decision.reason }) });
}

function refuse(of: Resource, spec: Record<string, unknown>, wanted: unknown, path: unknown): void {
  const faults: Fault[] = [];
  if (isRecord(wanted) && isRecord(path)) {
    const value = { Path: path['path'] ?? '', Verb: path['verb'] ?? '' };
    const detail = 'cannot be specified in combination with resourceAttributes';
    faults.push({ type: 'Invalid', field: 'spec.nonResourceAttributes', value, detail });
  } else if (!isRecord(wanted) && !isRecord(path)) {
    const detail = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';
    faults.push({ type: 'Invalid', field: 'spec.resourceAttributes', value: null, detail });
  }
  if (of === subjectReviews && !spec['user'] && !Array.isArray(spec['groups'])) {
    const detail = 'at least one of user or group must be specified';
    faults.push({ type: 'Invalid', field: 'spec.user', value: '', detail });
  }
  if (faults.length > 0) throw invalid({ ...of, kind: '' }, '', faults);
}
