import { podKey } from '../shared/core/hook.ts';
import type { Notice } from '../shared/core/plan/notice.ts';
import type { PlannedRun, PlanRequest } from '../shared/core/plan/plan-run.ts';
import { planRun } from '../shared/core/plan/plan-run.ts';
import type { KubeClient } from '../shared/kubernetes/client.ts';
import type { Manifests } from '../shared/kubernetes/pods-to-create.ts';
import { findPod } from '../shared/kubernetes/restores.ts';
import type { InputObject } from './manifests.ts';
import { podsIn } from './plan-input.ts';

const AT_ONCE = 16;

export interface PlanWithFiles {
  readonly request: PlanRequest;
  readonly planned: PlannedRun;
  readonly manifests: Manifests;
}

/** A live plan, and with it those pods of files that are not in the cluster and have init hooks to be created with. */
export async function planWithFiles(
  client: Pick<KubeClient, 'listAll'>,
  live: PlanRequest,
  objects: readonly InputObject[],
): Promise<PlanWithFiles> {
  if (objects.length === 0) return { request: live, planned: planRun(live), manifests: new Map() };
  const given = podsIn(objects, live.restore);
  const isLive = new Set(live.pods.map(keyOf));
  const absent = given.pods.filter(({ pod }) => !isLive.has(keyOf(pod)));
  const { hooks } = planRun({ ...live, pods: absent.map(({ pod }) => pod), only: [] });
  const kinds = Map.groupBy(hooks, ({ namespace, pod }) => podKey(namespace, pod));
  const toCreate: typeof absent = [];
  const notices: Notice[] = [];
  for (let from = 0; from < absent.length; from += AT_ONCE) {
    const some = absent.slice(from, from + AT_ONCE).filter(({ pod }) => kinds.has(keyOf(pod)));
    const there = await Promise.all(
      some.map(({ pod: { metadata } }) => findPod(client, metadata.namespace, metadata.name)),
    );
    for (const [index, each] of some.entries()) {
      const hasInit = kinds.get(keyOf(each.pod))?.some(({ kind }) => kind === 'init');
      if (there[index] !== undefined) notices.push(unlabelled(live, each.pod.metadata));
      else if (hasInit) toCreate.push(each);
      else notices.push(notInCluster(each.pod.metadata));
    }
  }
  const request = {
    ...live,
    pods: [...live.pods, ...toCreate.map(({ pod }) => pod)],
    notices: [...(live.notices ?? []), ...given.notices, ...notices],
    skipped: given.skipped,
  };
  const manifests = new Map(toCreate.map(({ pod, object }) => [keyOf(pod), object]));
  return { request, planned: planRun(request), manifests };
}

interface Named {
  readonly namespace: string;
  readonly name: string;
}
const keyOf = ({ metadata }: { readonly metadata: Named }) => podKey(metadata.namespace, metadata.name);

const unlabelled = ({ selector }: PlanRequest, { namespace, name }: Named): Notice => ({
  code: 'pod-not-restored',
  namespace,
  pod: name,
  message: `is in the cluster, but not as a pod of this Restore (${selector.labelSelector}); its hooks are left out`,
});

const notInCluster = ({ namespace, name }: Named): Notice => ({
  code: 'pod-not-in-cluster',
  namespace,
  pod: name,
  message: 'is not in the cluster, and has no init hooks for which it would be created; its hooks are left out',
});
