import * as z from 'zod';
import { API_VERSION } from '../names.ts';

const duration = z.string().describe('As Go prints a duration: 1m30s. Absent: no limit.'); // R7.23
const timeoutFrom = z.enum(['annotation', 'spec', 'file', 'default']);

const hookBase = {
  id: z.string().describe('<namespace>/<pod>/<container>/<name>/<index>, the same from plan to plan'),
  namespace: z.string(),
  pod: z.string(),
  podUID: z.string().optional().describe('Absent: the pod is not in the cluster yet'),
  container: z.string(),
  source: z.enum(['annotation', 'spec', 'file']),
  origin: z.enum(['velero', 'restorehooks']),
  name: z.string(),
  index: z.int().describe("Position in the entry's postHooks, hooks of both kinds counted"),
  waitTimeout: duration.optional(),
  waitTimeoutFrom: timeoutFrom,
  never: z.enum(['no-such-container', 'empty-command', 'not-injected']).optional().describe('Why it can never run'),
};

const ExecHookDocument = z.strictObject({
  ...hookBase,
  kind: z.literal('exec'),
  command: z.array(z.string()),
  onError: z.enum(['Continue', 'Fail']),
  execTimeout: duration.optional(),
  execTimeoutFrom: z.enum([...timeoutFrom.options, 'flag']).describe('flag: capped by --max-exec-timeout'),
  waitForReady: z.boolean(),
  wave: z.int().optional().describe('It starts when every hook of every lower wave has ended. Absent: 0'),
  retry: z
    .strictObject({
      attempts: z.int().describe('How many starts there may be in one run'),
      delay: z.string().describe('Before the second start; it doubles with each further one'),
      maxDelay: z.string(),
    })
    .optional()
    .describe('Absent: it is started once'),
  runOn: z
    .enum(['one', 'one-per-controller'])
    .optional()
    .describe('Of the pods that its entry selects, this one was chosen. Absent: it runs in all of them'),
  controller: z.string().optional().describe('Of one-per-controller: what the pod belongs to, as namespace/kind/name'),
  nthEntry: z
    .int()
    .optional()
    .describe('Of several entries with runOn and the same name, which one, counted from 1. Absent: the first'),
  detach: z.literal(true).optional().describe('Its command outlives the connection that starts it'),
});

const InitHookDocument = z.strictObject({
  ...hookBase,
  kind: z.literal('init'),
  image: z.string(),
  command: z.array(z.string()).optional().describe("Absent: the image's own"),
  containerDigest: z.string().optional().describe('SHA-256 of the whole container, where there is more to it'),
  injection: z
    .enum(['found', 'create', 'recreate'])
    .optional()
    .describe('Its pod has it, or is created with it, or deleted and created anew with it'),
});

/** One hook of a plan, as documents hold it. */
export const HookDocument = z.discriminatedUnion('kind', [ExecHookDocument, InitHookDocument]);
export type HookDocument = z.infer<typeof HookDocument>;

/** The same with fields added. */
export const hookDocumentWith = <Fields extends z.ZodRawShape>(fields: Fields) =>
  z.discriminatedUnion('kind', [ExecHookDocument.extend(fields), InitHookDocument.extend(fields)]);

export const RestoreReference = z.strictObject({
  namespace: z.string(),
  name: z.string(),
  uid: z.string().optional(),
  backup: z.string().optional(),
  runNamespace: z.string().optional().describe("Where its runs' objects are. Absent: beside the Restore"),
});
export type RestoreReference = z.infer<typeof RestoreReference>;

/** `kind: RestoreHookPlan` (R7.22). */
export const PlanDocument = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal('RestoreHookPlan'),
  restore: RestoreReference,
  selector: z.strictObject({ labelSelector: z.string(), namespaces: z.array(z.string()).optional() }),
  digest: z.string().describe('SHA-256 over the canonical JSON of restore{namespace,name,uid} and hooks[]'),
  hooks: z.array(HookDocument),
  skipped: z.array(z.strictObject({ namespace: z.string(), pod: z.string(), reason: z.string() })),
  notices: z.array(
    z.strictObject({
      code: z.string(),
      namespace: z.string().optional(),
      pod: z.string().optional(),
      message: z.string(),
    }),
  ),
});
export type PlanDocument = z.infer<typeof PlanDocument>;
