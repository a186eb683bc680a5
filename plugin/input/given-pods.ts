import type { Hook, PodKey } from '../../shared/core/model/hook.ts';
import { podKey } from '../../shared/core/model/hook.ts';
import type { Pod } from '../../shared/core/model/pod.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import type { Notice } from '../../shared/core/plan/notice.ts';
import type { PlanRequest } from '../../shared/core/plan/plan-run.ts';
import { planHooks, takingPart } from '../../shared/core/plan/plan-run.ts';
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
  const { ours, others, created } = await chosen(client, live, given.pods);
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

interface Chosen {
  /** Not in the cluster, and with hooks. */
  readonly ours: readonly Pod[];
  /** In the cluster, but not of this Restore; they would have hooks. */
  readonly others: readonly Pod[];
  /** Those that init hooks are created with. */
  readonly created: ReadonlySet<PodKey>;
}

/** Which of the given pods have hooks. Where one can't be taken, `runOn` chooses anew among the others (R3.60). */
async function chosen(client: Pick<KubeClient, 'list'>, live: PlanRequest, given: readonly Pod[]): Promise<Chosen> {
  const isLive = new Set(live.pods.map(keyOf));
  const there = new Map<string, ReadonlySet<PodKey>>();
  const others: Pod[] = [];
  let absent = given.filter((pod) => !isLive.has(keyOf(pod)));
  for (;;) {
    const { hooks } = planHooks({ ...live, pods: [...takingPart(live), ...absent] });
    const hooked = new Set(hooks.map(keyOfHook));
    const candidates = absent.filter((pod) => hooked.has(keyOf(pod)));
    for (const { metadata } of candidates) {
      const { namespace } = metadata;
      if (!there.has(namespace)) there.set(namespace, await podsThere(client, namespace));
    }
    const isThere = (pod: Pod): boolean => there.get(pod.metadata.namespace)?.has(keyOf(pod)) ?? false;
    const taken = candidates.filter(isThere);
    if (taken.length === 0) {
      const created = hooks.filter(({ kind }) => kind === 'init').map(keyOfHook);
      return { ours: candidates, others, created: new Set(created) };
    }
    others.push(...taken);
    absent = absent.filter((pod) => !isThere(pod));
  }
}

async function podsThere(client: Pick<KubeClient, 'list'>, namespace: string): Promise<ReadonlySet<PodKey>> {
  const found = new Set<PodKey>();
  for await (const { items } of client.list(paths.pods(namespace))) {
    for (const { metadata } of items) found.add(podKey(namespace, (metadata as Named).name));
  }
  return found;
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
