import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { RestoreHooksError } from '../../shared/core/errors.ts';
import { kubeApiError } from '../../shared/kubernetes/api/api-error.ts';
import type { KubeClient } from '../../shared/kubernetes/api/client.ts';
import { kubeClient } from '../../shared/kubernetes/api/client.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import type { KubeConfig } from '../../shared/kubernetes/connect/kubeconfig.ts';
import { loadKubeConfig } from '../../shared/kubernetes/connect/kubeconfig.ts';

const skip = process.env['RESTOREHOOKS_TEST_CLUSTER'] === '1' ? false : 'needs a cluster: RESTOREHOOKS_TEST_CLUSTER=1';
const namespace = `client-test-${process.pid}`;
const refusal = (promise: Promise<unknown>): Promise<RestoreHooksError> =>
  promise.then(
    () => assert.fail('it succeeded'),
    (error) => error,
  );

describe('kubeClient against a real API server', { skip }, () => {
  let config: KubeConfig;
  let client: KubeClient;
  const configMap = (name: string, data: object = {}) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, labels: { made: 'here' } },
    data,
  });

  before(async () => {
    config = loadKubeConfig({ env: process.env });
    client = kubeClient(config);
    await client.create(paths.namespaces(), { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
  });
  after(async () => {
    await client.delete(paths.namespaces(namespace));
    client.close();
  });

  it('creates, reads, patches in every way, and deletes by UID', async () => {
    const at = paths.configMaps(namespace, 'one');
    assert.equal((await refusal(client.get(at))).code, 'NOT_FOUND');
    await client.create(paths.configMaps(namespace), configMap('one'), { dryRun: true });
    assert.equal((await refusal(client.get(at))).code, 'NOT_FOUND');
    const created = await client.create(paths.configMaps(namespace), configMap('one', { a: '1' }));
    const { uid, resourceVersion } = created['metadata'] as { uid: string; resourceVersion: string };

    const exists = await refusal(client.create(paths.configMaps(namespace), configMap('one')));
    assert.deepEqual([exists.code, kubeApiError(exists)?.reason], ['WRITE_CONFLICT', 'AlreadyExists']);
    await client.patch(at, { data: { b: '2' } }, 'merge');
    await client.patch(
      at,
      [
        { op: 'test', path: '/data/b', value: '2' },
        { op: 'add', path: '/data/c', value: '3' },
      ],
      'json',
    );
    await client.patch(at, { data: { d: '4' } }, 'strategic');
    const applied = await client.patch(at, { apiVersion: 'v1', kind: 'ConfigMap', data: { e: '5' } }, 'apply', {
      fieldManager: 'test',
    });
    assert.deepEqual(applied['data'], { a: '1', b: '2', c: '3', d: '4', e: '5' });

    const test = await refusal(client.patch(at, [{ op: 'test', path: '/data/b', value: 'other' }], 'json'));
    assert.deepEqual([test.code, kubeApiError(test)?.status], ['INVALID_INPUT', 422]);
    const stale = await refusal(client.patch(at, { metadata: { resourceVersion } }, 'merge'));
    assert.deepEqual([stale.code, kubeApiError(stale)?.reason], ['WRITE_CONFLICT', 'Conflict']);
    assert.equal((await refusal(client.delete(at, { uid: 'another' }))).code, 'WRITE_CONFLICT');
    await client.delete(at, { uid });
    assert.equal((await refusal(client.get(at))).code, 'NOT_FOUND');
    const typed = { ...configMap('typo'), dta: {} };
    assert.equal(
      (await refusal(client.create(paths.configMaps(namespace), typed, { fieldValidation: 'Strict' }))).code,
      'INVALID_INPUT',
    );
  });

  it('tells an object that is missing from a resource that is not installed', async () => {
    assert.equal(kubeApiError(await refusal(client.get(paths.pods(namespace, 'no'))))?.name, 'no');
    const unknown = kubeApiError(await refusal(client.get('/apis/no.such.io/v1/namespaces/x/things/no')));
    assert.deepEqual([unknown?.status, unknown?.name], [404, undefined]);
  });

  it('lists more than one page, whole and in order of the server', async () => {
    const names = Array.from({ length: 620 }, (_, i) => `many-${String(i).padStart(3, '0')}`);
    for (let from = 0; from < names.length; from += 50) {
      await Promise.all(
        names.slice(from, from + 50).map((name) => client.create(paths.configMaps(namespace), configMap(name))),
      );
    }
    const sizes: number[] = [];
    for await (const page of client.list(paths.configMaps(namespace), { labelSelector: 'made=here' }))
      sizes.push(page.items.length);
    assert.deepEqual(sizes, [500, 120]);
    const { items, resourceVersion } = await client.listAll(paths.configMaps(namespace), {
      labelSelector: 'made=here',
    });
    assert.deepEqual(
      items.map((item) => (item['metadata'] as { name: string }).name),
      names,
    );
    assert.match(resourceVersion, /^\d+$/);
  });

  it("is refused what a ServiceAccount's token may not do, and what no token may", async () => {
    await client.create(paths.serviceAccounts(namespace), {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'limited' },
    });
    const request = await client.create(`${paths.serviceAccounts(namespace, 'limited')}/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: {},
    });
    const { token } = request['status'] as { token: string };
    const limited = kubeClient({ ...config, user: { name: 'limited', token } });
    const denied = await refusal(limited.get(paths.pods(namespace, 'x')));
    assert.equal(denied.code, 'FORBIDDEN');
    assert.match(denied.message, /^user system:serviceaccount:.*:limited may not get pods in namespace /);
    const wrong = await refusal(kubeClient({ ...config, user: { name: 'wrong', token: 'wrong' } }).get('/api/v1/pods'));
    assert.deepEqual([wrong.code, kubeApiError(wrong)?.status], ['FORBIDDEN', 401]);
  });

  it('acts as the user and the groups it is told to', async () => {
    const me = async (as: string, asGroup: string[]) => {
      const review = await kubeClient(loadKubeConfig({ env: process.env, as, asGroup })).create(
        '/apis/authentication.k8s.io/v1/selfsubjectreviews',
        { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
      );
      const { username, groups } = (review['status'] as { userInfo: { username: string; groups: string[] } }).userInfo;
      return [username, groups];
    };
    assert.deepEqual(await me('jane', ['dev', 'ops']), ['jane', ['dev', 'ops', 'system:authenticated']]);
  });

  it('tells a certificate that is not trusted and a server that is not there', async () => {
    const { caFile: _, caData: __, ...cluster } = config.cluster;
    const untrusted = await refusal(kubeClient({ ...config, cluster }).get('/version'));
    assert.equal(untrusted.code, 'CLUSTER_UNREACHABLE');
    assert.match(untrusted.message, /certificate is not trusted/);
    const absent = await refusal(
      kubeClient({ ...config, cluster: { ...config.cluster, server: 'https://127.0.0.1:9' } }).get('/version'),
    );
    assert.match(absent.message, /127\.0\.0\.1:9 can't be reached: connection refused/);
  });
});
