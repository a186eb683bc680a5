import * as z from 'zod';
import { RestoreHooksError } from '../shared/core/errors.ts';
import type { JobFlags } from '../shared/core/manifests/defaults.ts';
import { requirePatch } from '../shared/core/manifests/job.ts';
import type { JobPatch } from '../shared/core/manifests/job-patch.ts';
import { parseDurationMs } from '../shared/core/model/duration.ts';
import { problemLine, problemsOf } from '../shared/core/model/problem.ts';
import type { HookEntrySpec } from '../shared/core/model/restore.ts';
import { API_VERSION } from '../shared/core/names.ts';
import { hooksOf } from '../shared/input/hooks.ts';
import type { RunnerConfig } from './config.ts';
import { runnerConfig } from './config.ts';

/** The options of `apply` that an event may have, in camel case. The command line's parser checks their values. */
const OPTIONS = [
  'sources',
  'only',
  'skip',
  'maxExecTimeout',
  'detach',
  'selector',
  'allNamespaces',
  'podNamespace',
  'rerun',
  'includeExisting',
  'recreatePods',
  'again',
  'force',
  'allowNoMatch',
  'keepRestorePhase',
  'maxConcurrent',
  'capture',
  'failOn',
  'onUnknown',
  'record',
  'deadline',
  'waitForRestore',
  'runNamespace',
] as const;
const Option = z.union([z.string(), z.number(), z.boolean(), z.array(z.string())], 'expected an option of apply');

const text = (expected: string) => z.string(expected).min(1, expected);
const Cluster = z.strictObject({
  // The characters that EKS allows: the name becomes part of a path and of a signed header.
  name: z
    .string('expected the name of an EKS cluster')
    .regex(/^[0-9A-Za-z][\w-]{0,99}$/, 'expected the name of an EKS cluster'),
  region: z.string('expected a region of AWS').regex(/^[a-z]{2,}(-[a-z]+)+-\d+$/, 'expected a region of AWS'),
  endpoint: z.url({ protocol: /^https$/, error: 'expected the https URL of the API server' }).optional(),
  certificateAuthority: z.base64('expected the CA certificate as EKS has it: PEM in base64').optional(),
});
export type LambdaCluster = z.infer<typeof Cluster>;

const Event = z.strictObject({
  restore: text('expected the name of a Restore'),
  namespace: text('expected a namespace').optional(),
  cluster: z.looseObject({}, 'expected name, region, endpoint, certificateAuthority').optional(),
  mode: z.enum(['run', 'job'], "expected 'run' or 'job'").default('run'),
  execution: text('expected a name that is the same for all calls of one execution').optional(),
  executionStart: z.iso
    .datetime({ offset: true, error: 'expected the time at which the execution began, as RFC 3339 has it' })
    .optional(),
  margin: z
    .string('expected a duration such as 1m')
    .default('1m')
    .transform((value, { addIssue }) => {
      const ms = parseDurationMs(value);
      if (ms !== undefined && ms > 0) return ms;
      addIssue('expected a duration such as 1m');
      return z.NEVER;
    }),
  hooks: z.array(z.unknown(), 'expected resources as in spec.hooks.resources').optional(),
  image: text('expected an image').optional(),
  imagePullSecrets: z.array(z.string()).default([]),
  serviceAccount: text('expected a ServiceAccount').optional(),
  jobPatch: z.record(z.string(), z.unknown(), "expected an object in the Job's shape").optional(),
  ...(Object.fromEntries(OPTIONS.map((name) => [name, Option.optional()])) as Record<
    (typeof OPTIONS)[number],
    z.ZodOptional<typeof Option>
  >),
});

/** What one call of the function is asked to do. */
export interface LambdaCall extends Pick<z.infer<typeof Event>, 'mode' | 'execution' | 'executionStart' | 'margin'> {
  /** What the event says of the Job of `mode: job`. */
  readonly job: JobFlags & { readonly patches: readonly JobPatch[] };
  readonly config: RunnerConfig;
  readonly hookFiles: readonly HookEntrySpec[] | undefined;
  readonly cluster: LambdaCluster;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Read an event. Throws one `INVALID_ARGUMENT` that names everything that is wrong with it. */
export function lambdaCall(event: unknown, env: Env): LambdaCall {
  const { restore, namespace, cluster, hooks, ...rest } = parse(Event, event, 'the event');
  const options = OPTIONS.flatMap((name) => argumentsOf(name, rest[name]));
  const config = runnerConfig([...options, ...(namespace ? [`--namespace=${namespace}`] : []), '--', restore], env);
  if (config.again && rest.execution === undefined) {
    throw new RestoreHooksError('INVALID_ARGUMENT', "the event: 'again' needs 'execution'", {
      hint: 'without execution, each retry of the same call would start over',
    });
  }
  const { mode, execution, executionStart, margin, image, imagePullSecrets, serviceAccount, jobPatch } = rest;
  const patches = jobPatch === undefined ? [] : [{ from: "the event's jobPatch", patch: jobPatch }];
  patches.forEach(requirePatch);
  return {
    config,
    hookFiles:
      hooks &&
      hooksOf({ apiVersion: API_VERSION, kind: 'RestoreHooks', spec: { resources: hooks } }, "the event's hooks"),
    cluster: parse(Cluster, { region: env['AWS_REGION'], ...(cluster ?? clusterOf(env)) }, 'the cluster'),
    mode,
    execution,
    executionStart,
    margin,
    job: { image, imagePullSecret: imagePullSecrets, serviceAccount, patches },
  };
}

const clusterOf = (env: Env) => ({
  name: env['EKS_CLUSTER_NAME'],
  ...(env['EKS_CLUSTER_REGION'] && { region: env['EKS_CLUSTER_REGION'] }),
  ...(env['EKS_CLUSTER_ENDPOINT'] && { endpoint: env['EKS_CLUSTER_ENDPOINT'] }),
  ...(env['EKS_CLUSTER_CA'] && { certificateAuthority: env['EKS_CLUSTER_CA'] }),
});

function argumentsOf(name: string, value: z.infer<typeof Option> | undefined): string[] {
  const option = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  if (value === undefined || value === false) return [];
  if (value === true) return [option];
  return [value].flat().map((each) => `${option}=${each}`);
}

function parse<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = problemsOf(parsed.error).slice(0, 5).map(problemLine).join('; ');
  throw new RestoreHooksError('INVALID_ARGUMENT', `${what}: ${problems}`, { hint: 'docs/lambda.md has an example' });
}
