import type { PlannedHook } from '../shared/core/hook.ts';
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

/**
 * A live plan, and with it the pods of files that are not in the cluster: those with init hooks are to be created with
 * them, the others are waited for. One that is there without being a pod of this Restore is none of ours.
 */
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
  const created = new Set(hooks.filter(({ kind }) => kind === 'init').map(keyOfHook));
  const hooked = new Set(hooks.map(keyOfHook));
  const ours: typeof absent = [];
  const notices: Notice[] = [];
  for (let from = 0; from < absent.length; from += AT_ONCE) {
    const some = absent.slice(from, from + AT_ONCE).filter(({ pod }) => hooked.has(keyOf(pod)));
    const there = await Promise.all(
      some.map(({ pod: { metadata } }) => findPod(client, metadata.namespace, metadata.name)),
    );
    for (const [index, each] of some.entries()) {
      const { metadata } = each.pod;
      if (there[index] === undefined) ours.push(each);
      if (there[index] !== undefined) notices.push(notRestored(live, metadata));
      else if (!created.has(keyOf(each.pod))) notices.push(waitedFor(metadata));
    }
  }
  const request = {
    ...live,
    pods: [...live.pods, ...ours.map(({ pod }) => pod)],
    notices: [...(live.notices ?? []), ...given.notices, ...notices],
    skipped: given.skipped,
  };
  const manifests = new Map(ours.map(({ pod, object }) => [keyOf(pod), object]));
  return { request, planned: planRun(request), manifests };
}

const keyOfHook = ({ namespace, pod }: PlannedHook) => podKey(namespace, pod);

interface Named {
  readonly namespace: string;
  readonly name: string;
}
const keyOf = ({ metadata }: { readonly metadata: Named }) => podKey(metadata.namespace, metadata.name);

const notRestored = ({ selector }: PlanRequest, { namespace, name }: Named): Notice => ({
  code: 'pod-not-restored',
  namespace,
  pod: name,
  message: `is in the cluster, but not as a pod of this Restore (${selector.labelSelector}); its hooks are left out`,
});

const waitedFor = ({ namespace, name }: Named): Notice => ({
  code: 'pod-not-in-cluster',
  namespace,
  pod: name,
  message: 'is not in the cluster, and has no init hooks for which it would be created; its hooks wait for it',
});
