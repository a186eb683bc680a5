import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RunStatus } from '../../../../shared/core/report/run-status.ts';
import { parseRunStatus, progressLine, statusText } from '../../../../shared/core/report/run-status.ts';

const statusOf = (part: Partial<RunStatus> = {}): RunStatus => ({
  version: 1,
  runID: 'abcdef',
  attempt: 1,
  planDigest: 'sha256:1',
  phase: 'Completed',
  runner: { kind: 'job', name: 'restorehooks-r1-abcdef' },
  createdAt: '2026-01-01T00:00:00.000Z',
  failOn: 'fail',
  counts: { planned: 1, succeeded: 1, failed: 0, timedOut: 0, notExecuted: 0, unknown: 0, waiting: 0, running: 0 },
  failures: [],
  reportParts: 1,
  ...part,
});

describe('the status annotation', () => {
  const failure = (index: number) => ({
    id: `${'n'.repeat(250)}/${'p'.repeat(250)}/a/${'h'.repeat(400)}${index}/0`,
    state: 'Failed' as const,
    reason: 'exit' as const,
    exitCode: 1,
  });

  test('is read back as it was written', () => {
    const status = statusOf({ failures: [failure(1)], notices: ['é'] });
    assert.deepEqual(parseRunStatus(statusText(status)), { ok: true, value: status });
  });

  // R5.8
  test('never is over 4 KiB: failures give way, then a long failure message', () => {
    const long = statusText(statusOf({ failures: [1, 2, 3, 4, 5].map(failure), notices: ['é'.repeat(500)] }));
    assert.ok(Buffer.byteLength(long) <= 4096);
    assert.ok(JSON.parse(long).failures.length >= 2);
    const message = '€'.repeat(9_000);
    const failed = statusText(statusOf({ phase: 'Failed', failure: { code: 'error', message }, notices: [message] }));
    assert.ok(Buffer.byteLength(failed) <= 4096, `${Buffer.byteLength(failed)}`);
    assert.ok(parseRunStatus(failed).ok);
  });

  test('what is no status is refused, not thrown', () => {
    for (const text of ['', '{', 'null', '[]', '{"version":2}']) assert.equal(parseRunStatus(text).ok, false);
  });

  // R5.7
  test('the progress is one line for people', () => {
    const counts = { planned: 10, succeeded: 6, failed: 1, timedOut: 0, notExecuted: 0, unknown: 0 };
    assert.equal(progressLine({ ...counts, running: 1, waiting: 2 }), '7/10 done, 1 failed, 1 running, 2 waiting');
  });
});
