import * as z from 'zod';

/** What `check` looks at, in the order in which it is shown. docs/check.md explains each. */
export type CheckId =
  | 'kubernetes'
  | 'defaults'
  | 'runner-image'
  | 'image-pull'
  | 'velero'
  | 'velero-restores'
  | 'backup-storage'
  | 'runner-rights'
  | 'your-rights'
  | 'dry-run-secret'
  | 'dry-run-job'
  | 'dry-run-pod'
  | 'sidecars'
  | 'restore'
  | 'earlier-runs'
  | 'lease'
  | 'plan';

/** `unchecked`: it can't be known, or the user may not look. Only `problem` keeps a run from starting. */
const State = z.enum(['ok', 'warning', 'problem', 'unchecked']);
export type CheckState = z.infer<typeof State>;

/** The document of `check -o json` (R7.35). */
export const CheckDocument = z.strictObject({
  apiVersion: z.literal('restorehooks.io/v1'),
  kind: z.literal('RestoreHookCheck'),
  /** Of the Restores; `name` is absent if no Restore was given. */
  restore: z.strictObject({ namespace: z.string(), name: z.string().optional() }),
  /** Whether no check has found a problem. */
  canStart: z.boolean(),
  counts: z.strictObject({ ok: z.int(), warning: z.int(), problem: z.int(), unchecked: z.int() }),
  checks: z.array(
    z.strictObject({
      id: z.string(),
      state: State,
      message: z.string(),
      /** One sentence, mostly with the command to type. */
      whatToDo: z.string().optional(),
    }),
  ),
});
export type CheckDocument = z.infer<typeof CheckDocument>;
