import type { Hook, PodKey } from '../../shared/core/model/hook.ts';
import { podKey } from '../../shared/core/model/hook.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import type { Notice } from '../../shared/core/plan/notice.ts';
import type { PlanRequest } from '../../shared/core/plan/plan-run.ts';
import { planHooks } from '../../shared/core/plan/plan-run.ts';
import { modifierNotices } from '../../shared/core/plan/restored-pod.ts';
import type { InputObject } from '../../shared/input/manifests.ts';
import type { KubeClient } from '../../shared/kubernetes/api/client.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import type { Manifests } from '../../shared/kubernetes/pods/pods-to-create.ts';
import { podsIn } from './plan-input.ts';

/** Pods of files or of a backup, for a plan that also has live pods. */
export interface GivenPods extends Required<Pick<PlanRequest, 'pods' | 'skipped' | 'notices'>> {
  /** The whole manifests of some of the pods, as they were written. */
  whole(pods: ReadonlySet<PodKey>): Promise<Manifests>;
}

export function podsOfFiles(objects: readonly InputObject[], restore: Restore): GivenPods {
  const { pods, ...found } = podsIn(objects, restore);
  return {
    ...found,
    pods: pods.map(({ pod }) => pod),
    whole: async () => new Map(pods.map(({ pod, object }) => [keyOf(pod), object])),
  };
}

/**
 * Add the given pods that are not in the cluster to a live plan. Those with init hooks will be created with them, the
 * others are waited for. A given pod that is in the cluster, but doesn't belong to this Restore, is left out.
 */
export async function withGivenPods(
  client: Pick<KubeClient, 'list'>,
  live: PlanRequest,
  given: GivenPods,
): Promise<PlanRequest> {
  const isLive = new Set(live.pods.map(keyOf));
  const absent = given.pods.filter((pod) => !isLive.has(keyOf(pod)));
  const { hooks } = planHooks({ ...live, pods: absent });
  const created = new Set(hooks.filter(({ kind }) => kind === 'init').map(keyOfHook));
  const hooked = new Set(hooks.map(keyOfHook));
  const candidates = absent.filter((pod) => hooked.has(keyOf(pod)));
  const there = await podsThere(client, new Set(candidates.map(({ metadata }) => metadata.namespace)));
  const ours = candidates.filter((pod) => !there.has(keyOf(pod)));
  const others = candidates.filter((pod) => there.has(keyOf(pod)));
  const awaited = ours.filter((pod) => !created.has(keyOf(pod))); // R2.13
  return {
    ...live,
    pods: [...live.pods, ...ours],
    notices: [
      ...(live.notices ?? []),
      ...modifierNotices(live.restore),
      ...given.notices,
      ...others.map(({ metadata }) => notRestored(live, metadata)),
      ...awaited.map(({ metadata }) => waitedFor(metadata)),
    ],
    skipped: given.skipped,
  };
}

async function podsThere(
  client: Pick<KubeClient, 'list'>,
  namespaces: ReadonlySet<string>,
): Promise<ReadonlySet<PodKey>> {
  const there = new Set<PodKey>();
  for (const namespace of namespaces) {
    for await (const { items } of client.list(paths.pods(namespace))) {
      for (const { metadata } of items) there.add(podKey(namespace, (metadata as Named).name));
    }
  }
  return there;
}

const keyOfHook = ({ namespace, pod }: Hook) => podKey(namespace, pod);

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
