import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { podNamespacesOf, runnerRights } from '../../shared/core/manifests/rbac.ts';
import { missingRightsOfServiceAccount } from '../../shared/kubernetes/api/access.ts';
import type { KubeClient } from '../../shared/kubernetes/api/client.ts';
import { kubeClient } from '../../shared/kubernetes/api/client.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import { loadKubeConfig } from '../../shared/kubernetes/connect/kubeconfig.ts';
import { run } from '../unit/plugin/harness.ts';

const skip = process.env['RESTOREHOOKS_TEST_CLUSTER'] === '1' ? false : 'needs a cluster: RESTOREHOOKS_TEST_CLUSTER=1';
const velero = `setup-test-${process.pid}`;
const shop = `${velero}-shop`;

// Field managers, and the rule that nobody may grant rights that they don't have: only a real API server has both.
describe('kubectl restorehooks setup against a real API server', { skip }, () => {
  let client: KubeClient;
  const setup = (...argv: string[]) => run(['setup', '-n', velero, ...argv], { env: process.env });
  const lacks = (podNamespaces?: readonly string[]) =>
    missingRightsOfServiceAccount(
      client,
      { namespace: velero, name: 'restorehooks' },
      runnerRights({ namespace: velero, podNamespaces }),
    );
  const annotated = async () =>
    podNamespacesOf((await client.get(paths.serviceAccounts(velero, 'restorehooks'))) as { metadata?: object });

  before(async () => {
    client = kubeClient(loadKubeConfig({ env: process.env }));
    for (const name of [velero, shop]) {
      await client.create(paths.namespaces(), { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
      await client.create(paths.roleBindings(name), {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name: 'admin', namespace: name },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'admin' },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: velero }],
      });
    }
  });
  after(async () => {
    await setup('--delete');
    for (const name of [velero, shop]) await client.delete(paths.namespaces(name));
    client.close();
  });

  it('changes nothing for somebody who would grant more than he holds', async () => {
    const { code, stdout, stderr } = await setup('--apply', '--namespaces', shop, '--as', velero);
    assert.deepEqual([code, stdout], [5, '']);
    assert.match(stderr, /attempting to grant RBAC permissions not currently held/);
    assert.equal((await setup('--delete')).stdout, 'nothing to take away\n');
  });

  it('grants what the runner needs, in the whole cluster or in namespaces, and back', async () => {
    const places = [undefined, [shop], undefined];
    for (const [index, place] of places.entries()) {
      const limit = place === undefined ? [] : ['--namespaces', place.join()];
      const { code, stderr } = await setup('--apply', ...limit);
      assert.equal(code, 0, stderr);
      assert.match(stderr, place === undefined ? /^warning: this lets the runner .*\n$/m : /^$/); // R8.87
      const isLifted = stderr.includes(`was limited; to limit it again: --namespaces ${shop}\n`);
      assert.equal(isLifted, index === 2, stderr);
      assert.deepEqual(await lacks(place), []);
      assert.deepEqual(await annotated(), place);
      if (place !== undefined) assert.equal((await lacks()).length, 5);
      const again = await setup('--apply', ...limit);
      assert.doesNotMatch(again.stdout, /created|configured|deleted/);
    }
  });

  it('takes it away again', async () => {
    assert.equal((await setup('--delete')).code, 0);
    assert.equal((await lacks()).length, runnerRights({ namespace: velero }).length);
  });
});
