import * as z from 'zod';

const count = z.int().min(0);
const position = z.int().min(1);

/** The document of `lint -o json`. */
export const FindingsDocument = z.strictObject({
  apiVersion: z.literal('restorehooks.io/v1'),
  kind: z.literal('RestoreHookFindings'),
  /** The numbers of the findings that are shown. */
  counts: z.strictObject({ error: count, warning: count, info: count }),
  findings: z.array(
    z.strictObject({
      /** The id of the rule. */
      id: z.string(),
      severity: z.enum(['error', 'warning', 'info']),
      /** The file's name as it was given; for an object in the cluster its kind, namespace and name. */
      file: z.string(),
      line: position.optional(),
      column: position.optional(),
      /** The path within the object. */
      path: z.string(),
      message: z.string(),
      reason: z.string(),
      fix: z.string(),
      /** Whether `--fix` corrects it. */
      fixable: z.boolean(),
      page: z.string(),
    }),
  ),
  /** Objects that no rule has checked; absent if there are none. */
  passedOver: z
    .array(
      z.strictObject({
        file: z.string(),
        /** Such as `ConfigMap`, `Restore of k8up.io`. */
        what: z.string(),
        /** What to check instead. */
        instead: z.string().optional(),
      }),
    )
    .optional(),
});
export type FindingsDocument = z.infer<typeof FindingsDocument>;
