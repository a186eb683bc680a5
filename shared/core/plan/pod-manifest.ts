import type { Restore } from '../model/restore.ts';
import { withMissing } from './init-containers.ts';
import type { PlannedInjection } from './plan-restore-hooks.ts';
import { velerosLabels } from './restored-pod.ts';

type Manifest = Readonly<Record<string, unknown>>;
interface PodShape {
  readonly metadata?: Readonly<Record<string, unknown>> | null;
  readonly spec?: (Readonly<Record<string, unknown>> & { readonly initContainers?: readonly unknown[] | null }) | null;
}

/**
 * A pod of a backup, or of a file, as Velero would create it (R2.12): what a server or a node has filled in is taken
 * away, and Velero's labels are set. All other fields stay as they were written (R2.29).
 */
export function restoredManifest(pod: unknown, restore: Restore, namespace: string): Manifest {
  const { labels, annotations, name } = ((pod as PodShape).metadata ?? {}) as Record<string, Record<string, string>>;
  return creatable(pod, {
    name,
    namespace,
    labels: { ...labels, ...velerosLabels(restore) },
    ...(annotations == null ? {} : { annotations }),
  });
}

/** A live pod as it can be created once more, with all its fields (R2.29). */
export function recreatedManifest(pod: unknown): Manifest {
  const kept = ['name', 'namespace', 'labels', 'annotations', 'finalizers', 'ownerReferences'];
  const metadata = Object.entries((pod as PodShape).metadata ?? {}).filter(([key]) => kept.includes(key));
  return creatable(pod, Object.fromEntries(metadata));
}

export function withInitContainers(pod: Manifest, injections: readonly PlannedInjection[]): Manifest {
  const { spec } = pod as PodShape;
  return { ...pod, spec: { ...spec, initContainers: withMissing(spec?.initContainers ?? [], injections) } };
}

/** What is of the node and the server that the pod was on, or can't be given to a new one. */
const NOT_GIVEN = new Set(['nodeName', 'priority', 'ephemeralContainers']);

function creatable(pod: unknown, metadata: object): Manifest {
  const { spec } = pod as PodShape;
  const given = Object.entries(spec ?? {}).filter(([key]) => !NOT_GIVEN.has(key));
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: Object.fromEntries(given) };
}
