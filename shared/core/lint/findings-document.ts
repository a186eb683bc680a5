import * as z from 'zod';

const count = z.int().min(0);
const position = z.int().min(1);

/** `lint -o json`. */
export const FindingsDocument = z.strictObject({
  apiVersion: z.literal('restorehooks.io/v1'),
  kind: z.literal('RestoreHookFindings'),
  /** Of the findings that are shown. */
  counts: z.strictObject({ error: count, warning: count, info: count }),
  findings: z.array(
    z.strictObject({
      /** The rule. */
      id: z.string(),
      severity: z.enum(['error', 'warning', 'info']),
      /** As it was given; of an object in the cluster its kind, namespace and name. */
      file: z.string(),
      line: position.optional(),
      column: position.optional(),
      /** Within the object. */
      path: z.string(),
      message: z.string(),
      reason: z.string(),
      fix: z.string(),
      /** Whether `--fix` mends it. */
      fixable: z.boolean(),
      page: z.string(),
    }),
  ),
  /** What no rule has looked at; absent where there is nothing of the kind. */
  passedOver: z
    .array(
      z.strictObject({
        file: z.string(),
        /** Such as `ConfigMap`, `Restore of k8up.io`. */
        what: z.string(),
        /** What to lint instead. */
        instead: z.string().optional(),
      }),
    )
    .optional(),
});
export type FindingsDocument = z.infer<typeof FindingsDocument>;
