import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRestore } from '../../../../shared/core/model/restore.ts';
import { recreatedManifest, restoredManifest, withInitContainers } from '../../../../shared/core/plan/pod-manifest.ts';

const container = { name: 'app', image: 'i', ofTheFuture: { a: [1] }, ports: [{ containerPort: 80, more: true }] };
const spec = { containers: [container], initContainers: [{ name: 'own', image: 'j', later: 1 }], ofTheFuture: 'x' };
const live = {
  metadata: { name: 'web-0', namespace: 'shop', uid: 'u', labels: { app: 'web' }, annotations: { a: 'b' } },
  spec: { ...spec, nodeName: 'node-1' },
  status: { phase: 'Running' },
};

// R2.29
test('a pod that is created or created again keeps each field of it and of its containers', () => {
  assert.deepEqual(recreatedManifest(live), {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web-0', namespace: 'shop', labels: { app: 'web' }, annotations: { a: 'b' } },
    spec,
  });
  const restore = parseRestore({ metadata: { name: 'r1', namespace: 'velero' }, spec: {} });
  assert.ok(restore.ok);
  const restored = withInitContainers(restoredManifest(live, restore.value, 'shop'), []);
  assert.deepEqual(restored['spec'], spec);
});
