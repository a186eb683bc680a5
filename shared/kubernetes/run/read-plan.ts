import { RestoreHooksError } from '../../core/errors.ts';
import { objectsNamespace } from '../../core/manifests/run-objects.ts';
import { planSecretName, runName } from '../../core/names.ts';
import type { PlanDocument, RestoreReference } from '../../core/plan/plan-document.ts';
import { parsePayload } from '../../core/report/payload.ts';
import type { KubeClient } from '../api/client.ts';
import { paths } from '../api/paths.ts';
import { decompress } from './compressed-parts.ts';

/**
 * The plan that the launcher of a Job has left for its runner (R8.2), read from its Secrets. Undefined: they are gone, or
 * there were none (a local run keeps its plan in its process). Rejects with `FORBIDDEN`, and with `INVALID_INPUT` if it
 * can't be read.
 */
export async function readPlan(
  client: Pick<KubeClient, 'get'>,
  restore: Pick<RestoreReference, 'namespace' | 'runNamespace' | 'name'>,
  runID: string,
): Promise<PlanDocument | undefined> {
  const run = runName(restore.name, runID);
  const pieces: Buffer[] = [];
  for (;;) {
    const piece = await pieceOf(client, objectsNamespace(restore), planSecretName(run, pieces.length));
    if (piece === undefined) break;
    pieces.push(piece);
  }
  if (pieces.length === 0) return undefined;
  const parsed = parsePayload(decompress(Buffer.concat(pieces), `the plan of run ${runID}`));
  if (parsed.ok) return parsed.value.plan;
  throw new RestoreHooksError('INVALID_INPUT', `the plan of run ${runID} is not one that this version can read`);
}

async function pieceOf(client: Pick<KubeClient, 'get'>, namespace: string, name: string): Promise<Buffer | undefined> {
  try {
    const { data } = (await client.get(paths.secrets(namespace, name))) as { data?: Record<string, string> };
    // A Secret holds one piece; its key is the name of the piece's file.
    return Buffer.from(Object.values(data ?? {})[0] ?? '', 'base64');
  } catch (error) {
    if (error instanceof RestoreHooksError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}
