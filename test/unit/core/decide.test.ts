import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { HookId, PlannedExecHook, PlannedHook } from '../../../shared/core/hook.ts';
import { rowsOfDeadRun } from '../../../shared/core/report/dead-run.ts';
import { decide, decideRetry } from '../../../shared/core/report/decide.ts';
import { hookDocument } from '../../../shared/core/report/make-plan-document.ts';
import type { HookResult, RunHook } from '../../../shared/core/report/run-document.ts';
import type { RunStatus } from '../../../shared/core/report/run-status.ts';
import { parseRunStatus, progressLine, statusText } from '../../../shared/core/report/run-status.ts';

const hookOf = (name: string, part: Partial<PlannedExecHook> = {}): PlannedExecHook => ({
  id: `ns/p/a/${name}/0` as HookId,
  kind: 'exec',
  namespace: 'ns',
  pod: 'p',
  podUID: 'u',
  container: 'a',
  source: 'spec',
  origin: 'velero',
  name,
  index: 0,
  command: ['c'],
  onError: 'Continue',
  execTimeoutMs: 30_000,
  execTimeoutFrom: 'default',
  waitTimeoutMs: null,
  waitTimeoutFrom: 'default',
  waitForReady: false,
  ...part,
});
const rowOf = (hook: PlannedHook, part: Partial<HookResult> = {}): RunHook => ({
  ...hookDocument(hook),
  state: 'Succeeded',
  exitCode: 0,
  attempt: 1,
  finishedAt: '2026-01-01T00:00:00.000Z',
  ...part,
});
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
const one = hookOf('one');
const two = hookOf('two');
const same = { digest: 'sha256:1', hooks: [one] };
const other = { digest: 'sha256:2', hooks: [one, two] };

describe('apply', () => {
  test('starts where nothing has run', () => {
    assert.deepEqual(decide(undefined, same, false), { action: 'start', kept: [], difference: [], lost: [] });
  });

  test('follows a run of the same plan, and refuses beside any other', () => {
    const going = { status: statusOf({ phase: 'InProgress' }), rows: [], died: false };
    assert.equal(decide(going, same, false).action, 'follow');
    assert.equal(decide(going, other, false).action, 'refuse');
    assert.equal(decide(going, same, true).action, 'refuse');
  });

  test('shows a run of the same plan that has ended, and starts over only when asked', () => {
    const ended = { status: statusOf(), rows: [rowOf(one)], died: false };
    assert.equal(decide(ended, same, false).action, 'show');
    assert.deepEqual(decide(ended, same, true), { action: 'start', kept: [], difference: [], lost: [] });
  });

  test('starts anew where nothing was executed', () => {
    const rows = [rowOf(one, { state: 'NotExecuted', reason: 'aborted' })];
    assert.equal(decide({ status: statusOf({ phase: 'Failed' }), rows, died: false }, same, false).action, 'start');
  });

  test('runs only what is new of another plan, and says the difference', () => {
    const gone = hookOf('gone');
    const decision = decide({ status: statusOf(), rows: [rowOf(one), rowOf(gone)], died: false }, other, false);
    assert.deepEqual(decision, {
      action: 'start',
      kept: [rowOf(one)],
      difference: ['+ ns/p/a/two/0', '- ns/p/a/gone/0'],
      lost: [],
    });
  });

  test('keeps nothing of another pod or another command', () => {
    const rows = [rowOf(hookOf('one', { podUID: 'before' })), rowOf(hookOf('two', { command: ['before'] }))];
    assert.deepEqual(decide({ status: statusOf(), rows, died: false }, other, false), {
      action: 'start',
      kept: [],
      difference: ['~ ns/p/a/one/0 (another pod)', '~ ns/p/a/two/0 (another command)'],
      lost: [],
    });
  });

  test('watches an init container again of which a dead runner has told nothing, and calls it Unknown until then', () => {
    const { command: _, onError: __, execTimeoutMs: ___, execTimeoutFrom: ____, waitForReady: _____, ...both } = one;
    const found: PlannedHook = { ...both, kind: 'init', container: 'load', image: 'i', injection: 'found' };
    const waiting = [found, { ...found, injection: undefined, never: 'not-injected' as const }].map((hook) =>
      rowOf(hook, { state: 'Waiting' }),
    );
    const rows = rowsOfDeadRun(waiting, { hooks: new Map(), lost: new Map() }, true, 0);
    const states = rows.map(({ state, reason }) => `${state} ${reason}`);
    assert.deepEqual(states, ['Unknown runner-died', 'NotExecuted runner-died']);
    const died = { status: statusOf({ phase: 'InProgress' }), rows: [rowOf(two), ...rows.slice(0, 1)], died: true };
    assert.deepEqual(decide(died, { digest: 'sha256:1', hooks: [found, two] }, false), {
      action: 'start',
      kept: [rowOf(two)],
      difference: [],
      lost: [],
    });
  });

  test('goes on where a runner died', () => {
    const unfinished = rowOf(two, { state: 'Waiting' });
    delete unfinished.finishedAt;
    const died = { status: statusOf({ phase: 'InProgress' }), rows: [rowOf(one), unfinished], died: true };
    assert.deepEqual(decide(died, { digest: 'sha256:1', hooks: [one, two] }, false), {
      action: 'start',
      kept: [rowOf(one)],
      difference: [],
      lost: [],
    });
  });
});

describe('retry', () => {
  test('says of each hook since when its command may be running: nothing starts beside it', () => {
    const startedAt = '2025-12-31T23:59:50.000Z';
    const rows = [
      rowOf(one, { state: 'Unknown', reason: 'connection-lost', startedAt }),
      rowOf(two, { state: 'Unknown', reason: 'runner-died' }),
      rowOf(hookOf('three'), { state: 'TimedOut', reason: 'executing', startedAt }),
    ];
    const earlier = { status: statusOf({ phase: 'CompletedWithFailures' }), rows, died: false };
    assert.deepEqual(
      decideRetry(earlier, () => true, 'fail'),
      {
        action: 'start',
        kept: [],
        difference: [],
        lost: [
          { id: one.id, since: startedAt },
          { id: two.id, since: '2026-01-01T00:00:00.000Z' },
        ],
      },
    );
  });
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

  test('the progress is one line for people', () => {
    const counts = { planned: 10, succeeded: 6, failed: 1, timedOut: 0, notExecuted: 0, unknown: 0 };
    assert.equal(progressLine({ ...counts, running: 1, waiting: 2 }), '7/10 done, 1 failed, 1 running, 2 waiting');
  });
});
