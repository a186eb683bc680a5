import * as z from 'zod/mini';
import { once } from '../once.ts';
import { formatDuration, parseDurationMs } from './duration.ts';
import { compileGlob } from './glob.ts';
import type { RunOn } from './hook.ts';
import { unknownFieldsOfHooks } from './known-fields.ts';
import { LabelSelector, labelSelectorProblems } from './label-selector.ts';
import type { Parsed, Problem } from './problem.ts';
import { problemsOf } from './problem.ts';
import { boolean, list, orEmpty, rare, string, stringMap, strings, text } from './schema.ts';

const DURATION_EXPECTED = 'expected a duration as Go writes it, such as "30s" or "1m30s"'; // R1.8

/** A `metav1.Duration`, in milliseconds; null and absent are undefined. */
const Duration = z.pipe(
  z.nullish(z.string(DURATION_EXPECTED)),
  z.transform((text, { issues }) => {
    if (text === null || text === undefined) return undefined;
    const ms = parseDurationMs(text);
    if (ms !== undefined) return ms;
    issues.push({ code: 'custom', input: text, message: DURATION_EXPECTED });
    return z.NEVER;
  }),
);

export const ExecRestoreHook = z.object({
  container: string,
  command: strings,
  onError: string,
  execTimeout: Duration,
  waitTimeout: Duration,
  waitForReady: boolean,
});
export type ExecRestoreHook = z.infer<typeof ExecRestoreHook>;

const labelSelector = rare(LabelSelector, undefined);

const InitRestoreHook = rare(
  () =>
    z.object({
      /** Whole containers, kept as they were written. */
      initContainers: list(z.unknown()),
      timeout: Duration,
    }),
  undefined,
);

export const RestoreResourceHookSpec = z.object({
  name: z.pipe(
    string,
    z.transform((name) => name ?? ''),
  ),
  includedNamespaces: strings,
  excludedNamespaces: strings,
  includedResources: strings,
  excludedResources: strings,
  labelSelector,
  postHooks: list(z.object({ exec: z.nullish(ExecRestoreHook), init: InitRestoreHook })),
});
export type RestoreResourceHookSpec = z.infer<typeof RestoreResourceHookSpec>;

/** As it is written: what is left open has a default. */
const RetrySpec = once(() => {
  const delay = z.pipe(
    Duration,
    z.transform((ms, { issues }) => {
      if (ms === undefined || ms > 0) return ms;
      issues.push({ code: 'custom', input: ms, message: 'expected a duration above 0, such as "2s"' });
      return z.NEVER;
    }),
  );
  const attempts = 'expected a whole number from 1 to 100';
  return z
    .object({
      attempts: z.nullish(z.int(attempts).check(z.gte(1, attempts), z.lte(100, attempts))),
      delay,
      maxDelay: delay,
    })
    .check(({ value, issues }) => {
      const { delay: first = 0, maxDelay: most = Number.POSITIVE_INFINITY } = value;
      if (first <= most) return;
      const message = `expected no more than maxDelay, ${formatDuration(most)}`;
      issues.push({ code: 'custom', input: first, path: ['delay'], message });
    });
});
export type RetrySpec = z.infer<ReturnType<typeof RetrySpec>>;

/** An exec hook. A Restore, and Velero's annotations, have nothing but Velero's fields. */
export type ExecHookSpec = ExecRestoreHook & {
  readonly wave?: number | null | undefined;
  readonly retry?: RetrySpec | undefined;
  readonly detach?: boolean | null | undefined;
};
/** An entry of a Restore or of a `--hooks` file; of a file with where it stands: `hooks.yaml:1 spec.resources[0]`. */
export type HookEntrySpec = Omit<RestoreResourceHookSpec, 'postHooks'> & {
  readonly postHooks: readonly {
    readonly exec?: ExecHookSpec | null | undefined;
    readonly init?: RestoreResourceHookSpec['postHooks'][number]['init'];
  }[];
  readonly wave?: number | null | undefined;
  readonly runOn?: 'all' | RunOn | null | undefined;
  readonly place?: string;
};

/** How an entry is limited to some of the pods that it selects; undefined where it runs in all (R3.60). */
export const runOnOf = ({ runOn }: { readonly runOn?: 'all' | RunOn | null | undefined }): RunOn | undefined =>
  runOn && runOn !== 'all' ? runOn : undefined;

const hooks = z.object({ resources: list(RestoreResourceHookSpec) });

const RestoreSpec = z.object({
  backupName: string,
  includedNamespaces: strings,
  excludedNamespaces: strings,
  includedResources: strings,
  excludedResources: strings,
  labelSelector,
  orLabelSelectors: rare(() => z.array(LabelSelector()), []),
  namespaceMapping: stringMap,
  existingResourcePolicy: string,
  itemOperationTimeout: Duration,
  resourceModifier: rare(() => z.object({ kind: string, name: string }), undefined),
  hooks: z.pipe(orEmpty, hooks),
});

/** The fields of a Velero Restore that we read. */
export const Restore = z.object({
  metadata: z.object({
    name: z.string().check(z.minLength(1, 'expected a name')),
    namespace: string,
    uid: string,
    resourceVersion: string,
    creationTimestamp: string,
    deletionTimestamp: string,
    annotations: stringMap,
  }),
  spec: z.pipe(orEmpty, RestoreSpec),
  status: rare(
    () =>
      z.object({
        phase: string,
        startTimestamp: string,
        completionTimestamp: string,
        validationErrors: strings,
        failureReason: string,
        hookStatus: z.nullish(z.object({ hooksAttempted: z.nullish(z.number()), hooksFailed: z.nullish(z.number()) })),
      }),
    undefined,
  ),
});
export type Restore = z.infer<typeof Restore>;

/** A `--hooks` file: what a Restore has, and what only we know (R3.40, R3.50, R3.60). */
export const RestoreHooks = once(() => {
  const exec = z.extend(ExecRestoreHook, { retry: rare(RetrySpec, undefined), detach: boolean });
  const entry = z
    .extend(RestoreResourceHookSpec, {
      wave: z.nullish(z.int('expected a whole number, such as 1 or -1')),
      runOn: z.nullish(z.enum(['all', 'one', 'one-per-controller'], 'expected all, one or one-per-controller')),
      postHooks: list(z.object({ exec: z.nullish(exec), init: InitRestoreHook })),
    })
    .check(({ value: { postHooks, ...rest }, issues }) => {
      // An init container that was to run once must not run in all pods without a word.
      const runOn = runOnOf(rest);
      if (runOn === undefined || postHooks.every(({ init }) => init === undefined)) return;
      const message = 'expected no init hook beside it: that runs in each pod; give it an entry of its own'; // R3.60
      issues.push({ code: 'custom', input: runOn, path: ['runOn'], message });
    });
  return z.object({
    apiVersion: z.literal('restorehooks.io/v1'),
    kind: z.literal('RestoreHooks'),
    spec: z.object({ resources: list(entry) }),
  });
});
export type RestoreHooks = z.infer<ReturnType<typeof RestoreHooks>>;

export function parseRestore(object: unknown): Parsed<Restore> {
  const parsed = Restore.safeParse(object);
  if (!parsed.success) return { ok: false, problems: problemsOf(parsed.error) };
  const { spec } = parsed.data;
  const problems = [...patternProblems(spec, 'spec'), ...hookProblems(spec.hooks.resources, 'spec.hooks.resources')];
  for (const [index, selector] of [spec.labelSelector, ...spec.orLabelSelectors].entries()) {
    if (!selector) continue;
    const at = index === 0 ? 'spec.labelSelector' : `spec.orLabelSelectors[${index - 1}]`;
    problems.push(...selectorProblems(selector, at));
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: parsed.data };
}

export function parseRestoreHooks(object: unknown): Parsed<RestoreHooks> {
  const parsed = RestoreHooks().safeParse(object);
  // Of another kind no field is known: that it is of another kind is what there is to say.
  if (!parsed.success) return { ok: false, problems: [...problemsOf(parsed.error), ...unknownIfOurs(object)] };
  const problems = [...unknownFieldsOfHooks(object), ...hookProblems(parsed.data.spec.resources, 'spec.resources')];
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: parsed.data };
}

const unknownIfOurs = (object: unknown): Problem[] =>
  (object as { kind?: unknown } | null)?.kind === 'RestoreHooks' ? unknownFieldsOfHooks(object) : [];

/** What Velero refuses a Restore for, and patterns that it can't read. */
function hookProblems(entries: readonly HookEntrySpec[], at: string): Problem[] {
  const problems: Problem[] = [];
  for (const [index, entry] of entries.entries()) {
    problems.push(...patternProblems(entry, `${at}[${index}]`));
    if (entry.labelSelector) {
      problems.push(...selectorProblems(entry.labelSelector, `${at}[${index}].labelSelector`));
    }
    for (const [hookIndex, { init }] of entry.postHooks.entries()) {
      for (const [containerIndex, container] of (init?.initContainers ?? []).entries()) {
        const path = `${at}[${index}].postHooks[${hookIndex}].init.initContainers[${containerIndex}]`;
        const parsed = InitContainer().safeParse(container); // R2.4
        if (parsed.success) continue;
        for (const { path: below, message } of problemsOf(parsed.error)) {
          problems.push({ code: 'validation-error', path: below === '' ? path : `${path}.${below}`, message });
        }
      }
    }
  }
  return problems;
}

const PATTERN_LISTS = ['includedNamespaces', 'excludedNamespaces', 'includedResources', 'excludedResources'] as const;

/** Velero doesn't refuse these: it reads no name of the list that sorts after one, without a word (R1.12). */
function patternProblems(filters: Readonly<Record<(typeof PATTERN_LISTS)[number], string[]>>, at: string): Problem[] {
  return PATTERN_LISTS.flatMap((list) =>
    filters[list].flatMap((pattern, index) =>
      compileGlob(pattern) === undefined
        ? [{ code: 'validation-error', path: `${at}.${list}[${index}]`, message: PATTERN_EXPECTED }]
        : [],
    ),
  );
}
const PATTERN_EXPECTED =
  'expected a name or a pattern; Velero can not compile this one, and does not look at the names that sort after it ' +
  '(brackets hold one range, [a-z], or characters, [abc])';

const nonEmpty = (expected: string) => z.string(expected).check(z.minLength(1, expected));
const InitContainer = once(() =>
  z.looseObject({
    name: nonEmpty('expected a container name'),
    image: nonEmpty('expected an image'),
    command: z.array(text, 'expected a command').check(z.minLength(1, 'expected a command that is not empty')),
  }),
);
/** One that is injected: what makes it valid, and whatever else it has. From annotations it may have no command. */
export interface InitContainer {
  readonly name: string;
  readonly image: string;
  readonly command?: readonly string[];
  readonly [field: string]: unknown;
}

function selectorProblems(selector: LabelSelector, at: string): Problem[] {
  return labelSelectorProblems(selector).map(({ path, expected }) => ({
    code: 'validation-error',
    path: `${at}.${path}`,
    message: `expected ${expected}`,
  }));
}
