import * as z from 'zod/mini';
import { boolean, list, rare, string, stringMap, text } from './schema.ts';

const Container = z.object({ name: text });
/** Whole: whether a hook's container stands there already is told by all of its fields. */
const initContainer = () => z.looseObject({ name: text, restartPolicy: string });

/** The fields of a Pod that the planner reads. */
export const Pod = z.object({
  metadata: z.object({
    name: text.check(z.minLength(1)),
    namespace: z.pipe(
      string,
      z.transform((namespace) => namespace || 'default'),
    ),
    uid: string,
    creationTimestamp: string,
    deletionTimestamp: string,
    labels: stringMap,
    annotations: stringMap,
    ownerReferences: rare(() => z.array(z.object({ kind: text, name: text, uid: string, controller: boolean })), []),
  }),
  spec: z.object({ containers: list(Container), initContainers: rare(() => z.array(initContainer()), []) }),
  status: rare(() => z.object({ phase: string }), undefined),
});
export type Pod = z.infer<typeof Pod>;

/** Why Velero never restores this pod of a backup. */
export function neverRestored(pod: Pod): 'mirror' | 'finished' | undefined {
  if (Object.hasOwn(pod.metadata.annotations, 'kubernetes.io/config.mirror')) return 'mirror';
  const phase = pod.status?.phase;
  return phase === 'Succeeded' || phase === 'Failed' ? 'finished' : undefined;
}

/** Containers that a command can be run in: the pod's own, and native sidecars (R3.15). */
export function hasExecContainer(pod: Pod, container: string): boolean {
  return (
    pod.spec.containers.some(({ name }) => name === container) ||
    pod.spec.initContainers.some(({ name, restartPolicy }) => name === container && restartPolicy === 'Always')
  );
}

/** What keeps the pod there and would make another: a pod with a controller is never deleted. */
export const controllerOf = ({ metadata }: Pod): Pod['metadata']['ownerReferences'][number] | undefined =>
  metadata.ownerReferences.find(({ controller }) => controller === true);
