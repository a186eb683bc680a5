import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { instant } from '../../../../shared/core/model/instant.ts';
import type { HookRow } from '../../../../shared/core/report/hook-row.ts';
import { isEnded, parseRow, rowDocument } from '../../../../shared/core/report/hook-row.ts';
import { RunHook } from '../../../../shared/core/report/run-document.ts';
import { execHook, initHook } from '../../runtime/hooks.ts';

const hook = execHook('p', { waitTimeoutMs: 1_500 });
const at = { startedAt: instant(1_000), finishedAt: instant(2_000) };
const ROWS: readonly HookRow[] = [
  { hook, run: 1, attempt: 1, state: 'Waiting', message: 'waiting for the pod' },
  { hook, run: 1, attempt: 1, state: 'Running' },
  { hook: initHook('p'), run: 2, attempt: 2, state: 'Running', startedAt: instant(1_000) },
  { hook, run: 1, attempt: 1, state: 'Succeeded', exitCode: 0, unproven: true, ...at },
  { hook, run: 1, attempt: 1, state: 'Failed', reason: 'exit', exitCode: 3, ...at },
  { hook, run: 1, attempt: 1, state: 'NotExecuted', reason: 'runner-died', message: 'm' },
];

describe('a row', () => {
  it('is read back as it was written', () => {
    for (const row of ROWS) {
      const document = JSON.parse(JSON.stringify(rowDocument(row)));
      assert.deepEqual(parseRow(RunHook.parse(document)), row);
    }
  });

  it('is written with its times and durations as text, in the order of fields that reports have', () => {
    const { podUID: _, ...planned } = hook;
    const document = rowDocument(
      { hook, run: 1, attempt: 1, state: 'Failed', reason: 'exit', exitCode: 3, ...at },
      planned,
    );
    assert.deepEqual(Object.keys(document).slice(-10), [
      'execTimeout',
      'waitTimeout',
      'podUID',
      'state',
      'reason',
      'exitCode',
      'startedAt',
      'finishedAt',
      'run',
      'attempt',
    ]);
    const { execTimeout, waitTimeout, startedAt } = document as Record<string, unknown>;
    assert.deepEqual([execTimeout, waitTimeout, startedAt], ['30s', '1.5s', '1970-01-01T00:00:01.000Z']);
  });

  // R3.49
  it('that was written before rows had a run belongs to the run that its attempt told', () => {
    const { run: _, ...old } = rowDocument({ ...(ROWS[4] as HookRow), attempt: 3 });
    const { run, attempt } = parseRow(RunHook.parse(old));
    assert.deepEqual([run, attempt], [3, 3]);
    assert.throws(() => RunHook.parse({ ...old, attempt: undefined }));
  });

  it('is read without what the hook printed', () => {
    const row = ROWS[4] as HookRow;
    assert.deepEqual(parseRow({ ...rowDocument(row), stdout: 'x', outputDropped: true }), row);
  });

  it('that says what no hook can end with says that nobody knows', () => {
    const { state, reason } = parseRow({ ...rowDocument(ROWS[4] as HookRow), reason: 'waiting' });
    assert.deepEqual([state, reason], ['Unknown', 'runner-died']);
  });

  it('has ended but for waiting and running', () => {
    assert.deepEqual(ROWS.map(isEnded), [false, false, false, true, true, true]);
  });
});
