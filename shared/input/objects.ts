import type { Notice } from '../core/plan/notice.ts';
import type { InputObject, ManifestObject } from './manifests.ts';

/** Whether an object has this group and kind: other tools also have Restores and Pods. */
const is = (apiVersion: string, kind: string) => {
  return ({ object }: Pick<InputObject, 'object'>): boolean =>
    object['apiVersion'] === apiVersion && object['kind'] === kind;
};
export const isRestore = is('velero.io/v1', 'Restore');
export const isPod = is('v1', 'Pod');
/** Whether an object is a plan, of any version: another version has an error of its own. */
export const isSavedPlan = ({ object }: Pick<InputObject, 'object'>): boolean => object['kind'] === 'RestoreHookPlan';

const asObject = (value: unknown): ManifestObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as ManifestObject) : {};

/** The path of a workload's pod template; undefined for any other object. */
export function podTemplatePath(object: ManifestObject): readonly string[] | undefined {
  const paths = [['spec', 'template'], ['spec', 'jobTemplate', 'spec', 'template'], ['template']];
  return paths.find((path) => {
    const template = path.reduce<ManifestObject>((at, key) => asObject(at[key]), object);
    return Array.isArray(asObject(template['spec'])['containers']);
  });
}

/** Such as `Deployment shop/web`. */
function titleOf({ kind, metadata }: ManifestObject): string {
  const { namespace, name, generateName } = asObject(metadata);
  const called = typeof name === 'string' ? name : typeof generateName === 'string' ? `${generateName}…` : '';
  return `${String(kind)} ${typeof namespace === 'string' ? `${namespace}/` : ''}${called}`.trim();
}

/** Up to so many are named one by one. */
const MOST_TOLD = 10;

/** Notices for objects that a plan doesn't use, with what to do if they were meant to be used (R1.4). */
export function passedOverNotices(objects: readonly InputObject[]): Notice[] {
  const told: string[] = [];
  const others = new Map<string, number>();
  for (const given of objects) {
    if (isRestore(given) || isPod(given) || isSavedPlan(given)) continue;
    const why = whyPassedOver(given.object);
    if (why !== undefined) told.push(`${given.source.file}:${given.source.line}: ${why}`);
    else others.set(titleOfKind(given.object), (others.get(titleOfKind(given.object)) ?? 0) + 1);
  }
  const lines = told.slice(0, MOST_TOLD);
  if (told.length > lines.length) lines.push(`${told.length - lines.length} more objects are passed over like these`);
  if (others.size > 0) {
    const kinds = [...others].map(([kind, count]) => `${count} ${kind}`).slice(0, MOST_TOLD);
    lines.push(`passed over, as neither Restore nor Pod: ${kinds.join(', ')}`);
  }
  return lines.map((message) => ({ code: 'object-passed-over', message }));
}

const titleOfKind = ({ kind }: ManifestObject): string => String(kind);

function whyPassedOver(object: ManifestObject): string | undefined {
  const { kind, apiVersion } = object;
  if (typeof kind !== 'string' || typeof apiVersion !== 'string') {
    return 'has no apiVersion and kind, as every Kubernetes object has; passed over';
  }
  if (kind === 'Restore' || kind === 'Pod') {
    const whose = kind === 'Restore' ? "Velero's, which are velero.io/v1" : "Kubernetes', which are v1";
    return `${titleOf(object)} is of ${apiVersion}, and not one of ${whose}; passed over`;
  }
  if (kind === 'RestoreHooks') return 'RestoreHooks are read from --hooks, not from -f; passed over';
  if (podTemplatePath(object) === undefined) return undefined;
  const { namespace } = asObject(object['metadata']);
  const where = typeof namespace === 'string' ? ` -n ${namespace}` : '';
  return (
    `${titleOf(object)} is no pod, but makes some: a plan is made of pods, so give these ` +
    `(kubectl get pods${where} -o yaml), or look at this template with lint and inject; passed over`
  );
}
