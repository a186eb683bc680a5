import * as z from 'zod/mini';
import { once } from '../once.ts';
import { formatPath } from './problem.ts';
import { stringRecord, text } from './schema.ts';

/** A `metav1.LabelSelector`, as it stands in a Restore. */
export const LabelSelector = once(() =>
  z.object({
    matchLabels: z.nullish(stringRecord),
    matchExpressions: z.nullish(z.array(z.object({ key: text, operator: text, values: z.nullish(z.array(text)) }))),
  }),
);
export type LabelSelector = z.infer<ReturnType<typeof LabelSelector>>;

export type Labels = Readonly<Record<string, string>>;

const KEY_NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const KEY_PREFIX = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

function isLabelKey(key: string): boolean {
  const parts = key.split('/');
  if (parts.length > 2) return false;
  const [prefix, name] = parts.length === 2 ? parts : [undefined, key];
  return KEY_NAME.test(name ?? '') && (prefix === undefined || KEY_PREFIX.test(prefix));
}

/** What Kubernetes would refuse the selector for: the path below it and what was expected. Empty = valid. */
export function labelSelectorProblems(selector: LabelSelector): { path: string; expected: string }[] {
  const problems: { path: string; expected: string }[] = [];
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    const path = `matchLabels[${JSON.stringify(key)}]`;
    if (!isLabelKey(key)) problems.push({ path, expected: 'a label key' });
    if (!VALUE.test(value)) problems.push({ path, expected: 'a label value (at most 63 of A-Z a-z 0-9 - _ .)' });
  }
  for (const [index, { key, operator, values }] of (selector.matchExpressions ?? []).entries()) {
    const path = `matchExpressions[${index}]`;
    const count = values?.length ?? 0;
    if (!isLabelKey(key)) problems.push({ path: `${path}.key`, expected: 'a label key' });
    if (operator === 'In' || operator === 'NotIn') {
      if (count === 0) problems.push({ path: `${path}.values`, expected: `at least one value for ${operator}` });
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (count > 0) problems.push({ path: `${path}.values`, expected: `no values for ${operator}` });
    } else {
      problems.push({ path: `${path}.operator`, expected: 'one of In, NotIn, Exists, DoesNotExist' });
    }
    for (const value of values ?? []) {
      if (!VALUE.test(value)) problems.push({ path: `${path}.values`, expected: 'label values' });
    }
  }
  return problems;
}

/** One thing that a selector asks of a pod's labels. */
export interface LabelRequirement {
  /** Below the selector: `matchLabels.app`, `matchExpressions[0]`. */
  readonly path: string;
  /** What stands there: `web`; of an expression `tier In (a, b)`. */
  readonly text: string;
  readonly key: string;
  readonly admits: (labels: Labels) => boolean;
}

export function labelRequirements(selector: LabelSelector | null | undefined): LabelRequirement[] {
  const equals = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => ({
    path: formatPath(['matchLabels', key]),
    text: value,
    key,
    admits: (labels: Labels) => Object.hasOwn(labels, key) && labels[key] === value,
  }));
  const expressions = (selector?.matchExpressions ?? []).map(({ key, operator, values }, index) => ({
    path: `matchExpressions[${index}]`,
    text: `${key} ${operator}${values && values.length > 0 ? ` (${values.join(', ')})` : ''}`,
    key,
    admits: admitsBy(key, operator, new Set(values ?? [])),
  }));
  return [...equals, ...expressions];
}

function admitsBy(key: string, operator: string, set: ReadonlySet<string>): (labels: Labels) => boolean {
  switch (operator) {
    case 'In':
      return (labels) => Object.hasOwn(labels, key) && set.has(labels[key] ?? '');
    case 'NotIn':
      return (labels) => !Object.hasOwn(labels, key) || !set.has(labels[key] ?? '');
    case 'Exists':
      return (labels) => Object.hasOwn(labels, key);
    default:
      return (labels) => !Object.hasOwn(labels, key);
  }
}

/** Compile a valid selector. Nothing to match = everything, as in Kubernetes (R3.5). */
export function compileLabelSelector(selector: LabelSelector | null | undefined): (labels: Labels) => boolean {
  const requirements = labelRequirements(selector);
  return (labels) => requirements.every(({ admits }) => admits(labels));
}
