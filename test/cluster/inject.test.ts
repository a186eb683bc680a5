import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { after, it } from 'node:test';
import { promisify } from 'node:util';
import { entry, IMAGE, isReal, startSuite, waitFor } from '../e2e/harness.ts';

/** The pipeline of the README, with kubectl at both ends. */
it('kubectl get | inject | kubectl apply gives a workload its init containers, once, and apply watches them', {
  skip: !isReal && 'needs a real cluster, and kubectl',
}, async () => {
  const e2e = await startSuite();
  after(() => e2e.close());
  const scene = await e2e.scene('pipeline');
  await scene.restore();
  const labels = { app: 'web', 'velero.io/restore-name': scene.name };
  await e2e.cluster.create({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: scene.namespace },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [{ name: 'main', image: IMAGE, command: ['sleep', '100000'] }],
        },
      },
    },
  });
  const load = { name: 'load', image: IMAGE, command: ['echo', 'loaded'] };
  const hooks = await scene.hooksFile([entry({ init: { initContainers: [load] } })]);
  const dist = join(import.meta.dirname, '../../dist');
  const env = { ...process.env, PATH: `${dist}:${dirname(process.execPath)}:${process.env['PATH']}` };
  const pipeline = async () => {
    const get = `kubectl get deploy web -n ${scene.namespace} -o yaml`;
    const script = `set -o pipefail; ${get} | kubectl restorehooks inject --hooks ${hooks} | kubectl apply -f -`;
    await promisify(execFile)('bash', ['-c', script], { env });
  };
  /** Tries again: while a Deployment is rolled out, its resourceVersion soon differs from the one that kubectl read. */
  const settled = () =>
    waitFor('the Deployment to be rolled out', async () => {
      const { metadata, spec, status } = await e2e.cluster.get('deployments', scene.namespace, 'web');
      const { observedGeneration, replicas, updatedReplicas, availableReplicas, terminatingReplicas = 0 } = status;
      const isDone = [replicas, updatedReplicas, availableReplicas].every((count) => count === 1);
      return observedGeneration === metadata.generation && isDone && terminatingReplicas === 0 && spec;
    });
  await settled();
  await pipeline();
  const injected = await settled();
  assert.equal(injected.template.spec.initContainers[0].name, 'load');
  await pipeline();
  assert.deepEqual(await settled(), injected, 'the second time nothing changes');

  const ran = await scene.apply('--hooks', hooks);
  const [row] = ran.json().hooks;
  assert.deepEqual([ran.code, row.state, row.injection], [0, 'Succeeded', 'found'], ran.stderr);
});
