import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RestoreHooksError } from '../../../../shared/core/errors.ts';
import { leaseName, runLabels } from '../../../../shared/core/names.ts';
import type { KubeObject } from '../../../../shared/kubernetes/api/kube-object.ts';
import { paths } from '../../../../shared/kubernetes/api/paths.ts';
import { findRuns } from '../../../../shared/kubernetes/run/find-runs.ts';
import { FakeApi } from '../../../sim/fake-api.ts';
import { Random } from '../../../sim/random.ts';
import { pendingStatus } from '../../../sim/run-world.ts';
import { VirtualClock } from '../../../sim/virtual-clock.ts';

const RESTORE = { namespace: 'velero', name: 'nightly', uid: 'u' };

function cluster() {
  const api = new FakeApi(new VirtualClock(), new Random(1));
  const own = (runID: string, name: string, uid = 'u'): KubeObject => ({
    metadata: { name, labels: runLabels('nightly', runID), ownerReferences: [{ uid }] },
  });
  api.put(paths.configMaps('velero', 'j1'), own('run1', 'j1'));
  api.put(paths.configMaps('velero', 'j0'), own('run0', 'j0', 'of a deleted Restore'));
  api.put(paths.secrets('velero', 'r2'), { ...own('run2', 'r2'), type: 'restorehooks.io/report' });
  api.put(paths.secrets('velero', 'p3'), { ...own('run3', 'p3'), type: 'restorehooks.io/plan' });
  api.put(paths.leases('velero', leaseName('nightly')), {
    metadata: {
      name: leaseName('nightly'),
      annotations: { 'restorehooks.io/runs': 'run1 run5' },
      ownerReferences: [{ uid: 'u' }],
    },
  });
  return api.calm;
}
const status = { ...pendingStatus(1), runID: 'run4' };

describe('the runs of a Restore', () => {
  // R7.29: no pod is asked for.
  it('are those that own a journal or a report, and those of its status', async () => {
    const { runIDs, inLease, inStatus, journals, reports } = await findRuns(cluster(), RESTORE, status, true);
    assert.deepEqual([runIDs, inLease, inStatus], [['run1', 'run2', 'run4'], [], ['run4']]);
    assert.deepEqual([journals?.map(({ name }) => name), reports?.map(({ name }) => name)], [['j1'], ['r2']]);
  });

  it('are named by the Lease where objects may not be listed', async () => {
    const client = cluster();
    const denied = async () => Promise.reject(new RestoreHooksError('FORBIDDEN', 'no'));
    for (const [who, canList] of [
      [{ ...client, listAll: denied }, true],
      [client, false],
    ] as const) {
      const { runIDs, inLease, journals, reports } = await findRuns(who, RESTORE, status, canList);
      assert.deepEqual(
        [runIDs, inLease],
        [
          ['run1', 'run5', 'run4'],
          ['run1', 'run5'],
        ],
      );
      assert.deepEqual([journals, reports], [undefined, undefined]);
    }
  });

  it('include the one before the last, whose report is kept', async () => {
    const before = { runID: 'run9', reportParts: 1, attempt: 1, planDigest: 'sha256:0', planned: 1 };
    const { inStatus } = await findRuns(cluster(), RESTORE, { ...status, before }, true);
    assert.deepEqual(inStatus, ['run9', 'run4']);
  });
});
