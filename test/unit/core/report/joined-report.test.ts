import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { instant } from '../../../../shared/core/model/instant.ts';
import { rowDocument } from '../../../../shared/core/report/hook-row.ts';
import type { ReportPart, RunHook } from '../../../../shared/core/report/run-document.ts';
import { JoinedReport } from '../../../../shared/core/report/run-document.ts';
import { execHook } from '../../runtime/hooks.ts';

const kept: RunHook = rowDocument({
  hook: execHook('a'),
  run: 1,
  attempt: 1,
  state: 'Failed',
  reason: 'exit',
  exitCode: 1,
  message: 'as an earlier run said',
  finishedAt: instant(1),
});
const part = (hooks: readonly RunHook[]): ReportPart => ({ version: 1, runID: 'r', part: 0, hooks: [...hooks] });

describe('the rows that a part of a report changes', () => {
  it('are none where it repeats what was said: two shards tell of a row that is kept', () => {
    const report = new JoinedReport();
    assert.deepEqual(report.add(part([kept])), [kept]);
    assert.deepEqual(report.add(part([{ ...kept }])), []);
    assert.deepEqual(report.rows, [kept]);
  });

  it('are those of which it says more', () => {
    const report = new JoinedReport();
    report.add(part([kept]));
    const told: RunHook = { ...kept, stderr: 'no such table\n' };
    assert.deepEqual(report.add(part([told])), [told]);
  });

  it('keep what was said before, if the next runner knows only the result', () => {
    const report = new JoinedReport();
    report.add(part([kept]));
    const { message: _, ...silent } = kept;
    assert.deepEqual(report.add(part([silent as RunHook])), []);
    assert.deepEqual(report.rows, [kept]);
  });
});
