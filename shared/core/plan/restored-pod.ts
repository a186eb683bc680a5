import { shortenName } from '../digest.ts';
import { admitsPods, compileIncludesExcludes } from '../model/includes-excludes.ts';
import { compileLabelSelector } from '../model/label-selector.ts';
import type { Pod } from '../model/pod.ts';
import { neverRestored } from '../model/pod.ts';
import type { Restore } from '../model/restore.ts';
import { RESTORE_NAME_LABEL } from '../names.ts';
import type { Notice } from './notice.ts';
import { noticeOn } from './sources.ts';

/** Why the Restore leaves a pod of its backup out, by its own filters and Velero's rules (R1.18). */
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

/** What Velero does to restored pods beside what is planned, and can't be seen in a backup (R2.10). */
export function modifierNotices({ spec }: Restore): Notice[] {
  const modifier = spec.resourceModifier;
  if (modifier === undefined) return [];
  const message = `it is planned without the Restore's resource modifier (${modifier.kind ?? 'ConfigMap'} ${modifier.name}): Velero applies that after it has injected init containers and before it chooses exec hooks`;
  return [{ code: 'resource-modifier', message }];
}

interface RawContainer {
  readonly name?: unknown;
  readonly restartPolicyRules?: readonly unknown[] | null;
}
interface RawSpec {
  readonly containers?: readonly RawContainer[] | null;
  readonly initContainers?: readonly RawContainer[] | null;
  readonly ephemeralContainers?: readonly unknown[] | null;
}

/** What Velero can't bring back of a pod of a backup. */
export function lossNotices(pod: Pod, object: unknown): Notice[] {
  const { containers, initContainers, ephemeralContainers } = (object as { spec: RawSpec }).spec;
  const isDebugged = (ephemeralContainers?.length ?? 0) > 0;
  const ruled = [...(initContainers ?? []), ...(containers ?? [])].filter(
    ({ restartPolicyRules }) => Array.isArray(restartPolicyRules) && restartPolicyRules.length > 0,
  );
  const debugged =
    "has ephemeral containers (kubectl debug): Velero can't create it, because the API server accepts no new pod with them";
  const lost = `Velero loses the restartPolicyRules of ${ruled.map(({ name }) => name).join(', ')}: only its restartPolicy counts`;
  return [
    ...(isDebugged ? [noticeOn(pod, 'ephemeral-containers', debugged)] : []),
    ...(ruled.length > 0 ? [noticeOn(pod, 'restart-policy-rules', lost)] : []),
  ];
}

/** What Velero labels all that it restores with. */
export const velerosLabels = ({ metadata, spec }: Restore): Readonly<Record<string, string>> => ({
  [RESTORE_NAME_LABEL]: shortenName(metadata.name),
  ...(spec.backupName ? { 'velero.io/backup-name': shortenName(spec.backupName) } : {}),
});

/** Where a pod of the backup is restored to (R2.7). */
export const targetNamespace = (spec: Restore['spec'], { metadata }: Pod): string => targetOf(spec, metadata.namespace);

export const targetOf = ({ namespaceMapping }: Restore['spec'], namespace: string): string =>
  (Object.hasOwn(namespaceMapping, namespace) && namespaceMapping[namespace]) || namespace;
