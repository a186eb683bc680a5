import { judgeKey } from '../../mistakes/annotation-keys.ts';
import type { Path } from './place.ts';
import type { Fields } from './subjects.ts';

export const fieldsOf = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
export const itemsOf = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
export const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

export function at(value: unknown, path: Path): unknown {
  let found = value;
  for (const part of path) found = typeof part === 'number' ? itemsOf(found)[part] : fieldsOf(found)[part];
  return found;
}

/** The path of the pod template in each known kind of workload. */
const TEMPLATE: Readonly<Record<string, Path>> = {
  Deployment: ['spec', 'template'],
  StatefulSet: ['spec', 'template'],
  DaemonSet: ['spec', 'template'],
  ReplicaSet: ['spec', 'template'],
  ReplicationController: ['spec', 'template'],
  DeploymentConfig: ['spec', 'template'],
  Rollout: ['spec', 'template'],
  Job: ['spec', 'template'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
  PodTemplate: ['template'],
};

export interface FoundPods {
  /** Whole pods and templates. */
  readonly pods: readonly Path[];
  /** Hook annotations in any other place, such as a patch or a chart's values. */
  readonly loose: readonly Path[];
}

/** The search in an object ends after so many values, as it may be large and contain no pods. */
const MAX_NODES = 50_000;
const MAX_DEPTH = 24;

/** The places of pods and hook annotations in an object: by its kind, and wherever a value looks like a pod. */
export function findPods(object: unknown): FoundPods {
  const kind = textOf(fieldsOf(object)['kind']);
  const version = textOf(fieldsOf(object)['apiVersion']);
  // A Pod of another API group is not a Kubernetes Pod.
  if (kind === 'Pod' && version !== '' && version !== 'v1') return { pods: [], loose: [] };
  const known = kind === 'Pod' ? [] : Object.hasOwn(TEMPLATE, kind) ? TEMPLATE[kind] : undefined;
  if (known !== undefined) return { pods: [known], loose: [] };
  const pods: Path[] = [];
  const loose: Path[] = [];
  let nodes = 0;
  const walk = (value: unknown, path: Path): void => {
    if (typeof value !== 'object' || value === null || path.length > MAX_DEPTH || ++nodes > MAX_NODES) return;
    if (isPod(value) && path.length > 0) {
      pods.push(path);
      return;
    }
    for (const [key, child] of Object.entries(value)) {
      const name = Array.isArray(value) ? Number(key) : key;
      if (/annotations$/i.test(key) && hasHookKeys(child)) loose.push([...path, name]);
      else walk(child, [...path, name]);
    }
  };
  walk(object, []);
  return { pods, loose };
}

function isPod(value: object): boolean {
  const containers = itemsOf(fieldsOf(fieldsOf(value)['spec'])['containers']);
  return containers.length > 0 && containers.every((container) => textOf(fieldsOf(container)['name']) !== '');
}

const hasHookKeys = (value: unknown): boolean =>
  Object.keys(fieldsOf(value)).some((key) => judgeKey(key).is !== 'other');
