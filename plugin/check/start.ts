import { randomUUID } from 'node:crypto';
import { RestoreHooksError } from '../../shared/core/errors.ts';
import { planDocument } from '../../shared/core/plan/make-plan-document.ts';
import type { RestoreReference } from '../../shared/core/plan/plan-document.ts';
import { missingRights } from '../../shared/kubernetes/api/access.ts';
import { kubeApiError } from '../../shared/kubernetes/api/api-error.ts';
import type { KubeObject } from '../../shared/kubernetes/api/kube-object.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import { newRunID } from '../../shared/kubernetes/run/claim.ts';
import { runManifests } from '../../shared/kubernetes/run/launch.ts';
import type { RunnerArguments } from '../command-line/apply-args.ts';
import type { Session } from '../command-line/session.ts';
import type { Found } from './checks.ts';
import { ok, problem, unchecked } from './checks.ts';

export type JobArguments = Pick<
  RunnerArguments,
  | 'image'
  | 'imagePullSecret'
  | 'serviceAccount'
  | 'patches'
  | 'maxConcurrent'
  | 'capture'
  | 'failOn'
  | 'keepRestorePhase'
  | 'onUnknown'
>;

/** Of a pod, what tells its containers and whether a mesh may add some. */
export interface RunnerPod {
  readonly metadata: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly containers: readonly { readonly name: string }[] };
}

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly [field: string]: unknown };
  readonly spec: { readonly template: RunnerPod };
}

/** The objects that a run would create, and the pod that the Job's controller would create of it. */
export function wouldBeCreated(restore: RestoreReference, args: JobArguments) {
  // Without a Restore the objects have an owner that doesn't exist; nothing is created, so nothing is collected.
  const owner = { ...restore, uid: restore.uid ?? randomUUID() };
  const runID = newRunID();
  const { image, imagePullSecret, serviceAccount, patches, ...options } = args;
  const job = {
    restore: owner,
    runID,
    image,
    imagePullSecrets: imagePullSecret,
    serviceAccount,
    options: { ...options, record: false },
    patches,
  };
  const plan = planDocument({ restore: owner, selector: { labelSelector: '' }, hooks: [], skipped: [], notices: [] });
  const manifests = runManifests({ version: 1, plan, kept: [], pods: [] }, job) as readonly Manifest[];
  const [secret, runner] = manifests;
  if (secret === undefined || runner === undefined) throw new Error('a run without a plan or a Job');
  const { template } = runner.spec;
  const { name, namespace } = runner.metadata;
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...template.metadata, name, namespace },
    spec: template.spec,
  };
  return { secret, job: runner, pod };
}

const RESOURCES = {
  secret: { path: paths.secrets, group: '', resource: 'secrets' },
  job: { path: paths.jobs, group: 'batch', resource: 'jobs' },
  pod: { path: paths.pods, group: '', resource: 'pods' },
} as const;

/**
 * Whether the API server would take an object: quotas, limits, PodSecurity, webhooks and policies are asked by a dry
 * run. PodSecurity refuses no Job, only the pod that is made of it.
 */
export async function dryRun(
  { client, namespace }: Session,
  what: keyof typeof RESOURCES,
  object: object,
  warned: readonly string[],
  taken: (answer: KubeObject) => void = () => undefined,
): Promise<Found> {
  const { path, group, resource } = RESOURCES[what];
  if ((await missingRights(client, [{ group, resource, verb: 'create', namespace }])).length > 0) {
    return unchecked(`you may not create ${resource} in namespace ${namespace}, so no dry run is possible`);
  }
  const before = warned.length;
  try {
    taken(await client.create(path(namespace), object, { dryRun: true, fieldValidation: 'Strict' }));
  } catch (error) {
    return refusal(what, error);
  }
  const warnings = warned.slice(before);
  return warnings.length === 0
    ? ok(`the API server would take the ${NAMES[what]}`)
    : { state: 'warning', message: `the API server would take the ${NAMES[what]}, and warns: ${warnings.join('; ')}` };
}

const NAMES = { secret: 'Secret with the plan', job: 'Job', pod: "runner's pod" } as const;

// The right is there, so it isn't the user's.
const DENIED =
  'correct what the message names: a quota, a limit, a policy, a webhook, the namespace or the ServiceAccount; ' +
  'or change the Job with --job-patch';

function refusal(what: keyof typeof RESOURCES, error: unknown): Found {
  if (!(error instanceof RestoreHooksError)) throw error;
  const answer = kubeApiError(error);
  if (answer === undefined) throw error;
  if (/does not support dry run/.test(answer.message)) {
    return unchecked(`a webhook can't tell without the object itself: ${answer.message}`);
  }
  // A webhook that doesn't answer is a 500: the object itself would be refused in the same way.
  const isWebhook = answer.status >= 500 && /webhook/.test(answer.message);
  if (error.code === 'CLUSTER_UNREACHABLE' && !isWebhook) throw error;
  return problem(`the API server would refuse the ${NAMES[what]}: ${answer.message}`, DENIED);
}
