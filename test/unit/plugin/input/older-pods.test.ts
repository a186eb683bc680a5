import assert from 'node:assert/strict';
import { it } from 'node:test';
import { withGivenPods } from '../../../../plugin/input/given-pods.ts';
import { Pod } from '../../../../shared/core/model/pod.ts';
import { parseRestore, parseRestoreHooks } from '../../../../shared/core/model/restore.ts';
import type { PlanRequest } from '../../../../shared/core/plan/plan-run.ts';
import { planRun } from '../../../../shared/core/plan/plan-run.ts';
import type { KubeClient } from '../../../../shared/kubernetes/api/client.ts';

const pod = (name: string, live: object = {}): Pod =>
  Pod.parse({
    metadata: { name, namespace: 'shop', labels: { 'velero.io/restore-name': 'nightly' }, ...live },
    spec: { containers: [{ name: 'main' }] },
  });

// R3.60, R1.16
it('a pod from before the Restore, which is left out, takes no hook with runOn away from a given pod', async () => {
  const restore = parseRestore({
    metadata: { name: 'nightly', namespace: 'velero', uid: 'r', creationTimestamp: '2026-01-02T00:00:00Z' },
    spec: { existingResourcePolicy: 'update' },
    status: { phase: 'Completed' },
  });
  const file = parseRestoreHooks({
    apiVersion: 'restorehooks.io/v1',
    kind: 'RestoreHooks',
    spec: { resources: [{ name: 'migrate', runOn: 'one', postHooks: [{ exec: { command: ['true'] } }] }] },
  });
  assert.ok(restore.ok && file.ok);
  const older = pod('db-0', { uid: 'old', creationTimestamp: '2026-01-01T00:00:00Z' });
  const live: PlanRequest = {
    ...{ restore: restore.value, namespace: 'velero', pods: [older], rerun: false, only: [] },
    selector: { labelSelector: 'velero.io/restore-name=nightly' },
    hookFiles: file.value.spec.resources,
  };
  const client = {
    async *list() {
      yield { items: [{ metadata: { namespace: 'shop', name: 'db-0' } }], resourceVersion: '1' };
    },
  } as unknown as Pick<KubeClient, 'list'>;
  const given = { pods: [pod('db-1')], skipped: [], notices: [], whole: async () => new Map() };
  const { hooks } = planRun(await withGivenPods(client, live, given));
  assert.deepEqual(
    hooks.map(({ id }) => id),
    ['shop/db-1/main/migrate/0'],
  );
});
