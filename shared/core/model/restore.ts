import * as z from 'zod';
import { parseDurationMs } from './duration.ts';
import { LabelSelector, labelSelectorProblems } from './label-selector.ts';
import type { Parsed, Problem } from './problem.ts';
import { problemsOf } from './problem.ts';

const strings = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? []);
const stringMap = z
  .record(z.string(), z.string())
  .nullish()
  .transform((map) => map ?? {});

/** A `metav1.Duration`, in milliseconds; null and absent are undefined. */
const Duration = z
  .string('expected a duration as Go writes it, such as "30s" or "1m30s"')
  .nullish()
  .transform((text, context) => {
    if (text === null || text === undefined) return undefined;
    const ms = parseDurationMs(text);
    if (ms !== undefined) return ms;
    context.addIssue({ code: 'custom', message: 'expected a duration as Go writes it, such as "30s" or "1m30s"' });
    return z.NEVER;
  });

export const ExecRestoreHook = z.object({
  container: z.string().nullish(),
  command: strings,
  onError: z.string().nullish(),
  execTimeout: Duration,
  waitTimeout: Duration,
  waitForReady: z.boolean().nullish(),
});
export type ExecRestoreHook = z.infer<typeof ExecRestoreHook>;

export const InitRestoreHook = z.object({
  /** Whole containers, kept as they were written. */
  initContainers: z
    .array(z.unknown())
    .nullish()
    .transform((list) => list ?? []),
  timeout: Duration,
});

export const RestoreResourceHookSpec = z.object({
  name: z
    .string()
    .nullish()
    .transform((name) => name ?? ''),
  includedNamespaces: strings,
  excludedNamespaces: strings,
  includedResources: strings,
  excludedResources: strings,
  labelSelector: LabelSelector.nullish(),
  postHooks: z
    .array(z.object({ exec: ExecRestoreHook.nullish(), init: InitRestoreHook.nullish() }))
    .nullish()
    .transform((list) => list ?? []),
});
export type RestoreResourceHookSpec = z.infer<typeof RestoreResourceHookSpec>;

const resources = z
  .array(RestoreResourceHookSpec)
  .nullish()
  .transform((list) => list ?? []);

const RestoreSpec = z.object({
  backupName: z.string().nullish(),
  includedNamespaces: strings,
  excludedNamespaces: strings,
  includedResources: strings,
  excludedResources: strings,
  labelSelector: LabelSelector.nullish(),
  orLabelSelectors: z
    .array(LabelSelector)
    .nullish()
    .transform((list) => list ?? []),
  namespaceMapping: stringMap,
  hooks: z
    .object({ resources })
    .nullish()
    .transform((hooks) => hooks ?? { resources: [] }),
});

/** The fields of a Velero Restore that we read. */
export const Restore = z.object({
  metadata: z.object({
    name: z.string().min(1, 'expected a name'),
    namespace: z.string().nullish(),
    uid: z.string().nullish(),
    resourceVersion: z.string().nullish(),
    deletionTimestamp: z.string().nullish(),
    annotations: stringMap,
  }),
  spec: z
    .unknown()
    .transform((spec) => spec ?? {})
    .pipe(RestoreSpec),
  status: z
    .object({
      phase: z.string().nullish(),
      startTimestamp: z.string().nullish(),
      hookStatus: z.object({ hooksAttempted: z.number().nullish() }).nullish(),
    })
    .nullish(),
});
export type Restore = z.infer<typeof Restore>;

/** A `--hooks` file. */
export const RestoreHooks = z.object({
  apiVersion: z.literal('restorehooks.io/v1'),
  kind: z.literal('RestoreHooks'),
  spec: z.object({ resources }),
});
export type RestoreHooks = z.infer<typeof RestoreHooks>;

export function parseRestore(object: unknown): Parsed<Restore> {
  const parsed = Restore.safeParse(object);
  if (!parsed.success) return { ok: false, problems: problemsOf(parsed.error) };
  const { spec } = parsed.data;
  const problems = hookProblems(spec.hooks.resources, 'spec.hooks.resources');
  for (const [index, selector] of [spec.labelSelector, ...spec.orLabelSelectors].entries()) {
    if (!selector) continue;
    const at = index === 0 ? 'spec.labelSelector' : `spec.orLabelSelectors[${index - 1}]`;
    problems.push(...selectorProblems(selector, at));
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: parsed.data };
}

export function parseRestoreHooks(object: unknown): Parsed<RestoreHooks> {
  const parsed = RestoreHooks.safeParse(object);
  if (!parsed.success) return { ok: false, problems: problemsOf(parsed.error) };
  const problems = hookProblems(parsed.data.spec.resources, 'spec.resources');
  return problems.length > 0 ? { ok: false, problems } : { ok: true, value: parsed.data };
}

/** What Velero's own validation refuses a Restore for: label selectors, and init containers that can't be. */
function hookProblems(entries: readonly RestoreResourceHookSpec[], at: string): Problem[] {
  const problems: Problem[] = [];
  for (const [index, entry] of entries.entries()) {
    if (entry.labelSelector) {
      problems.push(...selectorProblems(entry.labelSelector, `${at}[${index}].labelSelector`));
    }
    for (const [hookIndex, { init }] of entry.postHooks.entries()) {
      for (const [containerIndex, container] of (init?.initContainers ?? []).entries()) {
        const path = `${at}[${index}].postHooks[${hookIndex}].init.initContainers[${containerIndex}]`;
        const parsed = InitContainer.safeParse(container);
        if (parsed.success) continue;
        for (const { path: below, message } of problemsOf(parsed.error)) {
          problems.push({ code: 'validation-error', path: below === '' ? path : `${path}.${below}`, message });
        }
      }
    }
  }
  return problems;
}

const InitContainer = z.looseObject({
  name: z.string('expected a container name').min(1, 'expected a container name'),
  image: z.string('expected an image').min(1, 'expected an image'),
  command: z.array(z.string(), 'expected a command').min(1, 'expected a command that is not empty'),
});

function selectorProblems(selector: LabelSelector, at: string): Problem[] {
  return labelSelectorProblems(selector).map(({ path, expected }) => ({
    code: 'validation-error',
    path: `${at}.${path}`,
    message: `expected ${expected}`,
  }));
}
