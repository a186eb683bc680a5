import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import type { Context } from 'aws-lambda';
import { loadKubeConfig } from '../../../shared/kubernetes/connect/kubeconfig.ts';
import { startEmbeddedCluster } from '../../embedded/server.ts';

const MARGIN_MS = 60_000;
const LEFT_MS = 10_000;

// R7.80
it('a call that has waited for its Restore until its margin leaves the run to the next call', async (t) => {
  const cluster = await startEmbeddedCluster({
    tls: true,
    namespaces: ['velero', 'shop'],
    authenticate: () => ({ name: 'lambda', groups: ['system:masters'] }),
  });
  t.after(() => cluster.close());
  const { server, caData, caFile = '' } = loadKubeConfig({ env: { KUBECONFIG: cluster.kubeconfigPath } }).cluster;
  Object.assign(process.env, {
    ...{ AWS_REGION: 'eu-central-1', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_SESSION_TOKEN: 'c' },
    ...{ EKS_CLUSTER_NAME: 'prod', EKS_CLUSTER_ENDPOINT: server },
    EKS_CLUSTER_CA: caData ?? readFileSync(caFile).toString('base64'),
  });
  const rbac = 'rbac.authorization.k8s.io';
  cluster.create({
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'lambda' },
    roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ apiGroup: rbac, kind: 'User', name: 'lambda' }],
  });
  cluster.create({
    apiVersion: 'velero.io/v1',
    kind: 'Restore',
    metadata: { name: 'nightly', namespace: 'velero' },
    spec: { hooks: { resources: [{ name: 'h', postHooks: [{ exec: { command: ['true'] } }] }] } },
    status: { phase: 'InProgress' },
  });
  cluster.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web-0', namespace: 'shop', labels: { 'velero.io/restore-name': 'nightly' } },
    spec: { containers: [{ name: 'main', image: 'i' }] },
  });
  // The Restore is ready in time, and the plan is not: its pods are told only when the margin has begun.
  let isAsked = false;
  let isListed = false;
  const finish = () =>
    cluster.update('restores', 'velero', 'nightly', (now) => ({ ...now, status: { phase: 'Completed' } }));
  cluster.intercept(({ resource, verb }) => {
    if (resource === 'restores' && !isAsked) setTimeout(finish, 300);
    isAsked ||= resource === 'restores';
    if (resource !== 'pods' || verb !== 'list' || isListed) return undefined;
    isListed = true;
    return { delay: LEFT_MS + 1_000 };
  });
  const { handler } = await import('../../../runner/lambda.ts');
  const context = { getRemainingTimeInMillis: () => MARGIN_MS + LEFT_MS, functionName: 'f', awsRequestId: 'r' };
  const event = {
    ...{ restore: 'nightly', namespace: 'velero', waitForRestore: true, execution: 'x', margin: '60s' },
    executionStart: new Date().toISOString(),
  };
  const { done, waitsFor } = (await handler(event, context as unknown as Context, () => undefined)) ?? {};
  assert.deepEqual([done, waitsFor], [false, 'it is ready, and the next call begins its run']);
});
