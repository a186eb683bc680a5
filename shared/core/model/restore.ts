import * as z from 'zod/mini';
import { once } from '../once.ts';
import { parseDurationMs } from './duration.ts';
import { compileGlob } from './glob.ts';
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
/** An entry of a `--hooks` file, with where it stands: `hooks.yaml:1 spec.resources[0]`. */
export type HookEntrySpec = RestoreResourceHookSpec & { readonly place?: string };

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
        hookStatus: z.nullish(z.object({ hooksAttempted: z.nullish(z.number()) })),
      }),
    undefined,
  ),
});
export type Restore = z.infer<typeof Restore>;

/** A `--hooks` file. */
export const RestoreHooks = once(() =>
  z.object({
    apiVersion: z.literal('restorehooks.io/v1'),
    kind: z.literal('RestoreHooks'),
    spec: hooks,
  }),
);
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
function hookProblems(entries: readonly RestoreResourceHookSpec[], at: string): Problem[] {
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
