import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RunStatus } from '../../../../shared/core/report/run-status.ts';
import { statusText } from '../../../../shared/core/report/run-status.ts';
import type { KubeObject } from '../../../../shared/kubernetes/api/kube-object.ts';
import { paths } from '../../../../shared/kubernetes/api/paths.ts';
import { kubernetesRunStore, writeStatus } from '../../../../shared/kubernetes/run/run-store.ts';
import { FakeApi } from '../../../sim/fake-api.ts';
import { Random } from '../../../sim/random.ts';
import { pendingStatus } from '../../../sim/run-world.ts';
import { VirtualClock } from '../../../sim/virtual-clock.ts';

const RESTORE = { namespace: 'velero', name: 'nightly', uid: 'u' };
const status: RunStatus = { ...pendingStatus(1), runner: { kind: 'local', name: 'sim', claimedBy: 'me' } };
const standing = (metadata: object = {}): KubeObject => ({
  metadata: {
    ...RESTORE,
    annotations: { 'restorehooks.io/status': statusText(status) },
    ...metadata,
  },
  spec: {},
  status: { phase: 'Completed' },
});

/** A run's store whose Restore is replaced or deleted after the store has read it. */
async function storeThenWith(next: KubeObject | undefined) {
  const api = new FakeApi(new VirtualClock(), new Random(1));
  const path = paths.restores(RESTORE.namespace, RESTORE.name);
  api.put(path, standing());
  const store = kubernetesRunStore(api.calm, RESTORE, status, 1, {});
  assert.deepEqual(await store.checkRestore(), {});
  if (next === undefined) api.remove(path);
  else api.put(path, next);
  return store;
}

describe('a Restore', () => {
  const ends: [title: string, next: KubeObject | undefined][] = [
    ['that is gone', undefined],
    ['that is being deleted', standing({ deletionTimestamp: '2026-01-01T00:00:00Z' })],
    ['in whose place there is another of its name', standing({ uid: 'another' })],
  ];
  for (const [title, next] of ends) {
    it(`${title} is not found, be it looked at or written`, async () => {
      await assert.rejects((await storeThenWith(next)).checkRestore(), { code: 'NOT_FOUND' });
      const annotated = (await storeThenWith(next)).annotate({ a: 'b' });
      await assert.rejects(annotated, { code: 'NOT_FOUND' });
    });
  }

  it('that stands is looked at and written', async () => {
    const store = await storeThenWith(standing());
    assert.deepEqual([await store.checkRestore(), await store.annotate({ a: 'b' })], [{}, {}]);
  });

  it("with another runner's claim is that runner's", async () => {
    const claimed = { ...status, runner: { ...status.runner, claimedBy: 'another' } };
    const next = standing({ annotations: { 'restorehooks.io/status': statusText(claimed) } });
    await assert.rejects((await storeThenWith(next)).checkRestore(), { code: 'RUN_BY_ANOTHER' });
    await assert.rejects((await storeThenWith(next)).annotate({ a: 'b' }), { code: 'RUN_BY_ANOTHER' });
  });
});

describe('the annotation job', () => {
  const jobAfter = async (more: Partial<RunStatus>): Promise<unknown> => {
    const api = new FakeApi(new VirtualClock(), new Random(1));
    const path = paths.restores(RESTORE.namespace, RESTORE.name);
    api.put(path, standing({ annotations: { 'restorehooks.io/job': 'velero/of-the-run-before' } }));
    const { resourceVersion } = (await api.calm.get(path))['metadata'] as { resourceVersion: string };
    const written = await writeStatus(api.calm, { ...RESTORE, resourceVersion }, { ...status, ...more });
    return (written['metadata'] as { annotations: Record<string, unknown> }).annotations['restorehooks.io/job'];
  };

  // R8.78
  it("names the runner's Job where it is, and goes with a local run", async () => {
    const runner = { kind: 'job', name: 'restorehooks-nightly-abcdef' } as const;
    assert.equal(await jobAfter({ runner }), 'velero/restorehooks-nightly-abcdef');
    assert.equal(await jobAfter({ runner, runNamespace: 'runs' }), 'runs/restorehooks-nightly-abcdef');
    assert.equal(await jobAfter({}), undefined);
  });
});
