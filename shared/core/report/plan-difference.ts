import * as z from 'zod';
import { API_VERSION } from '../names.ts';
import type { HookDocument } from '../plan/plan-document.ts';
import { RestoreReference } from '../plan/plan-document.ts';
import { ResultFields } from './run-document.ts';

const FieldChange = z.strictObject({
  field: z.string(),
  from: z.string().optional().describe('Absent: not set, or a command, which is never repeated here'),
  to: z.string().optional(),
});

const HookChange = z.strictObject({
  id: z.string(),
  change: z.enum(['new', 'gone', 'changed', 'unchanged']),
  fields: z.array(FieldChange).describe('What has changed'),
  kept: z
    .strictObject({ state: ResultFields.shape.state, reason: ResultFields.shape.reason, run: z.int() })
    .optional()
    .describe('Against the last run: the result that stands, so that apply would not run the hook again'),
});
export type HookChange = z.infer<typeof HookChange>;

/** `kind: RestoreHookPlanDifference`: what `plan --diff -o json` prints (R7.52). */
export const PlanDifference = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('RestoreHookPlanDifference'),
  restore: RestoreReference,
  digest: z.string().describe("Today's plan's"),
  against: z.strictObject({
    digest: z.string().optional(),
    runID: z.string().optional().describe('Absent: a saved plan, or there has been no run'),
  }),
  hooks: z.array(HookChange).describe('In plan order; those that are gone at the end'),
});
export type PlanDifference = z.infer<typeof PlanDifference>;

/** The values of a hook that can change while it keeps its id. A command's text stays out: it can hold a password. */
const FIELDS = [
  'podUID',
  'image',
  'containerDigest',
  'onError',
  'execTimeout',
  'waitTimeout',
  'waitForReady',
  'wave',
  'retry',
  'runOn',
  'controller',
  'nthEntry',
  'detach',
  'source',
  'origin',
  'injection',
  'never',
] as const;

/** What is new, gone, changed and unchanged in a plan. Hooks are told apart by their ids. */
export function hookChanges(before: readonly HookDocument[], after: readonly HookDocument[]): HookChange[] {
  const earlier = new Map(before.map((hook) => [hook.id, hook]));
  const now = new Set(after.map(({ id }) => id));
  const changes = after.map((hook): HookChange => {
    const old = earlier.get(hook.id);
    if (old === undefined) return { id: hook.id, change: 'new', fields: [] };
    const fields = changedFields(old, hook);
    return { id: hook.id, change: fields.length === 0 ? 'unchanged' : 'changed', fields };
  });
  const gone = before.filter(({ id }) => !now.has(id));
  return [...changes, ...gone.map(({ id }): HookChange => ({ id, change: 'gone', fields: [] }))];
}

function changedFields(before: HookDocument, after: HookDocument): HookChange['fields'] {
  const command = JSON.stringify(before.command) === JSON.stringify(after.command) ? [] : [{ field: 'command' }];
  const [old, now]: Readonly<Record<string, unknown>>[] = [before, after];
  const others = FIELDS.flatMap((field) => {
    const [from, to] = [textOf(old?.[field]), textOf(now?.[field])];
    if (from === to) return [];
    return [{ field, ...(from !== undefined && { from }), ...(to !== undefined && { to }) }];
  });
  return [...command, ...others];
}

/** Of `retry`: its values, one behind the other. */
const textOf = (value: unknown): string | undefined =>
  typeof value === 'object' && value !== null ? Object.values(value).join(' ') : value?.toString();
