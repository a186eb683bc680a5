import * as z from 'zod';
import { API_VERSION } from '../names.ts';
import { PlanDocument, RestoreReference } from './plan-document.ts';

const source = z.enum(['annotation', 'file', 'spec']);
const origin = z.enum(['restorehooks', 'velero']);
const field = z
  .string()
  .describe("The path of a field, as spec.hooks.resources[0].postHooks[0], or an annotation's key");

const Check = z.strictObject({
  field,
  value: z.string().describe('What stands there: a pattern, a list of patterns, a label, an expression'),
  pod: z.string().optional().describe("What the pod has: its namespace, or the label's value. Absent: no such label"),
  admits: z.boolean(),
});

const Value = z.strictObject({
  name: z
    .string()
    .describe(
      'container, onError, execTimeout, waitTimeout, waitForReady; if set: wave, retry.attempts, retry.delay, retry.maxDelay, runOn, detach; of an init hook: container, image, timeout',
    ),
  value: z.string().optional().describe('Absent: no limit'),
  from: z.enum(['annotation', 'file', 'spec', 'default', 'flag']),
  field: field.optional().describe('Where it is written: also a flag, as --max-exec-timeout'),
});

const HookExplanation = z.strictObject({
  index: z.int().describe("Position in the entry's postHooks"),
  field,
  outcome: z
    .enum([
      'planned',
      'entry-does-not-apply',
      'hidden',
      'velero-has-run',
      'runs-in-another-pod',
      'not-in-only',
      'pod-left-out',
      'no-container',
    ])
    .describe('planned: it is in the plan; all others say why it is not; not-in-only: --only or --skip leaves it out'),
  runsIn: z.string().optional().describe('The pod that runOn has chosen instead, as namespace/pod'),
  planned: z
    .array(
      z.strictObject({
        id: z.string(),
        never: z.string().optional().describe('Why it can never run'),
        values: z.array(Value),
      }),
    )
    .describe('The hooks of the plan that it has become: of an init hook one for each container'),
});

const EntryExplanation = z.strictObject({
  name: z.string(),
  field,
  applies: z.boolean(),
  checks: z.array(Check).describe('What its filters say about the pod. Empty: it has none, and applies to every pod'),
  hooks: z.array(HookExplanation),
});

const SourceExplanation = z.strictObject({
  source,
  origin,
  outcome: z.enum(['applies', 'hidden', 'velero-has-run', 'no-hook', 'not-given', 'not-read']),
  message: z.string(),
  entries: z.array(EntryExplanation),
});

const PodExplanation = z.strictObject({
  namespace: z.string(),
  pod: z.string(),
  podUID: z.string().optional(),
  leftOut: z
    .strictObject({
      code: z.string().describe('A notice, the reason of a skipped pod, or why the pod was not selected'),
      message: z.string(),
      instead: z.array(z.string()).optional().describe('Similar pods that are in the plan, as namespace/pod'),
    })
    .optional()
    .describe('Why the pod takes no part. Its sources then say what they would give it'),
  planned: z.array(z.string()).describe('The ids of its hooks in the plan'),
  init: z.array(SourceExplanation),
  exec: z.array(SourceExplanation),
  notices: PlanDocument.shape.notices,
});

/** `kind: RestoreHookExplanation`: what `plan --explain -o json` prints (R7.2, R7.22). */
export const ExplanationDocument = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('RestoreHookExplanation'),
  restore: RestoreReference,
  selector: PlanDocument.shape.selector,
  digest: z.string().describe('Of the plan that is explained'),
  pods: z.array(PodExplanation),
  notices: PlanDocument.shape.notices.describe('Those that are about no pod'),
});
export type ExplanationDocument = z.infer<typeof ExplanationDocument>;
export type PodExplanation = z.infer<typeof PodExplanation>;
export type SourceExplanation = z.infer<typeof SourceExplanation>;
export type EntryExplanation = z.infer<typeof EntryExplanation>;
export type HookExplanation = z.infer<typeof HookExplanation>;
export type ValueExplanation = z.infer<typeof Value>;
export type Check = z.infer<typeof Check>;
