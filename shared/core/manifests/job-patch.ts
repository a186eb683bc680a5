import { canonicalJson } from '../digest.ts';
import { RestoreHooksError } from '../errors.ts';
import type { Problem } from '../model/problem.ts';
import { problemLine } from '../model/problem.ts';
import { PLAN_DIRECTORY } from '../names.ts';

/** What a user changes of the runner's Job (R8.20), and where it was written. */
export interface JobPatch {
  readonly from: string;
  readonly patch: Fields;
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The lists whose items are known by a field. A patch changes or adds items of these; it replaces any other list. */
const KEYS: Readonly<Record<string, string>> = {
  containers: 'name',
  initContainers: 'name',
  env: 'name',
  volumes: 'name',
  imagePullSecrets: 'name',
  volumeMounts: 'mountPath',
};

/** A JSON merge patch (RFC 7396), except for the lists of `KEYS`. */
function merged(target: unknown, patch: unknown, field = ''): unknown {
  const key = KEYS[field];
  if (Array.isArray(patch) && key !== undefined) return mergedList(Array.isArray(target) ? target : [], patch, key);
  if (!isFields(patch)) return patch;
  const result = new Map(Object.entries(isFields(target) ? target : {}));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, merged(result.get(name), value, name));
  }
  return Object.fromEntries(result);
}

function mergedList(target: readonly unknown[], patch: readonly unknown[], key: string): unknown[] {
  const result = [...target];
  for (const item of patch) {
    const at = result.findIndex((other) => isFields(other) && isFields(item) && other[key] === item[key]);
    if (at < 0) result.push(merged(undefined, item));
    else result[at] = merged(result[at], item);
  }
  return result;
}

/** The Job with all patches in it. Throws `INVALID_INPUT` for what a patch may not change. */
export function patchedJob<Job extends object>(job: Job, patches: readonly JobPatch[]): Job {
  let patched: unknown = job;
  for (const { from, patch } of patches) {
    patched = merged(patched, patch);
    const problems = [...keyless(patch, ''), ...differences(job, patched, JOB, '')];
    if (problems.length === 0) continue;
    const told = problems.slice(0, MOST_TOLD).map(problemLine).join('; ');
    throw new RestoreHooksError('INVALID_INPUT', `${from}: ${told}`, { hint: HINT });
  }
  return patched as Job;
}

const MOST_TOLD = 5;
const HINT = 'leave that out of the patch; docs/setup.md says what a patch may change';

/** Items of keyed lists that don't say which item they mean. */
function keyless(value: unknown, at: string): Problem[] {
  if (!isFields(value)) return [];
  return Object.entries(value).flatMap(([name, child]) => {
    const path = at === '' ? name : `${at}.${name}`;
    const key = KEYS[name];
    if (key === undefined || !Array.isArray(child)) return keyless(child, path);
    return child.flatMap((item: unknown, index) => {
      const itemPath = `${path}[${index}]`;
      if (isFields(item) && typeof item[key] === 'string') return keyless(item, `${path}[${item[key]}]`);
      return [problem(itemPath, `expected an object with ${key}, which says what is changed or added`)];
    });
  });
}

const problem = (path: string, message: string): Problem => ({ code: 'validation-error', path, message });

/**
 * What a patch may change of a field: anything; nothing; only what isn't there yet; or what its own fields allow. A
 * string says why not.
 */
type Rule =
  | 'free'
  | { readonly fixed: string }
  | { readonly kept: string }
  | { readonly key?: string; readonly fields: Readonly<Record<string, Rule>>; readonly others: Rule }
  | { readonly mounts: readonly string[] };

const fixed = (why: string): Rule => ({ fixed: why });
const kept = (why: string): Rule => ({ kept: why });

const RUNS_COUNT_ON_IT = fixed('a run can only be started and gone on with as this is');
const FOUND_BY = kept('runs are found by it');
/** What the runner reads: its plan, its token, itself. A volume over one of these would hide it. */
const READ_BY_RUNNER = [
  PLAN_DIRECTORY,
  '/var/run/secrets/kubernetes.io/serviceaccount',
  '/app',
  '/usr',
  '/lib',
  '/lib64',
];

const METADATA: Rule = {
  fields: { labels: FOUND_BY, annotations: 'free' },
  others: fixed('of the metadata, a patch changes labels and annotations'),
};
const IN_THE_POD = fixed("a patch has the Job's shape, so a field of its pod stands under spec.template.spec");

const RUNNER: Rule = {
  fields: {
    name: RUNS_COUNT_ON_IT,
    image: fixed('the image is given by --image, or by image in the defaults'),
    command: RUNS_COUNT_ON_IT,
    args: RUNS_COUNT_ON_IT,
    restartPolicy: RUNS_COUNT_ON_IT,
    restartPolicyRules: RUNS_COUNT_ON_IT,
    env: kept('the runner is told by it where it runs'),
    volumeMounts: { mounts: READ_BY_RUNNER },
  },
  others: 'free',
};

const POD: Rule = {
  fields: {
    restartPolicy: RUNS_COUNT_ON_IT,
    activeDeadlineSeconds: RUNS_COUNT_ON_IT,
    terminationGracePeriodSeconds: RUNS_COUNT_ON_IT,
    serviceAccountName: fixed('the account is given by --service-account, or by serviceAccount in the defaults'),
    serviceAccount: fixed('the account is given by --service-account, or by serviceAccount in the defaults'),
    automountServiceAccountToken: fixed('the runner needs the token of its ServiceAccount'),
    containers: { key: 'name', fields: { runner: RUNNER }, others: 'free' },
    volumes: kept('the runner reads its plan from it'),
  },
  others: 'free',
};

/** What a patch may change of the Job (R8.21). */
const JOB: Rule = {
  fields: {
    apiVersion: RUNS_COUNT_ON_IT,
    kind: RUNS_COUNT_ON_IT,
    metadata: METADATA,
    spec: {
      fields: {
        ttlSecondsAfterFinished: 'free',
        suspend: 'free',
        template: { fields: { metadata: METADATA, spec: POD }, others: IN_THE_POD },
        ...Object.fromEntries(
          [
            'activeDeadlineSeconds',
            'backoffLimit',
            'backoffLimitPerIndex',
            'completionMode',
            'completions',
            'managedBy',
            'manualSelector',
            'maxFailedIndexes',
            'parallelism',
            'podFailurePolicy',
            'podReplacementPolicy',
            'selector',
            'successPolicy',
          ].map((field) => [field, RUNS_COUNT_ON_IT]),
        ),
      },
      others: IN_THE_POD,
    },
  },
  others: IN_THE_POD,
};

function differences(before: unknown, after: unknown, rule: Rule, at: string): Problem[] {
  if (rule === 'free' || isSame(before, after)) return [];
  if ('fixed' in rule) return [unchangeable(at, rule.fixed)];
  if (Array.isArray(before) && !Array.isArray(after)) return [problem(at, 'expected a list')];
  if ('kept' in rule) {
    const now = itemsOf(after, 'name');
    const lost = [...itemsOf(before, 'name')].filter(([name, value]) => !isSame(value, now.get(name)));
    return lost.map(([name]) => unchangeable(`${at}[${name}]`, rule.kept));
  }
  if ('mounts' in rule) return mountProblems(before, after, rule.mounts, at);
  if (rule.key === undefined && !isFields(after)) return [problem(at, 'expected an object')];
  const [was, is] = [itemsOf(before, rule.key), itemsOf(after, rule.key)];
  return [...new Set([...was.keys(), ...is.keys()])].flatMap((name) => {
    const path = rule.key === undefined ? (at === '' ? name : `${at}.${name}`) : `${at}[${name}]`;
    const own = Object.hasOwn(rule.fields, name) ? rule.fields[name] : undefined;
    return differences(was.get(name), is.get(name), own ?? rule.others, path);
  });
}

const unchangeable = (path: string, why: string): Problem => problem(path, `a patch can't change this: ${why}`);

const isSame = (one: unknown, other: unknown): boolean => {
  if (one === undefined || other === undefined) return one === other;
  return canonicalJson(one) === canonicalJson(other);
};

/** The fields of an object, or the items of a list by their key. */
function itemsOf(value: unknown, key: string | undefined): Map<string, unknown> {
  if (!Array.isArray(value)) return new Map(isFields(value) ? Object.entries(value) : []);
  return new Map(value.map((item: unknown) => [isFields(item) && key ? String(item[key]) : '', item]));
}

function mountProblems(before: unknown, after: unknown, held: readonly string[], at: string): Problem[] {
  const [was, is] = [itemsOf(before, 'mountPath'), itemsOf(after, 'mountPath')];
  const lost = [...was].filter(([path, mount]) => !isSame(mount, is.get(path)));
  const hiding = [...is.keys()].filter((path) => !was.has(path) && held.some((each) => overlap(path, each)));
  return [
    ...lost.map(([path]) => unchangeable(`${at}[${path}]`, 'the runner reads its plan from it')),
    ...hiding.map((path) => problem(`${at}[${path}]`, 'a volume there would hide what the runner needs')),
  ];
}

/** Whether one of two paths contains the other. */
function overlap(one: string, other: string): boolean {
  const parts = (path: string): string[] => {
    const kept: string[] = [];
    for (const part of path.split('/')) {
      if (part === '..') kept.pop();
      else if (part !== '' && part !== '.') kept.push(part);
    }
    return kept;
  };
  const [here, there] = [parts(one), parts(other)];
  const shorter = Math.min(here.length, there.length);
  return here.slice(0, shorter).join('/') === there.slice(0, shorter).join('/');
}
