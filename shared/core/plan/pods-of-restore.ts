import { shortenName } from '../digest.ts';
import type { Labels } from '../model/label-selector.ts';
import type { Pod } from '../model/pod.ts';
import { controllerOf, neverRestored } from '../model/pod.ts';
import type { Restore } from '../model/restore.ts';
import { RESTORE_NAME_LABEL } from '../names.ts';
import type { Notice } from './notice.ts';
import { noticeOn } from './sources.ts';

/** What Velero labels the pods of a Restore with, as a selector (R1.13). */
export const restoreSelector = (restore: string): string => `${RESTORE_NAME_LABEL}=${shortenName(restore)}`;
/** Those that it hasn't labelled, or has labelled for another Restore. */
export const otherPodsSelector = (restore: string): string => `${RESTORE_NAME_LABEL}!=${shortenName(restore)}`;

/**
 * Whether the pod was there before the Restore: then Velero has relabelled it (`existingResourcePolicy: update`) and has
 * restored nothing in it. Both times are the API server's, in
 * whole seconds of UTC, so that their texts compare as they do.
 */
export function isOlder({ metadata: pod }: Pod, { metadata: restore }: Restore): boolean {
  if (!pod.uid || !pod.creationTimestamp || !restore.creationTimestamp) return false;
  return pod.creationTimestamp < restore.creationTimestamp; // R1.16
}

export const notRestored = (pod: Pod, { metadata, spec }: Restore, hooks: number): Notice => {
  const why = spec.existingResourcePolicy === 'update' ? ', and Velero has only relabelled it (update)' : '';
  const left = `${hooks === 1 ? 'its hook is' : `its ${hooks} hooks are`} left out; --include-existing takes them in`;
  return noticeOn(
    pod,
    'pod-not-restored',
    `was there before the Restore (created at ${pod.metadata.creationTimestamp}, the Restore at ${metadata.creationTimestamp})${why}: ${hooks === 0 ? 'it has no hook, with --include-existing either' : left}`,
  );
};

/** The pods without the Restore's label that are worth a notice: `labelled` are those with it. */
export function withoutLabel(restore: Restore, labelled: readonly Pod[], others: readonly Pod[]): Pod[] {
  const workloads = new Set(labelled.map(workloadOf));
  return others.filter((pod) => {
    if (pod.metadata.deletionTimestamp || neverRestored(pod) !== undefined) return false;
    if (controllerOf(pod) !== undefined && workloads.has(workloadOf(pod))) return true;
    const isAnothers = labelled.length > 0 && pod.metadata.labels[RESTORE_NAME_LABEL] !== undefined;
    return !isAnothers && !isOlder(pod, restore);
  });
}

const MOST_NAMED = 3;

/** One for the pods of each workload, with the selector that finds them and none that has the label (R1.17). */
export function withoutLabelNotices(restore: Restore, namespace: string, pods: readonly Pod[]): Notice[] {
  return [...Map.groupBy(pods, workloadOf).values()].map((own) => {
    const [first] = own as [Pod, ...Pod[]];
    const at = first.metadata.namespace;
    const { name } = restore.metadata;
    const controller = controllerOf(first);
    const of = controller === undefined ? '' : ` (${workloadOf(first).split('/').slice(1).join(' ')})`;
    const shared = commonLabels(own);
    const way =
      shared === ''
        ? `they have no labels to select them by; to take one in: kubectl label pod ${first.metadata.name} -n ${at} ${restoreSelector(name)}`
        : `to select them: kubectl restorehooks apply ${name} -n ${namespace} -l '${shared},${otherPodsSelector(name)}' --pod-namespace ${at}`;
    const message = `pods that have hooks, but not the label ${restoreSelector(name)}, take no part: ${namesOf(own)}${of}; ${way}`;
    return { code: 'pods-without-label', namespace: at, message };
  });
}

function namesOf(pods: readonly Pod[]): string {
  const names = pods.slice(0, MOST_NAMED).map(({ metadata: { name, labels } }) => {
    const other = labels[RESTORE_NAME_LABEL];
    return other === undefined ? name : `${name} (of Restore ${other})`;
  });
  const more = pods.length - names.length;
  return names.join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** `namespace/kind/name` of what makes the pods; of a ReplicaSet, which changes with each rollout, its Deployment. */
export function workloadOf(pod: Pod): string {
  const { namespace, name, labels } = pod.metadata;
  const controller = controllerOf(pod);
  if (controller === undefined) return `${namespace}/Pod/${name}`;
  const hash = labels['pod-template-hash'];
  const ofDeployment = controller.kind === 'ReplicaSet' && hash && controller.name.endsWith(`-${hash}`);
  return ofDeployment
    ? `${namespace}/Deployment/${controller.name.slice(0, -hash.length - 1)}`
    : `${namespace}/${controller.kind}/${controller.name}`;
}

/** What Kubernetes gives each pod, or each rollout, by itself; and Velero's own, which the pods lack. */
const NOT_SHARED =
  /^(pod-template-hash|controller-revision-hash|pod-template-generation|(.*\/)?controller-uid|statefulset\.kubernetes\.io\/pod-name|apps\.kubernetes\.io\/pod-index|batch\.kubernetes\.io\/job-completion-index|velero\.io\/.*)$/;

/** The labels that all of the pods have, as a selector. */
function commonLabels(pods: readonly Pod[]): string {
  const [first, ...others] = pods.map(({ metadata }) => metadata.labels) as [Labels, ...Labels[]];
  return Object.entries(first)
    .filter(([key, value]) => !NOT_SHARED.test(key) && others.every((labels) => labels[key] === value))
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',');
}
