import { shortenName } from '../digest.ts';
import { admitsPods, compileIncludesExcludes } from '../model/includes-excludes.ts';
import { compileLabelSelector } from '../model/label-selector.ts';
import type { Pod } from '../model/pod.ts';
import { neverRestored } from '../model/pod.ts';
import type { Restore } from '../model/restore.ts';
import { RESTORE_NAME_LABEL } from '../names.ts';

/** Why the Restore leaves a pod of its backup out, by its own filters and Velero's rules (contract §1). */
export function whyNotRestored({ spec }: Restore, pod: Pod): string | undefined {
  const never = neverRestored(pod);
  if (never !== undefined) return never;
  const { namespace, labels } = pod.metadata;
  if (!compileIncludesExcludes(spec.includedNamespaces, spec.excludedNamespaces).admits(namespace)) {
    return 'namespace-not-included';
  }
  if (!admitsPods(spec.includedResources, spec.excludedResources)) return 'pods-not-included';
  const selectors =
    spec.orLabelSelectors.length > 0 ? spec.orLabelSelectors : spec.labelSelector ? [spec.labelSelector] : [];
  const selected = selectors.length === 0 || selectors.some((selector) => compileLabelSelector(selector)(labels));
  return selected ? undefined : 'labels-not-selected';
}

/** The pod as Velero will create it: in its target namespace, with Velero's labels, another UID. */
export function asRestored(restore: Restore, pod: Pod): Pod {
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      uid: undefined,
      creationTimestamp: undefined,
      namespace: targetNamespace(restore.spec, pod),
      labels: { ...pod.metadata.labels, ...velerosLabels(restore) },
    },
  };
}

/** What Velero labels all that it restores with. */
export const velerosLabels = ({ metadata, spec }: Restore): Readonly<Record<string, string>> => ({
  [RESTORE_NAME_LABEL]: shortenName(metadata.name),
  ...(spec.backupName ? { 'velero.io/backup-name': shortenName(spec.backupName) } : {}),
});

/** Where a pod of the backup is restored to. */
export const targetNamespace = (spec: Restore['spec'], { metadata }: Pod): string => targetOf(spec, metadata.namespace);

export const targetOf = ({ namespaceMapping }: Restore['spec'], namespace: string): string =>
  (Object.hasOwn(namespaceMapping, namespace) && namespaceMapping[namespace]) || namespace;
