import assert from 'node:assert/strict';
import type { Scene, Suite } from './harness.ts';

/** Fails where anything stands in the cluster that `apply` would have made, or where a hook was run. */
export async function assertUntouched({ cluster, velero }: Suite, scene: Scene, ...pods: string[]): Promise<void> {
  if (await cluster.exists('restores', velero, scene.name)) assert.deepEqual(await scene.annotations(), {});
  assert.deepEqual(await scene.jobs(), []);
  const label = `restorehooks.io/restore=${scene.name}`;
  assert.deepEqual(await cluster.list('secrets', velero, label), []);
  for (const pod of pods) assert.deepEqual(await scene.marks(pod), []);
}
