import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countRows, failedStatus } from '../../../../shared/core/report/dead-run.ts';
import type { RunStatus } from '../../../../shared/core/report/run-status.ts';
import { pendingStatus } from '../../../sim/run-world.ts';

const none = { planned: 0, succeeded: 0, failed: 0, timedOut: 0, notExecuted: 0, unknown: 0, waiting: 0, running: 0 };

test('rows are counted by their states', () => {
  assert.deepEqual(countRows([]), none);
  const states = [
    'Waiting',
    'Running',
    'Succeeded',
    'Failed',
    'TimedOut',
    'NotExecuted',
    'Unknown',
    'Unknown',
  ] as const;
  const counts = countRows(states.map((state) => ({ state })));
  assert.deepEqual(counts, {
    planned: 8,
    succeeded: 1,
    failed: 1,
    timedOut: 1,
    notExecuted: 1,
    unknown: 2,
    waiting: 1,
    running: 1,
  });
});

test('of a run that failed, what has not ended is Unknown if a runner had claimed it, and else NotExecuted', () => {
  const counts = { ...none, planned: 6, succeeded: 1, notExecuted: 1, unknown: 1, waiting: 2, running: 1 };
  const openWave = { version: 1, number: 0, place: 1, of: 2, left: 1, first: 'a', message: 'running' } as const;
  const status: RunStatus = { ...pendingStatus(6), phase: 'InProgress', counts, openWave };
  const failure = { code: 'job', message: 'x'.repeat(600) } as const;
  const untouched = failedStatus(status, failure);
  assert.deepEqual([untouched.phase, untouched.failure?.code], ['Failed', 'job']);
  assert.equal(untouched.failure?.message.length, 500);
  assert.equal(untouched.openWave, undefined); // R3.46
  assert.deepEqual(untouched.counts, { ...counts, waiting: 0, running: 0, notExecuted: 4 });
  const claimed = failedStatus({ ...status, runner: { ...status.runner, claimedBy: 'pod' } }, failure);
  assert.deepEqual(claimed.counts, { ...counts, waiting: 0, running: 0, unknown: 4 });
});
