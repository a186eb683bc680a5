import { ANNOTATION } from '../../shared/core/names.ts';
import type { KubeClient } from '../../shared/kubernetes/api/client.ts';
import { kubeClient as realClient } from '../../shared/kubernetes/api/client.ts';
import type { FailpointName } from './failpoints.ts';
import { aroundRequest } from './failpoints.ts';

/** Takes the place of `shared/kubernetes/api/client.ts` in the runner of the chaos tests. */
export function kubeClient(...args: Parameters<typeof realClient>): KubeClient {
  const client = realClient(...args);
  /** A runner's first write to the Restore is its claim. */
  let hasClaimed = false;
  return {
    ...client,
    create: (path, object, options) =>
      aroundRequest(creationOf(path, object, options?.dryRun), () => client.create(path, object, options)),
    patch: async (path, body, type, options) => {
      const change = changeOf(path, body, hasClaimed);
      const answer = await aroundRequest(change, () => client.patch(path, body, type, options));
      hasClaimed ||= change === 'status-claim';
      return answer;
    },
    delete: (path, options) =>
      aroundRequest(path.includes('/pods/') ? 'pod-deletion' : undefined, () => client.delete(path, options)),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: what the product sends, looked into to tell what it is.
type Body = any;

function creationOf(path: string, object: Body, dryRun = false): FailpointName | undefined {
  if (path.endsWith('/leases')) return 'lease-take';
  if (path.endsWith('/configmaps')) {
    if (object.data.head === undefined) return undefined;
    return object.data.b00000000 === undefined ? 'journal-part' : 'journal-begin';
  }
  if (path.endsWith('/pods')) return dryRun ? 'pod-trial' : 'pod-creation';
  if (path.endsWith('/secrets')) return object.type === 'restorehooks.io/report' ? 'report-part' : 'pod-manifest';
  return undefined;
}

function changeOf(path: string, body: Body, hasClaimed: boolean): FailpointName | undefined {
  if (path.includes('/leases/')) {
    if (body.spec.holderIdentity === null) return 'lease-release';
    return body.spec.acquireTime === undefined ? 'lease-renewal' : 'lease-take';
  }
  // What shards tell each other is a JSON patch.
  if (path.includes('/configmaps/') && Array.isArray(body)) return 'shard-told';
  if (path.includes('/configmaps/')) return body.immutable ? 'journal-seal' : batchOf(body.data);
  if (!path.includes('/restores/')) return undefined;
  if (!hasClaimed) return 'status-claim';
  if (body.status?.phase !== undefined) return 'phase-of-restore';
  const status = body.metadata.annotations[ANNOTATION.status] ?? '{}';
  return JSON.parse(status).finishedAt === undefined ? 'status-progress' : 'status-end';
}

/** The failpoint of a journal batch: that of the most important entry in it. */
function batchOf(data: Readonly<Record<string, string>>): FailpointName | undefined {
  const [, text = '{"e":[]}'] = Object.entries(data).find(([key]) => /^b\d+$/.test(key)) ?? [];
  const kinds = new Set((JSON.parse(text).e as [string][]).map(([kind]) => kind));
  if (kinds.has('c')) return 'journal-claim';
  if (kinds.has('i')) return 'journal-intent';
  if (kinds.has('r')) return 'journal-result';
  return kinds.has('n') ? 'journal-taken-back' : 'journal-started';
}
