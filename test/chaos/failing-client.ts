import { ANNOTATION } from '../../shared/core/names.ts';
import type { KubeClient } from '../../shared/kubernetes/client.ts';
import { kubeClient as realClient } from '../../shared/kubernetes/client.ts';
import type { FailpointName } from './failpoints.ts';
import { aroundRequest } from './failpoints.ts';

/** Takes the place of `shared/kubernetes/client.ts` in the runner of the chaos tests. */
export function kubeClient(...args: Parameters<typeof realClient>): KubeClient {
  const client = realClient(...args);
  return {
    ...client,
    create: (path, object, options) =>
      aroundRequest(creationOf(path, object, options?.dryRun), () => client.create(path, object, options)),
    patch: (path, body, type, options) =>
      aroundRequest(changeOf(path, body), () => client.patch(path, body, type, options)),
    delete: (path, options) =>
      aroundRequest(path.includes('/pods/') ? 'pod-deletion' : undefined, () => client.delete(path, options)),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: what the product sends, looked into to tell what it is.
type Body = any;

function creationOf(path: string, object: Body, dryRun = false): FailpointName | undefined {
  if (path.endsWith('/leases')) return 'lease-take';
  if (path.endsWith('/configmaps')) return object.data.b00000000 === undefined ? 'journal-part' : 'journal-begin';
  if (path.endsWith('/pods')) return dryRun ? 'pod-trial' : 'pod-creation';
  if (path.endsWith('/secrets')) return object.type === 'restorehooks.io/report' ? 'report-part' : 'pod-manifest';
  return undefined;
}

function changeOf(path: string, body: Body): FailpointName | undefined {
  if (path.includes('/leases/')) {
    if (body.spec.holderIdentity === null) return 'lease-release';
    return body.spec.acquireTime === undefined ? 'lease-renewal' : 'lease-take';
  }
  if (path.includes('/configmaps/')) return body.immutable ? 'journal-seal' : batchOf(body.data);
  if (!path.includes('/restores/')) return undefined;
  if (!Array.isArray(body)) return 'status-claim';
  if (body.some(({ path: at }) => at === '/status/phase')) return 'phase-of-restore';
  const key = ANNOTATION.status.replace('/', '~1');
  const status = body.find(({ op, path: at }) => op === 'add' && at.endsWith(key))?.value ?? '{}';
  return JSON.parse(status).finishedAt === undefined ? 'status-progress' : 'status-end';
}

/** The weightiest thing that a batch says. */
function batchOf(data: Readonly<Record<string, string>>): FailpointName | undefined {
  const [, text = '{"e":[]}'] = Object.entries(data).find(([key]) => /^b\d+$/.test(key)) ?? [];
  const kinds = new Set((JSON.parse(text).e as [string][]).map(([kind]) => kind));
  if (kinds.has('c')) return 'journal-claim';
  if (kinds.has('i')) return 'journal-intent';
  if (kinds.has('r')) return 'journal-result';
  return kinds.has('n') ? 'journal-taken-back' : 'journal-started';
}
