import * as z from 'zod';
import { RestoreHooksError } from '../errors.ts';
import { unknownFieldsOfDefaults } from '../model/known-fields.ts';
import { problemLine, problemsOf } from '../model/problem.ts';
import { API_VERSION, DEFAULTS_NAME, DNS_LABEL, IMAGE, IMAGE_NAME, SERVICE_ACCOUNT } from '../names.ts';
import { DEFAULT_IMAGE } from '../version.ts';
import { requirePatch } from './job.ts';
import type { JobPatch } from './job-patch.ts';

const NAMESPACE = 'expected the name of a namespace';
const LABEL = '[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?';
const name = (expected: string) => z.string(expected).regex(new RegExp(`^${LABEL}(\\.${LABEL})*$`), expected);

/** What a cluster's runs have in common, if no flag says otherwise (R8.23). */
export const Defaults = z.strictObject({
  apiVersion: z.literal(API_VERSION, `expected ${API_VERSION}`),
  kind: z.literal('RestoreHookDefaults', 'expected RestoreHookDefaults'),
  image: z.string(`expected ${IMAGE.expected}`).regex(IMAGE_NAME, `expected ${IMAGE.expected}`).optional(),
  imagePullSecrets: z.array(name('expected the name of a Secret'), 'expected a list of names of Secrets').optional(),
  serviceAccount: name('expected the name of a ServiceAccount').optional(),
  runNamespace: z.string(NAMESPACE).regex(DNS_LABEL, NAMESPACE).optional(),
  jobPatch: z.record(z.string(), z.unknown(), "expected an object in the Job's shape").optional(),
});
export type Defaults = z.infer<typeof Defaults>;

/** Read the document. `from`: where it was found. Throws `INVALID_INPUT` (R8.24). */
export function defaultsOf(document: unknown, from: string): Defaults {
  const parsed = Defaults.safeParse(document);
  if (!parsed.success) {
    // Of what concerns the whole, unknown fields are told with the nearest known name.
    const wrong = problemsOf(parsed.error).filter(({ path }) => path !== '');
    const problems = [...wrong, ...unknownFieldsOfDefaults(document)];
    const told = problems.length === 0 ? 'expected an object' : problems.map(problemLine).join('; ');
    throw new RestoreHooksError('INVALID_INPUT', `${from}: ${told}`, {
      hint: 'expected kind RestoreHookDefaults of restorehooks.io/v1: examples/defaults.yaml',
    });
  }
  const { jobPatch } = parsed.data;
  if (jobPatch !== undefined) requirePatch({ from: `${from}: jobPatch`, patch: jobPatch });
  return parsed.data;
}

/** How the defaults are called where they are told. */
export const DEFAULTS_SOURCE = `ConfigMap ${DEFAULTS_NAME}`;

/** What somebody who starts a run says of its Job. */
export interface JobFlags {
  readonly image: string | undefined;
  readonly imagePullSecret: readonly string[];
  readonly serviceAccount: string | undefined;
}

/** What the runner's Job is made with: the flags, else the namespace's defaults, else what is built in (R8.23). */
export interface JobSettings {
  readonly image: string;
  /** Where the image is named, if anywhere. */
  readonly imageFrom: string | undefined;
  readonly imagePullSecret: readonly string[];
  readonly serviceAccount: string;
  /** Of Restores that have had no run, if no flag names one (R8.83). */
  readonly defaultRunNamespace: string | undefined;
  /** One after the other: a later one beats an earlier one where both say something. */
  readonly patches: readonly JobPatch[];
}

export function jobSettings(
  flags: JobFlags,
  patches: readonly JobPatch[],
  defaults: Defaults | undefined,
): JobSettings {
  const { image, imagePullSecret, serviceAccount } = flags;
  const { jobPatch } = defaults ?? {};
  return {
    image: image ?? defaults?.image ?? DEFAULT_IMAGE,
    imageFrom: image === undefined ? defaults?.image && DEFAULTS_SOURCE : '--image',
    imagePullSecret: imagePullSecret.length > 0 ? imagePullSecret : (defaults?.imagePullSecrets ?? []),
    serviceAccount: serviceAccount ?? defaults?.serviceAccount ?? SERVICE_ACCOUNT,
    defaultRunNamespace: defaults?.runNamespace,
    patches: [...(jobPatch === undefined ? [] : [{ from: DEFAULTS_SOURCE, patch: jobPatch }]), ...patches],
  };
}
