import { keyFaults, labelValueFaults } from './metadata.ts';
import type { KubeObject } from './objects.ts';
import { isRecord } from './objects.ts';
import type { Resource } from './resources.ts';
import { badRequest } from './status.ts';

export type Selects = (object: KubeObject) => boolean;
type Labels = Readonly<Record<string, string>>;

const tokens = /\s*(==|=|!=|>|<|!|,|\(|\)|[^\s=!,()<>]+)/gy;

/** The tokens of a label selector, one by one; '' at the end. */
function lexer(text: string) {
  const all: string[] = [];
  tokens.lastIndex = 0;
  for (let match = tokens.exec(text); match !== null; match = tokens.exec(text)) all.push(match[1] ?? '');
  let at = 0;
  return {
    peek: (): string => all[at] ?? '',
    next: (): string => all[at++] ?? '',
  };
}
const isIdentifier = (token: string): boolean => /^[^\s=!,()<>]+$/.test(token);
const unparsed = (why: string) => badRequest(`unable to parse requirement: ${why}`);

/** Parse a label selector as it stands in a query: `a=b,c!=d,e in (f,g),h notin (i),j,!k,l>5`. */
export function labelSelector(text: string): Selects {
  const { peek, next } = lexer(text);
  const tests: ((labels: Labels) => boolean)[] = [];
  while (peek() !== '') {
    if (!isIdentifier(peek()) && peek() !== '!') {
      throw badRequest(`found '${peek()}', expected: !, identifier, or 'end of string'`);
    }
    tests.push(requirement(peek, next));
    const end = next();
    if (end === '') break;
    if (end !== ',') throw badRequest(`found '${end}', expected: ',' or 'end of string'`);
    if (!isIdentifier(peek()) && peek() !== '!') throw badRequest(`found '${peek()}', expected: identifier after ','`);
  }
  return (object) => tests.every((test) => test(object.metadata.labels ?? {}));
}

function requirement(peek: () => string, next: () => string): (labels: Labels) => boolean {
  const isNot = peek() === '!';
  if (isNot) next();
  const key = next();
  if (!isIdentifier(key)) throw unparsed(`found '${key}', expected: identifier`);
  const [wrongKey] = keyFaults(key);
  if (wrongKey !== undefined) throw unparsed(`<nil>: Invalid value: ${JSON.stringify(key)}: ${wrongKey}`);
  if (isNot) return (labels) => !Object.hasOwn(labels, key);
  if (peek() === '' || peek() === ',') return (labels) => Object.hasOwn(labels, key);
  const operator = next();
  switch (operator) {
    case 'in':
    case 'notin': {
      const values = valueSet(key, next);
      return (labels) => (Object.hasOwn(labels, key) && values.includes(labels[key] ?? '')) === (operator === 'in');
    }
    case '=':
    case '==':
    case '!=': {
      const value = peek() === '' || peek() === ',' ? '' : next();
      if (value !== '' && !isIdentifier(value)) throw unparsed(`found '${value}', expected: identifier`);
      assertValue(key, value, 0);
      return (labels) => (labels[key] === value) === (operator !== '!=');
    }
    case '>':
    case '<':
    case 'gt':
    case 'lt': {
      if (operator.length > 1) break;
      const value = peek() === '' || peek() === ',' ? '' : next();
      if (!/^-?\d+$/.test(value)) {
        throw unparsed(
          `values[0]: Invalid value: ${JSON.stringify(value)}: for 'Gt', 'Lt' operators, the value must be an integer`,
        );
      }
      const isLess = operator === '<';
      return (labels) => {
        const own = Number(labels[key] ?? Number.NaN);
        return isLess ? own < Number(value) : own > Number(value);
      };
    }
  }
  throw unparsed(`found '${operator}', expected: in, notin, =, ==, !=, gt, lt`);
}

function valueSet(key: string, next: () => string): string[] {
  const open = next();
  if (open !== '(') throw unparsed(`found '${open}' expected: '('`);
  const values: string[] = [];
  let value = '';
  for (let token = next(); ; token = next()) {
    if (isIdentifier(token) && value === '') value = token;
    else if (token === ',' || token === ')') {
      assertValue(key, value, values.length);
      values.push(value);
      value = '';
      if (token === ')') return values;
    } else throw unparsed(`found '${token}', expected: ',' or ')'`);
  }
}

function assertValue(key: string, value: string, at: number): void {
  const [wrong] = labelValueFaults(value);
  if (wrong !== undefined) throw unparsed(`values[${at}][${key}]: Invalid value: ${JSON.stringify(value)}: ${wrong}`);
}

const known: Record<string, readonly string[]> = {
  pods: [
    ...['spec.nodeName', 'spec.restartPolicy', 'spec.schedulerName', 'spec.serviceAccountName', 'spec.hostNetwork'],
    ...['status.phase', 'status.podIP', 'status.podIPs', 'status.nominatedNodeName'],
  ],
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
/** The value of a field that an object doesn't have. */
const absent: Readonly<Record<string, string>> = { 'spec.hostNetwork': 'false' };

export function fieldSelector(text: string, of: Resource): Selects {
  const tests = text
    .split(/(?<!\\),/)
    .filter((each) => each !== '')
    .map((each): Selects => {
      const [, path = '', operator, escaped = ''] = /^([^=!]*)(==|=|!=)(.*)$/.exec(each) ?? [];
      if (operator === undefined) throw badRequest(`invalid selector: '${each}'; can't understand '${each}'`);
      const wanted = escaped.replace(/\\(.)/g, '$1');
      if (path === '' && wanted === '') return () => true;
      if (!['metadata.name', 'metadata.namespace', ...(known[of.resource] ?? [])].includes(path)) {
        throw badRequest(unsupported(path, of));
      }
      return (object) => (fieldOf(object, path) === wanted) === (operator !== '!=');
    });
  return (object) => tests.every((test) => test(object));
}

function unsupported(path: string, of: Resource): string {
  if (of.resource === 'jobs') return `field label "${path}" not supported for Job`;
  if (of.custom || known[of.resource] !== undefined) return `field label not supported: ${path}`;
  return `"${path}" is not a known field selector: only "metadata.name", "metadata.namespace"`;
}

function fieldOf(object: KubeObject, path: string): string {
  let value: unknown = object;
  for (const part of path.split('.')) value = isRecord(value) ? value[part] : undefined;
  return ['string', 'boolean', 'number'].includes(typeof value) ? String(value) : (absent[path] ?? '');
}

/** Both selectors of a request at once. */
export function selectorOf(query: URLSearchParams, of: Resource): Selects {
  const byLabel = labelSelector(query.get('labelSelector') ?? '');
  const byField = fieldSelector(query.get('fieldSelector') ?? '', of);
  return (object) => byLabel(object) && byField(object);
}
