import type { KubeObject } from './objects.ts';
import { isRecord } from './objects.ts';
import type { Resource } from './resources.ts';
import { badRequest } from './status.ts';

export type Selects = (object: KubeObject) => boolean;

/** Parse a label selector as it stands in a query: `a=b,c!=d,e in (f,g),h notin (i),j,!k`. */
export function labelSelector(text: string): Selects {
  const tests = splitOutsideParentheses(text).map(requirement);
  return (object) => {
    const labels = object.metadata.labels ?? {};
    return tests.every((test) => test(labels));
  };
}

function splitOutsideParentheses(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const character of text) {
    if (character === '(') depth += 1;
    if (character === ')') depth -= 1;
    if (character === ',' && depth === 0) {
      parts.push(part);
      part = '';
    } else part += character;
  }
  if (depth !== 0) throw badRequest(`unable to parse requirement: found '', expected: ',' or ')'`);
  return [...parts, part].map((each) => each.trim()).filter((each) => each !== '');
}

function requirement(text: string): (labels: Readonly<Record<string, string>>) => boolean {
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(text);
  if (set !== null) {
    const [, key = '', operator, list = ''] = set;
    const values = list.split(',').map((each) => each.trim());
    return (labels) => {
      const value = labels[key];
      const among = value !== undefined && values.includes(value);
      return operator === 'in' ? among : !among;
    };
  }
  const equality = /^([^=!\s]+)\s*(==|=|!=)\s*([^=!\s]*)(.*)$/.exec(text);
  if (equality !== null) {
    const [, key = '', operator, value = '', rest = ''] = equality;
    if (rest !== '') throw badRequest(`found '${rest[0]}', expected: ',' or 'end of string'`);
    return (labels) => (labels[key] === value) === (operator !== '!=');
  }
  const existence = /^(!?)\s*([^=!\s]+)$/.exec(text);
  if (existence === null) throw badRequest(`unable to parse requirement: ${JSON.stringify(text)}`);
  const [, not, key = ''] = existence;
  return (labels) => Object.hasOwn(labels, key) === (not !== '!');
}

const known: Record<string, readonly string[]> = {
  pods: ['spec.nodeName', 'spec.restartPolicy', 'spec.serviceAccountName', 'status.phase', 'status.podIP'],
  events: [
    ...['apiVersion', 'fieldPath', 'kind', 'name', 'namespace', 'resourceVersion', 'uid'].map(
      (field) => `involvedObject.${field}`,
    ),
    ...['reason', 'type', 'reportingComponent', 'source'],
  ],
  jobs: ['status.successful'],
  secrets: ['type'],
  namespaces: ['status.phase'],
};

export function fieldSelector(text: string, of: Resource): Selects {
  const tests = text
    .split(',')
    .filter((each) => each !== '')
    .map((each): Selects => {
      const [, path = '', operator, wanted = ''] = /^([^=!]+)(==|=|!=)(.*)$/.exec(each) ?? [];
      if (operator === undefined) throw badRequest(`invalid selector: '${each}'; can't understand '${each}'`);
      if (!['metadata.name', 'metadata.namespace', ...(known[of.resource] ?? [])].includes(path)) {
        throw badRequest(
          known[of.resource] === undefined
            ? `"${path}" is not a known field selector: only "metadata.name", "metadata.namespace"`
            : `field label not supported: ${path}`,
        );
      }
      return (object) => (fieldOf(object, path) === wanted) === (operator !== '!=');
    });
  return (object) => tests.every((test) => test(object));
}

function fieldOf(object: KubeObject, path: string): string {
  let value: unknown = object;
  for (const part of path.split('.')) value = isRecord(value) ? value[part] : undefined;
  return typeof value === 'string' ? value : '';
}

/** Both selectors of a request at once. */
export function selectorOf(query: URLSearchParams, of: Resource): Selects {
  const byLabel = labelSelector(query.get('labelSelector') ?? '');
  const byField = fieldSelector(query.get('fieldSelector') ?? '', of);
  return (object) => byLabel(object) && byField(object);
}
