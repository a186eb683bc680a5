import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RestoreHooksError } from '../../../../shared/core/errors.ts';
import { instant } from '../../../../shared/core/model/instant.ts';
import type { RunStatus } from '../../../../shared/core/report/run-status.ts';
import { hasDied } from '../../../../shared/kubernetes/run/earlier-run.ts';

const NOW = Date.parse('2026-01-01T00:10:00Z');
const clock = { now: () => instant(NOW), setTimer: () => () => undefined, soon: () => undefined };
const restore = { namespace: 'velero', name: 'nightly' };
const status = {
  runID: 'abc123',
  phase: 'InProgress',
  createdAt: '2026-01-01T00:00:00Z',
  runner: { kind: 'job', name: 'restorehooks-nightly-abc123', claimedBy: 'u' },
} as unknown as RunStatus;

const running = { running: {} };
const ofShard = (index: number) => ({ annotations: { 'batch.kubernetes.io/job-completion-index': `${index}` } });
const ended = (agoMs: number, exitCode = 137) => ({
  terminated: { exitCode, finishedAt: new Date(NOW - agoMs).toISOString() },
});
const pod = (runner: object, others: readonly object[], metadata: object = {}, phase = 'Running') => ({
  metadata,
  status: {
    phase,
    containerStatuses: [
      ...others.map((state, index) => ({ name: `beside-${index}`, state })),
      { name: 'runner', state: runner },
    ],
  },
});
const died = (...pods: object[]) =>
  hasDied(
    {
      get: async () => ({ status: {} }) as never,
      listAll: async () => ({ items: pods as never[], resourceVersion: '' }),
    },
    clock,
    restore,
    status,
  );

// R8.27
describe('the runner of a Job that is going', () => {
  const long = ended(100_000);

  it('has died if it ended long ago and a container beside it lives on', async () => {
    assert.equal(await died(pod(long, [running])), true);
    assert.equal(await died(pod(long, [], {}, 'Failed'), pod(long, [long, running])), true);
  });

  it('has not died while it may still write its end, or while the Job will start, or has started, another one', async () => {
    const alive: readonly [title: string, pods: readonly object[]][] = [
      ['it runs', [pod(running, [running])]],
      ['it has ended just now', [pod(ended(30_000), [running])]],
      ['its pod ends', [pod(long, [running], { deletionTimestamp: 'now' })]],
      ['nothing is beside it', [pod(long, [])]],
      ['what was beside it has ended, too', [pod(long, [long])]],
      ['another one runs', [pod(long, [running]), pod(running, [running])]],
      ['there is no pod', []],
      ['its pod has failed', [pod(long, [], {}, 'Failed')]],
      [
        'another shard is done beside its sidecar, and the next pod of the first one is about to come',
        [pod(ended(5_000), [], ofShard(0), 'Failed'), pod(ended(100_000, 0), [running], ofShard(1))],
      ],
    ];
    for (const [title, pods] of alive) assert.equal(await died(...pods), false, title);
  });

  it('is taken to be alive by who may not see its pod', async () => {
    const listAll = async (): Promise<never> => {
      throw new RestoreHooksError('FORBIDDEN', 'no');
    };
    assert.equal(await hasDied({ get: async () => ({ status: {} }) as never, listAll }, clock, restore, status), false);
  });
});
