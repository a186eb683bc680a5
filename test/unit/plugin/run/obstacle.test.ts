import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Session } from '../../../../plugin/command-line/session.ts';
import { isUp, obstacleOf } from '../../../../plugin/run/obstacle.ts';
import type { RunStatus } from '../../../../shared/core/report/run-status.ts';
import { pendingStatus } from '../../../sim/run-world.ts';

const status: RunStatus = { ...pendingStatus(1), runner: { kind: 'job', name: 'j' }, shards: [0, 0] };
const metadata = (shard: number) => ({
  name: `j-${shard}`,
  annotations: { 'batch.kubernetes.io/job-completion-index': `${shard}` },
});
const running = (shard: number) => ({
  metadata: metadata(shard),
  status: { phase: 'Running', containerStatuses: [{ name: 'runner', state: { running: {} } }] },
});
const homeless = (shard: number) => ({
  metadata: metadata(shard),
  status: {
    phase: 'Pending',
    conditions: [
      { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes are available' },
    ],
  },
});

function seeing(...pods: object[]): Session {
  const get = async () => ({ metadata: {}, status: { startTime: 'then' } });
  const listAll = async (path: string) => ({ items: path.includes('/events') ? [] : pods, resourceVersion: '' });
  return { client: { get, listAll }, namespace: 'velero' } as unknown as Session;
}

// R7.18, R8.43
describe('a Job of several shards that has not begun', () => {
  it('is up with its first shard, which claims the run', async () => {
    assert.equal(await isUp(seeing(homeless(0), running(1)), status), false);
    assert.equal(await isUp(seeing(running(0), homeless(1)), status), true);
  });

  it('is kept from it by what keeps its first shard from starting', async () => {
    const obstacle = await obstacleOf(seeing(homeless(0), running(1)), status);
    assert.equal(obstacle?.message, '0/1 nodes are available');
    assert.equal(await obstacleOf(seeing(running(0), homeless(1)), status), undefined);
    assert.equal((await obstacleOf(seeing(running(1)), status))?.reason, 'NoPod');
  });
});
