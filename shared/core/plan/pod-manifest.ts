import { shortenName } from '../digest.ts';
import type { Restore } from '../model/restore.ts';
import { RESTORE_NAME_LABEL } from '../names.ts';
import type { PlannedInjection } from './plan-restore-hooks.ts';

type Manifest = Readonly<Record<string, unknown>>;
interface PodShape {
  readonly metadata?: Readonly<Record<string, unknown>> | null;
  readonly spec?: (Readonly<Record<string, unknown>> & { readonly initContainers?: readonly unknown[] | null }) | null;
}

/**
 * A pod of a backup, or of a file, as Velero would create it (contract §2): what a server or a node has filled in is taken
 * away, and Velero's labels are set. All else is as it was written.
 */
export function restoredManifest(pod: unknown, { metadata, spec }: Restore, namespace: string): Manifest {
  const { labels, annotations, name } = ((pod as PodShape).metadata ?? {}) as Record<string, Record<string, string>>;
  return creatable(pod, {
    name,
    namespace,
    labels: {
      ...labels,
      [RESTORE_NAME_LABEL]: shortenName(metadata.name),
      ...(spec.backupName ? { 'velero.io/backup-name': shortenName(spec.backupName) } : {}),
    },
    ...(annotations == null ? {} : { annotations }),
  });
}

/** A live pod as it can be created once more. */
export function recreatedManifest(pod: unknown): Manifest {
  const kept = ['name', 'namespace', 'labels', 'annotations', 'finalizers', 'ownerReferences'];
  const metadata = Object.entries((pod as PodShape).metadata ?? {}).filter(([key]) => kept.includes(key));
  return creatable(pod, Object.fromEntries(metadata));
}

export function withInitContainers(pod: Manifest, injections: readonly PlannedInjection[]): Manifest {
  const { spec } = pod as PodShape;
  const initContainers = injections.reduceRight<readonly unknown[]>(
    (own, { at, container }) => own.toSpliced(at, 0, container),
    spec?.initContainers ?? [],
  );
  return { ...pod, spec: { ...spec, initContainers } };
}

/** What is of the node and the server that the pod was on, or can't be given to a new one. */
const NOT_GIVEN = new Set(['nodeName', 'priority', 'ephemeralContainers']);

function creatable(pod: unknown, metadata: object): Manifest {
  const { spec } = pod as PodShape;
  const given = Object.entries(spec ?? {}).filter(([key]) => !NOT_GIVEN.has(key));
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: Object.fromEntries(given) };
}
