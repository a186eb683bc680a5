import assert from 'node:assert/strict';
import type { Scene, Suite } from './harness.ts';

/** Fails if the cluster has an object that `apply` would have created, or if a hook was run. */
export async function assertUntouched({ cluster, velero }: Suite, scene: Scene, ...pods: string[]): Promise<void> {
  if (await cluster.exists('restores', velero, scene.name)) assert.deepEqual(await scene.annotations(), {});
  assert.deepEqual(await scene.jobs(), []);
  const label = `restorehooks.io/restore=${scene.name}`;
  assert.deepEqual(await cluster.list('secrets', velero, label), []);
  for (const pod of pods) assert.deepEqual(await scene.marks(pod), []);
}
