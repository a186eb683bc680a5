import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { step } from '../../../shared/core/execute/step.ts';
import { Reporter } from '../../../shared/runtime/reporter.ts';
import { Rows } from '../../../shared/runtime/rows.ts';
import { pendingStatus } from '../../sim/run-world.ts';
import { execHook } from './hooks.ts';
import { Parts } from './parts.ts';

const hook = execHook('p');
const up = {
  type: 'podObserved',
  pod: { key: 'ns/p' as never, uid: 'p-uid', phase: 'Running', containers: { main: { running: true, ready: true } } },
} as const;

function bench(status = pendingStatus(1)) {
  const parts = new Parts([hook]);
  return { parts, reporter: new Reporter(status, parts) };
}

describe('a reporter', () => {
  it('writes the first report before the first status, which names it', async () => {
    const { parts, reporter } = bench();
    assert.equal(await reporter.writeFirst(), undefined);
    assert.deepEqual(parts.written, ['report', 'annotate InProgress']);
    assert.deepEqual([parts.statuses[0]?.reportParts, parts.reports[0]?.length], [1, 1]);
  });

  it('says why the first report is not written, after one refusal, and writes no status then', async () => {
    const { parts, reporter } = bench();
    parts.refusals.set('report', 'RUN_FAILED');
    assert.equal((await reporter.writeFirst())?.code, 'RUN_FAILED');
    assert.deepEqual(parts.written, []);
  });

  it('writes a status after a change, and else looks every three seconds what is asked', async () => {
    const { parts, reporter } = bench();
    await reporter.writeFirst();
    parts.written.length = 0;
    void reporter.tellUntilOver();
    await parts.passed(2_500);
    assert.deepEqual(parts.written, []);
    parts.asked = { cancel: {} };
    await parts.passed(1_000);
    assert.deepEqual([parts.written, parts.told.map(({ type }) => type)], [['check'], ['cancelRequested']]);
    reporter.noteChange();
    await parts.passed(1_000);
    assert.deepEqual(parts.written, ['check', 'annotate InProgress']);
  });

  it('writes a status again that was not taken', async () => {
    const { parts, reporter } = bench();
    await reporter.writeFirst();
    parts.written.length = 0;
    void reporter.tellUntilOver();
    await parts.passed(1);
    parts.refusals.set('annotate', 'CLUSTER_UNREACHABLE');
    reporter.noteChange();
    await parts.passed(1_000);
    parts.refusals.clear();
    await parts.passed(1_000);
    assert.deepEqual(parts.written, ['annotate InProgress']);
  });

  it('announces output in the status before it is in the report', async () => {
    const { parts, reporter } = bench();
    await reporter.writeFirst();
    void reporter.tellUntilOver();
    parts.step(up);
    parts.step({ type: 'intentRecorded', hook: hook.id });
    parts.rows.holdOutput(hook.id, { stdout: 'x'.repeat(100) });
    assert.equal(reporter.isAnnounced, true);
    parts.step({ type: 'execEnded', hook: hook.id, outcome: { kind: 'exited', exitCode: 0 } });
    assert.deepEqual([parts.rows.outputBytes, reporter.isAnnounced], [100, false]);
    assert.equal(reporter.statusNow().outputBytes, 100, 'the run has ended: no more will come');
  });

  it('announces of one of many shards no more than leaves room for the next runner', async () => {
    const parts = new Parts([hook, execHook('q')]);
    const limit = 256 * 1024;
    const rows = new Rows(parts.run, 1, new Map(), 0, limit);
    rows.holdOutput(hook.id, { stdout: 'x' });
    const reporter = new Reporter(pendingStatus(2), { ...parts, store: parts.store, rows });
    for (const fact of [
      up,
      { type: 'intentRecorded', hook: hook.id },
      { type: 'execEnded', hook: hook.id, outcome: { kind: 'exited', exitCode: 1 } },
    ] as const) {
      rows.stepped(step(parts.run, [fact], parts.clock.now()).touched);
    }
    assert.equal(rows.outputBytes, 1);
    const { outputBytes = 0 } = reporter.statusNow();
    assert.ok(outputBytes > 1 && outputBytes < limit / 8, `${outputBytes} of ${limit} bytes`);
  });

  it('stops as soon as the run is over, and leaves that to be told by the ending', async () => {
    const { parts, reporter } = bench();
    await reporter.writeFirst();
    let isOver = false;
    void reporter.tellUntilOver().then(() => {
      isOver = true;
    });
    parts.step({ type: 'cancelRequested' });
    parts.course.wakeIfOver();
    await parts.passed(1);
    assert.equal(isOver, true);
    assert.deepEqual(
      parts.statuses.map(({ phase }) => phase),
      ['InProgress'],
    );
  });

  it('says of a status what the runners before have said, and that successes are not proven', () => {
    const { parts, reporter } = bench({ ...pendingStatus(1), notices: ['before'], reportParts: 3 });
    parts.run.unproven = true;
    const { notices, reportParts } = reporter.statusNow(['incomplete']);
    assert.deepEqual([notices?.[0], notices?.length, notices?.[2], reportParts], ['before', 3, 'incomplete', 3]);
  });
});
