import assert from 'node:assert/strict';
import { it } from 'node:test';
import { showRun } from '../../../../plugin/run/run-display.ts';
import type { RunHook } from '../../../../shared/core/report/run-document.ts';
import { keeper } from '../harness.ts';
import { at, NOW, row } from '../output/live/runs.ts';

// R7.15, R3.57
it('lines without a screen tell each start, each try that has failed, and the end', () => {
  const stderr = keeper();
  const context = { stderr, env: {}, clock: { now: () => NOW } } as unknown as Parameters<typeof showRun>[0];
  const display = showRun(context, { namespace: 'velero', name: 'nightly' }, '');
  const first = row('web-0', { message: 'waiting for the pod' });
  const running = (attempt: number): RunHook =>
    row('web-0', { state: 'Running', attempt, startedAt: at(attempt), message: undefined });
  const pause = row('web-0', { attempt: 2, message: 'waiting for attempt 2 of 2: the last one exited with 1' });
  const end = row('web-0', { state: 'Failed', reason: 'exit', exitCode: 1, finishedAt: at(9), message: undefined });
  for (const each of [first, running(1), pause, pause, running(2), end]) display.changed([each]);
  assert.deepEqual(stderr.text().split('\n').slice(0, -1), [
    `${at(1)} Running shop/web-0/main/warm-up/0`,
    `${at(0)} Waiting shop/web-0/main/warm-up/0: waiting for attempt 2 of 2: the last one exited with 1`,
    `${at(2)} Running shop/web-0/main/warm-up/0`,
    `${at(9)} Failed shop/web-0/main/warm-up/0 (exit 1)`,
  ]);
});
