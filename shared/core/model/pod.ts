import * as z from 'zod';

const stringMap = z
  .record(z.string(), z.string())
  .nullish()
  .transform((map) => map ?? {});
const name = z.object({ name: z.string() });

/** The fields of a Pod that the planner reads. */
export const Pod = z.object({
  metadata: z.object({
    name: z.string().min(1),
    namespace: z
      .string()
      .nullish()
      .transform((namespace) => namespace || 'default'),
    uid: z.string().nullish(),
    labels: stringMap,
    annotations: stringMap,
  }),
  spec: z.object({
    containers: z
      .array(name)
      .nullish()
      .transform((list) => list ?? []),
    initContainers: z
      .array(name.extend({ restartPolicy: z.string().nullish() }))
      .nullish()
      .transform((list) => list ?? []),
  }),
  status: z.object({ phase: z.string().nullish() }).nullish(),
});
export type Pod = z.infer<typeof Pod>;

/** Why Velero never restores this pod of a backup. */
export function neverRestored(pod: Pod): 'mirror' | 'finished' | undefined {
  if (Object.hasOwn(pod.metadata.annotations, 'kubernetes.io/config.mirror')) return 'mirror';
  const phase = pod.status?.phase;
  return phase === 'Succeeded' || phase === 'Failed' ? 'finished' : undefined;
}

/** Containers that a command can be run in: the pod's own, and native sidecars. */
export function hasExecContainer(pod: Pod, container: string): boolean {
  return (
    pod.spec.containers.some(({ name }) => name === container) ||
    pod.spec.initContainers.some(({ name, restartPolicy }) => name === container && restartPolicy === 'Always')
  );
}
