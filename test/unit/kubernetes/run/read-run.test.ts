import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rowDocument } from '../../../../shared/core/report/hook-row.ts';
import { paths } from '../../../../shared/kubernetes/api/paths.ts';
import type { ReportOfShard } from '../../../../shared/kubernetes/run/run-store.ts';
import { kubernetesRunStore } from '../../../../shared/kubernetes/run/run-store.ts';
import { readReportOf } from '../../../../shared/kubernetes/run/runs-of-restore.ts';
import { getRestore } from '../../../../shared/kubernetes/velero/restores.ts';
import { FakeApi } from '../../../sim/fake-api.ts';
import { Random } from '../../../sim/random.ts';
import { pendingStatus } from '../../../sim/run-world.ts';
import { VirtualClock } from '../../../sim/virtual-clock.ts';
import { execHook } from '../../runtime/hooks.ts';

const RESTORE = { namespace: 'velero', name: 'nightly', uid: 'u' };

// R8.48
test('the report of a run in shards has its rows in plan order, however many Secrets tell of them', async () => {
  const { calm } = new FakeApi(new VirtualClock(), new Random(1));
  const status = pendingStatus(4);
  const hooks = ['a', 'b', 'c', 'd'].map((pod) => execHook(pod));
  const rows = hooks.map((hook) => rowDocument({ hook, state: 'Waiting', message: 'x', run: 1, attempt: 1 }));
  const outline = () => [rows.slice(0, 2), rows.slice(2)];
  const [first, second] = [{ shard: { index: 0, of: 2 }, outline }, { shard: { index: 1, of: 2 } }];
  const storeOf = (sharded: ReportOfShard) => kubernetesRunStore(calm, RESTORE, status, 1, {}, undefined, sharded);
  await storeOf(first).addToReport([]);
  await storeOf(second).addToReport(rows.slice(2).reverse());
  await calm.create(paths.restores('velero'), { metadata: RESTORE, spec: {} });
  const restore = await getRestore(calm, 'velero', 'nightly');
  const read = await readReportOf(calm, RESTORE, restore, status.runID);
  assert.deepEqual(read, rows);
});
