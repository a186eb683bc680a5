import { RestoreHooksError } from '../core/errors.ts';
import type { RunnerJob } from '../core/manifests/job.ts';
import { planSecret, runnerJob } from '../core/manifests/job.ts';
import type { Payload } from '../core/report/payload.ts';
import type { KubeClient } from './client.ts';
import { compress, cut } from './compressed-parts.ts';
import { paths } from './paths.ts';

/** Over this the plan is refused before anything is created (contract §8). */
const PLAN_LIMIT_BYTES = 16 * 1024 * 1024;

/** The objects of a run, in the order in which they are created: its plan Secrets, then its Job. */
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

/** Create a run's objects, then let its Job own the plan, so that the plan goes when the Job does. */
export async function createRunObjects(
  client: Pick<KubeClient, 'create' | 'patch'>,
  namespace: string,
  manifests: readonly object[],
  dryRun = false,
): Promise<void> {
  const secrets: string[] = [];
  for (const manifest of manifests) {
    const { kind, metadata } = manifest as { kind: string; metadata: { name: string } };
    if (kind === 'Secret') {
      await client.create(paths.secrets(namespace), manifest, { dryRun });
      secrets.push(metadata.name);
      continue;
    }
    const created = await client.create(paths.jobs(namespace), manifest, { dryRun });
    if (dryRun) continue;
    const { uid } = created['metadata'] as { uid: string };
    const owner = { apiVersion: 'batch/v1', kind: 'Job', name: metadata.name, uid };
    for (const secret of secrets) {
      const body = { metadata: { ownerReferences: [owner] } };
      await client.patch(paths.secrets(namespace, secret), body, 'merge');
    }
  }
}
