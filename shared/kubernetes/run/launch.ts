import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { RestoreHooksError } from '../../core/errors.ts';
import type { RunnerJob } from '../../core/manifests/job.ts';
import { planSecret, runnerJob } from '../../core/manifests/job.ts';
import type { JobPatch } from '../../core/manifests/job-patch.ts';
import type { Payload } from '../../core/report/payload.ts';
import { kubeApiError } from '../api/api-error.ts';
import type { KubeClient } from '../api/client.ts';
import type { KubeObject } from '../api/kube-object.ts';
import { paths } from '../api/paths.ts';
import { compress, cut } from './compressed-parts.ts';
import type { NamedRun } from './mark-ended.ts';
import { jobExists, markFailed } from './mark-ended.ts';

/** A larger plan is refused before anything is created (R8.3). */
const PLAN_LIMIT_BYTES = 16 * 1024 * 1024;
/** How often a creation without an answer is tried. */
const TRIES = 3;
const RETRY_MS = 500;

/** The objects of a run, in the order in which they are created: its plan Secrets, then its Job (R8.2). */
export function runManifests(payload: Payload, job: Omit<RunnerJob, 'planParts'>): object[] {
  const bytes = compress(payload);
  if (bytes.length > PLAN_LIMIT_BYTES) {
    const size = Math.ceil(bytes.length / 1024 / 1024);
    throw new RestoreHooksError('INVALID_INPUT', `the plan is ${size} MiB compressed; a run takes at most 16 MiB`, {
      hint: 'run it in pieces, with --only POD',
    });
  }
  const pieces = cut(bytes);
  const secrets = pieces.map((piece, part) => planSecret(job.restore, job.runID, part, piece.toString('base64')));
  return [...secrets, runnerJob({ ...job, planParts: pieces.length })];
}

type LaunchClient = Pick<KubeClient, 'get' | 'create' | 'patch' | 'delete'>;

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
}

const manifestPath = (namespace: string, { kind, metadata }: Manifest, name?: string): string =>
  (kind === 'Secret' ? paths.secrets : paths.jobs)(namespace, name && metadata.name);

/** Have the API server check a run's objects in a dry run; nothing is created (R7.5). */
export async function checkRunObjects(
  client: Pick<KubeClient, 'create'>,
  namespace: string,
  manifests: readonly object[],
): Promise<void> {
  for (const manifest of manifests as readonly Manifest[]) {
    await client.create(manifestPath(namespace, manifest), manifest, { dryRun: true });
  }
}

/**
 * Have the API server look at the Job that patches have made: it alone knows all fields and their values. A mistake is
 * the patch's, and is found before anything is created (R8.22).
 */
export async function checkPatchedJob(
  client: Pick<KubeClient, 'create'>,
  namespace: string,
  manifests: readonly object[],
  patches: readonly JobPatch[],
): Promise<void> {
  const job = (manifests as readonly Manifest[]).find(({ kind }) => kind === 'Job');
  if (patches.length === 0 || job === undefined) return;
  try {
    await client.create(manifestPath(namespace, job), job, { dryRun: true, fieldValidation: 'Strict' });
  } catch (error) {
    const answer = kubeApiError(error);
    const isMistake = answer?.status === 400 || answer?.status === 422;
    if (!isMistake || !(error instanceof RestoreHooksError) || /dry run/i.test(answer.message)) throw error;
    const from = patches.map((patch) => patch.from).join(', ');
    throw new RestoreHooksError('INVALID_INPUT', `${from}: the API server would refuse the Job: ${answer.message}`, {
      hint: 'nothing was created; correct the patch: kubectl explain job.spec.template.spec names the fields',
      cause: error,
    });
  }
}

export interface Launch {
  /**
   * Whether the Job becomes the owner of the plan, so that it is deleted with the Job. That needs a right on all
   * Secrets (R8.2).
   */
  readonly adopt: boolean;
  readonly warn: (message: string) => void;
}

/**
 * Create the objects of a run whose status is `Pending` (R6.29). If the Job exists in the end, the run has been
 * launched, even if requests failed. If it is certain that the Job doesn't exist, the run's objects are deleted and its
 * status becomes `Failed`.
 */
export async function launchRun(
  client: LaunchClient,
  run: NamedRun,
  manifests: readonly object[],
  { adopt, warn }: Launch,
): Promise<void> {
  const all = manifests as readonly Manifest[];
  const secrets = all.filter(({ kind }) => kind === 'Secret');
  const job = all.find(({ kind }) => kind === 'Job');
  if (job === undefined) throw new Error('a run without a Job');
  const { namespace } = job.metadata; // Not always the Restore's: R8.80.
  let created: KubeObject | undefined;
  try {
    for (const secret of secrets) await createForSure(client, namespace, secret);
    created = await createForSure(client, namespace, job);
  } catch (error) {
    if (!(error instanceof RestoreHooksError)) throw error;
    if (!(await stands(client, namespace, job, error))) {
      for (const secret of secrets) await discard(client, namespace, secret, job, warn);
      const why = couldNotStart(error);
      await markFailed(client, run, { code: why.code === 'FORBIDDEN' ? 'forbidden' : 'job', message: why.message });
      throw why;
    }
  }
  if (!adopt) return;
  try {
    const { metadata } = (created ?? (await client.get(manifestPath(namespace, job, 'it')))) as {
      metadata: { uid: string };
    };
    for (const secret of secrets) await own(client, namespace, secret, job, metadata.uid);
  } catch (error) {
    if (!(error instanceof RestoreHooksError)) throw error;
    warn(`the plan's Secrets stay until the run is pruned, as the Job could not be made their owner: ${error.message}`);
  }
}

/** Create an object whose name nobody else uses. If it exists, a try without an answer has created it. */
async function createForSure(
  client: LaunchClient,
  namespace: string,
  manifest: Manifest,
): Promise<KubeObject | undefined> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await client.create(manifestPath(namespace, manifest), manifest);
    } catch (error) {
      const answer = kubeApiError(error);
      if (answer?.reason === 'AlreadyExists') return undefined;
      const mayBeMade = answer === undefined || answer.status >= 500;
      if (!(error instanceof RestoreHooksError) || !mayBeMade || tries >= TRIES) throw error;
    }
    await delay(RETRY_MS * tries);
  }
}

/** Whether the Job exists although something has failed. */
async function stands(
  client: LaunchClient,
  namespace: string,
  job: Manifest,
  error: RestoreHooksError,
): Promise<boolean> {
  try {
    return await jobExists(client, namespace, job.metadata.name);
  } catch (second) {
    if (!(second instanceof RestoreHooksError)) throw second;
    throw new RestoreHooksError(
      error.code,
      `it isn't known whether Job ${job.metadata.name} was created: ${error.message}`,
      {
        hint: 'if it was, it runs the hooks: see them with status; if not, run apply again in a minute',
        cause: error.cause,
      },
    );
  }
}

async function own(
  client: LaunchClient,
  namespace: string,
  secret: Manifest,
  { metadata: { name } }: Manifest,
  uid: string,
): Promise<void> {
  const ownerReferences = [{ apiVersion: 'batch/v1', kind: 'Job', name, uid }];
  await client.patch(manifestPath(namespace, secret, 'it'), { metadata: { ownerReferences } }, 'merge');
}

/**
 * Delete the plan of a Job that was not created. A caller who may not delete Secrets leaves that to the garbage
 * collector.
 */
async function discard(
  client: LaunchClient,
  namespace: string,
  secret: Manifest,
  job: Manifest,
  warn: Launch['warn'],
): Promise<void> {
  const isGone = (error: unknown): boolean => error instanceof RestoreHooksError && error.code === 'NOT_FOUND';
  try {
    await client.delete(manifestPath(namespace, secret, 'it'));
  } catch (error) {
    if (!(error instanceof RestoreHooksError)) throw error;
    if (isGone(error)) return;
    try {
      await own(client, namespace, secret, job, randomUUID());
    } catch (second) {
      if (!(second instanceof RestoreHooksError)) throw second;
      if (!isGone(second)) warn(`Secret ${secret.metadata.name} is left until the run is pruned: ${second.message}`);
    }
  }
}

/**
 * The error for a run whose objects were refused. A missing right and a server without an answer keep their own
 * (R7.21).
 */
export function couldNotStart(error: RestoreHooksError): RestoreHooksError {
  const isRunFailure =
    error.code !== 'DENIED' &&
    error.code !== 'FORBIDDEN' &&
    (kubeApiError(error) !== undefined || error.code !== 'CLUSTER_UNREACHABLE');
  return new RestoreHooksError(isRunFailure ? 'RUN_FAILED' : error.code, `the run could not start: ${error.message}`, {
    ...(error.hint && { hint: error.hint }),
    cause: error.cause,
  });
}
