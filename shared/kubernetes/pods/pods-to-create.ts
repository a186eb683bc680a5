import { RestoreHooksError } from '../../core/errors.ts';
import { isCreating, podKey } from '../../core/model/hook.ts';
import type { Restore } from '../../core/model/restore.ts';
import type { PlannedInjection } from '../../core/plan/plan-restore-hooks.ts';
import type { PlannedRun } from '../../core/plan/plan-run.ts';
import { recreatedManifest, restoredManifest, withInitContainers } from '../../core/plan/pod-manifest.ts';
import type { PodToCreate } from '../../core/report/payload.ts';
import type { KubeClient } from '../api/client.ts';
import { findPod } from '../velero/restores.ts';

/** Pods from files or an archive as they were written, by their namespace and name in the cluster. */
export type Manifests = ReadonlyMap<string, object>;

const AT_ONCE = 16;

/** The pods to create for a plan's init hooks, with the hooks' containers in them (R2.12, R2.13). */
export async function podsToCreate(
  client: Pick<KubeClient, 'listAll'>,
  restore: Restore,
  { hooks, injections }: PlannedRun,
  manifests: Manifests,
): Promise<PodToCreate[]> {
  const byHook = new Map(injections.map((injection) => [injection.hook, injection]));
  const pods = [...Map.groupBy(hooks.filter(isCreating), ({ namespace, pod }) => podKey(namespace, pod)).values()];
  const wanted: PodToCreate[] = [];
  for (let from = 0; from < pods.length; from += AT_ONCE) {
    const some = pods.slice(from, from + AT_ONCE).map((own) => {
      const [first] = own;
      if (first === undefined) throw new Error('a pod without hooks');
      const { namespace, pod, podUID } = first;
      const injected = own.flatMap(({ id }) => byHook.get(id) ?? []);
      return podUID === undefined
        ? fromManifest(restore, namespace, pod, manifests, injected)
        : inPlaceOf(client, namespace, pod, podUID, injected);
    });
    wanted.push(...(await Promise.all(some)));
  }
  return wanted;
}

function fromManifest(
  restore: Restore,
  namespace: string,
  pod: string,
  manifests: Manifests,
  injections: readonly PlannedInjection[],
): PodToCreate {
  const manifest = manifests.get(podKey(namespace, pod));
  if (manifest === undefined) {
    throw new RestoreHooksError(
      'INVALID_INPUT',
      `no file has the manifest of pod ${namespace}/${pod}, which the plan creates`,
      {
        hint: 'give apply the same -f, --backup-archive or --from-backup that plan had',
      },
    );
  }
  return { namespace, pod, manifest: withInitContainers(restoredManifest(manifest, restore, namespace), injections) };
}

async function inPlaceOf(
  client: Pick<KubeClient, 'listAll'>,
  namespace: string,
  pod: string,
  uid: string,
  injections: readonly PlannedInjection[],
): Promise<PodToCreate> {
  const live = await findPod(client, namespace, pod);
  if ((live?.['metadata'] as { uid?: string } | undefined)?.uid !== uid) {
    throw new RestoreHooksError('WRITE_CONFLICT', `pod ${namespace}/${pod} has been replaced since it was planned`);
  }
  const former = recreatedManifest(live);
  return { namespace, pod, replaces: uid, manifest: withInitContainers(former, injections), former };
}
