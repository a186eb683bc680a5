import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { dump } from 'js-yaml';
import { pruneRights } from '../../../../plugin/run/prune.ts';
import type { EmbeddedCluster } from '../../../embedded/server.ts';
import { startEmbeddedCluster } from '../../../embedded/server.ts';
import { run } from '../harness.ts';

const group = 'rbac.authorization.k8s.io';

describe('kubectl restorehooks prune', () => {
  let cluster: EmbeddedCluster;
  const grant = (user: string, namespace: string, rules: object[]): void => {
    const metadata = { name: user, namespace };
    cluster.create({ apiVersion: `${group}/v1`, kind: 'Role', metadata, rules });
    cluster.create({
      apiVersion: `${group}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: group, kind: 'Role', name: user },
      subjects: [{ apiGroup: group, kind: 'User', name: user }],
    });
  };
  before(async () => {
    cluster = await startEmbeddedCluster({ namespaces: ['runs'], users: [{ name: 'sre' }, { name: 'reader' }] });
    const metadata = { name: 'nightly', namespace: 'velero' };
    cluster.create({ apiVersion: 'velero.io/v1', kind: 'Restore', metadata, spec: { backupName: 'b' } });
    const defaults = { apiVersion: 'restorehooks.io/v1', kind: 'RestoreHookDefaults', runNamespace: 'runs' };
    cluster.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'restorehooks-defaults', namespace: 'velero' },
      data: { 'defaults.yaml': dump(defaults) },
    });
    for (const user of ['sre', 'reader']) {
      grant(user, 'velero', [
        { apiGroups: ['velero.io'], resources: ['restores'], verbs: ['get'] },
        { apiGroups: [''], resources: ['configmaps'], resourceNames: ['restorehooks-defaults'], verbs: ['get'] },
      ]);
    }
    const inRuns = pruneRights('runs').map(({ group: apiGroup, resource, verb }) => ({
      apiGroups: [apiGroup],
      resources: [resource],
      verbs: [verb],
    }));
    grant('sre', 'runs', inRuns);
  });
  after(() => cluster.close());

  const prune = async (user: string, ...argv: string[]) =>
    run(['prune', ...argv, '--kubeconfig', await cluster.writeKubeconfig(user)]);

  // R8.83
  it('looks for the runs of a Restore that has had none where the defaults say, and needs rights there alone', async () => {
    const { code, stdout, stderr } = await prune('sre', 'nightly', '--dry-run');
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^nothing to remove; 0 runs stay/);

    const refused = await prune('reader', 'nightly', '--dry-run');
    assert.equal(refused.code, 5);
    assert.match(refused.stderr, /^error: user reader may not [^\n]+ in namespace runs\n/);
    assert.doesNotMatch(refused.stderr, /velero/);
  });

  // R8.82
  it('says of a namespace of runs that it is not there', async () => {
    for (const argv of [['--deleted'], ['nightly'], ['nightly', '--dry-run']]) {
      const { code, stdout, stderr } = await prune('admin', ...argv, '--run-namespace=nosuch');
      assert.deepEqual([code, stdout], [4, '']);
      assert.match(stderr, /^error: there is no namespace nosuch\nhint: [^\n]*--run-namespace\n$/);
    }
    const { code, stdout } = await prune('admin', '--deleted');
    assert.equal(code, 0);
    assert.match(stdout, /^nothing to remove: no deleted Restore has left anything in namespace runs\n$/);
  });
});
