import { shortenName } from '../digest.ts';
import { compileIncludesExcludes } from '../model/includes-excludes.ts';
import type { Pod } from '../model/pod.ts';
import { controllerOf } from '../model/pod.ts';
import type { Restore } from '../model/restore.ts';
import { RESTORE_NAME_LABEL } from '../names.ts';
import type { PodExplanation } from './explanation-document.ts';
import type { PlanDocument } from './plan-document.ts';
import type { PlanRequest } from './plan-run.ts';
import { isByLabel } from './plan-run.ts';
import { restoreSelector, workloadOf } from './pods-of-restore.ts';
import { targetOf, whyNotRestored } from './restored-pod.ts';

type LeftOut = NonNullable<PodExplanation['leftOut']>;

/** Why a pod that exists is not among those that the request has selected (R7.51). */
export function whyNotSelected(request: PlanRequest, pod: Pod): LeftOut {
  const { restore, selector } = request;
  const { namespace, labels } = pod.metadata;
  const instead = insteadOf(request, pod);
  const leftOut = (code: string, message: string): LeftOut => ({
    code,
    message,
    ...(instead.length > 0 && { instead }),
  });
  if (selector.namespaces !== undefined && !selector.namespaces.includes(namespace)) {
    return leftOut('namespace-not-selected', `pods are looked for only in namespace ${selector.namespaces.join(', ')}`);
  }
  if (!isByLabel(request))
    return leftOut('selector-does-not-match', `its labels don't match ${selector.labelSelector}`);
  const wanted = restoreSelector(restore.metadata.name);
  const label = labels[RESTORE_NAME_LABEL];
  const way = `; to take it in: -l SELECTOR --pod-namespace ${namespace}`;
  if (label === shortenName(restore.metadata.name))
    return leftOut('pod-appeared', 'it appeared after the plan was made');
  if (label !== undefined)
    return leftOut('label-of-another-restore', `it has the label of Restore ${label}, not ${wanted}${way}`);
  const filter = whyFiltered(restore, pod);
  const why = filter === undefined ? '' : `; the Restore leaves such a pod out: ${filter}`;
  return leftOut(
    'no-restore-label',
    `it has no label ${wanted}: Restore ${restore.metadata.name} has not restored it${why}${way}`,
  );
}

/** The Restore's own filter that leaves a live pod out, if it came from a namespace that is mapped to the pod's. */
function whyFiltered(restore: Restore, pod: Pod): string | undefined {
  const { namespaceMapping } = restore.spec;
  const { namespace } = pod.metadata;
  const from = Object.keys(namespaceMapping).find((each) => targetOf(restore.spec, each) === namespace) ?? namespace;
  const reason = whyNotRestored(restore, { ...pod, metadata: { ...pod.metadata, namespace: from } });
  return reason === undefined || reason === 'finished' ? undefined : textOfReason(restore, { namespace: from, reason });
}

/** Why a pod of a backup was skipped, as an explanation without sources. */
export function explainSkipped(restore: Restore, skipped: PlanDocument['skipped'][number]): PodExplanation {
  const { namespace, pod, reason } = skipped;
  const leftOut = { code: reason, message: `not restored: ${textOfReason(restore, skipped)}` };
  return { namespace, pod, leftOut, planned: [], init: [], exec: [], notices: [] };
}

function textOfReason({ spec }: Restore, { namespace, reason }: { namespace: string; reason: string }): string {
  switch (reason) {
    case 'mirror':
      return 'it is a mirror pod, which the kubelet makes from a file; Velero restores none';
    case 'finished':
      return 'it had finished when the backup was made; Velero restores no such pod';
    case 'namespace-not-included':
      return namespaceText(spec, namespace);
    case 'pods-not-included':
      return `spec.includedResources (${spec.includedResources.join(', ') || 'empty'}) and spec.excludedResources (${spec.excludedResources.join(', ') || 'empty'}) don't admit pods`;
    case 'labels-not-selected':
      return `its labels don't match ${spec.orLabelSelectors.length > 0 ? 'spec.orLabelSelectors' : 'spec.labelSelector'}`;
    default:
      return reason;
  }
}

function namespaceText({ includedNamespaces, excludedNamespaces }: Restore['spec'], namespace: string): string {
  const verdict = compileIncludesExcludes(includedNamespaces, excludedNamespaces).verdict(namespace);
  if (verdict.is !== 'excluded')
    return `spec.includedNamespaces (${includedNamespaces.join(', ')}) has no ${namespace}`;
  const index = excludedNamespaces.indexOf(verdict.pattern);
  return `spec.excludedNamespaces[${index}] (${verdict.pattern}) excludes namespace ${namespace}`;
}

const MOST_INSTEAD = 3;

/** Pods of the request that a user may have meant: of the same workload, or of the same name elsewhere. */
function insteadOf({ pods }: PlanRequest, pod: Pod): string[] {
  const workload = workloadOf(pod);
  const isOfSame = (each: Pod): boolean => controllerOf(pod) !== undefined && workloadOf(each) === workload;
  const isSimilar = (each: Pod): boolean =>
    each.metadata.name === pod.metadata.name ||
    (each.metadata.namespace === pod.metadata.namespace && baseOf(each) === baseOf(pod));
  const same = pods.filter(isOfSame);
  return (same.length > 0 ? same : pods.filter(isSimilar))
    .slice(0, MOST_INSTEAD)
    .map(({ metadata: { namespace, name } }) => `${namespace}/${name}`);
}

/** `web` of web-0 and of web-7d4b9c-x2x9z. */
const baseOf = ({ metadata: { name } }: Pod): string => name.replace(/(?:-[a-z0-9]{8,10})?-(?:[a-z0-9]{5}|\d+)$/, '');
