import type { Shard } from '../model/shard.ts';
import { leaseName, RESTORE_NAMESPACE_LABEL, RESTORE_UID_LABEL, runLabels } from '../names.ts';
import type { RestoreReference } from '../plan/plan-document.ts';

/** Where the objects of a Restore's runs are: beside it, or in a namespace of their own (R8.80). */
export const objectsNamespace = ({
  namespace,
  runNamespace = namespace,
}: Pick<RestoreReference, 'namespace' | 'runNamespace'>): string => runNamespace;

const isBeside = (restore: RestoreReference): boolean => objectsNamespace(restore) === restore.namespace;

/** What makes the garbage collector take a run away with its Restore (R5.2). */
export const restoreOwner = ({ name, uid }: RestoreReference) => ({
  apiVersion: 'velero.io/v1',
  kind: 'Restore',
  name,
  uid: uid ?? '',
});

interface RunMetadata {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly object[];
}

/**
 * What all objects of a run have in common. An object whose owner is in another namespace would be deleted at once, as
 * one without an owner. So there, labels say whose it is, and `prune --deleted` finds it by them (R8.82).
 */
export function runMetadata(restore: RestoreReference, runID: string): RunMetadata {
  const labels = runLabels(restore.name, runID);
  if (isBeside(restore)) return { namespace: restore.namespace, labels, ownerReferences: [restoreOwner(restore)] };
  const ofRestore = { [RESTORE_UID_LABEL]: restore.uid ?? '', [RESTORE_NAMESPACE_LABEL]: restore.namespace };
  return { namespace: objectsNamespace(restore), labels: { ...labels, ...ofRestore } };
}

/** Two Veleros may have a Restore of the same name, and their runs in one namespace: there a Lease has the UID's name. */
export const leaseNameOf = (restore: RestoreReference, shard?: Shard): string =>
  leaseName(isBeside(restore) ? restore.name : (restore.uid ?? restore.name), shard);

/** Whose an object of a run is. */
interface Owned {
  readonly labels?: Readonly<Record<string, string>> | null | undefined;
  readonly ownerReferences?: readonly { readonly uid?: string }[] | null | undefined;
}

/** An object left by a deleted Restore of the same name is not this Restore's: the UID tells (R6.1.3). */
export const isOfRestore = ({ labels, ownerReferences }: Owned, { uid }: RestoreReference): boolean =>
  uid === undefined ||
  labels?.[RESTORE_UID_LABEL] === uid ||
  (ownerReferences?.some((owner) => owner.uid === uid) ?? false);
