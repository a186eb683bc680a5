import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Hold } from '../../../shared/ports/ports.ts';
import { restorePhaseMove, writeEnding } from '../../../shared/runtime/ending.ts';
import { Reporter } from '../../../shared/runtime/reporter.ts';
import { firmHold } from '../../sim/forgetful-journal.ts';
import { pendingStatus } from '../../sim/run-world.ts';
import { execHook } from './hooks.ts';
import { Parts, refused } from './parts.ts';

const moving = { keepRestorePhase: false, formerPhase: undefined };

/** A run whose one hook of `Fail` was not executed: its pod was deleted. */
function endedRun() {
  const parts = new Parts([execHook('p', { onError: 'Fail' })]);
  parts.step({ type: 'podDeleted', key: 'ns/p' as never, uid: 'p-uid' });
  return { parts, end: (hold: Hold = firmHold) => ending(parts, hold) };
}

const ending = (parts: Parts, hold: Hold = firmHold) =>
  writeEnding(
    { ...parts, hold, events: { ended: async () => undefined }, reporter: new Reporter(pendingStatus(1), parts) },
    moving,
  );

describe('the ending of a run', () => {
  it('writes the report, then the phase, and last the status', async () => {
    const { parts, end } = endedRun();
    const { status, rows } = await end();
    assert.deepEqual(parts.written, ['report', 'phase PartiallyFailed', 'annotate PartiallyFailed']);
    assert.deepEqual([status.phase, rows[0]?.reason], ['PartiallyFailed', 'pod-deleted']);
  });

  it('writes nothing before all that was journaled is durable, for ten minutes', async () => {
    const { parts, end } = endedRun();
    let durable: (isDurable: boolean) => void = () => undefined;
    void end({
      ...firmHold,
      whenDurable: (call) => {
        durable = call;
      },
    });
    await parts.passed(60_000);
    assert.deepEqual(parts.written, []);
    durable(true);
    await parts.passed(1);
    assert.equal(parts.written.length, 3);
    const never = endedRun();
    void never.end({ ...firmHold, whenDurable: () => undefined });
    await never.parts.passed(600_000);
    assert.deepEqual(never.parts.written, ['report', 'annotate Failed']);
  });

  it('says what of the report and of the phase is not written', async () => {
    const { parts, end } = endedRun();
    parts.refusals.set('report', 'RUN_FAILED').set('phase', 'RUN_FAILED');
    const done = end();
    await parts.passed(60_000);
    assert.deepEqual((await done).status.notices, [
      'the report is not complete: refused: RUN_FAILED',
      "the Restore's phase could not be set to PartiallyFailed: refused: RUN_FAILED",
    ]);
  });

  it('is an error where the status that tells of it is not written', async () => {
    const { parts, end } = endedRun();
    parts.refusals.set('annotate', 'RUN_FAILED');
    const done = assert.rejects(end(), {
      code: 'RUN_FAILED',
      message: /the run has ended \(PartiallyFailed: 1\/1 done/,
    });
    await parts.passed(60_000);
    await done;
  });

  it('is left to the other runner that has the run', async () => {
    const { parts, end } = endedRun();
    parts.course.loseTo(refused('RUN_BY_ANOTHER'));
    await assert.rejects(end(), { code: 'RUN_BY_ANOTHER' });
    assert.deepEqual(parts.written, []);
  });

  it('of a run that is suspended sets no phase, and tells of no end', async () => {
    const parts = new Parts();
    parts.wishes.suspend();
    parts.step({ type: 'suspendRequested' });
    const { status } = await ending(parts);
    assert.deepEqual(parts.written, ['report', 'annotate InProgress']);
    assert.ok(status.suspendedAt !== undefined && status.finishedAt === undefined);
  });

  it('moves the phase of a Restore only where that is ours to move', () => {
    const put = (phase: Parameters<typeof restorePhaseMove>[0], formerPhase?: string) =>
      restorePhaseMove(phase, { keepRestorePhase: false, formerPhase })?.to;
    assert.equal(put('PartiallyFailed'), 'PartiallyFailed');
    assert.equal(put('Completed'), undefined, 'we did not change it');
    assert.equal(put('Completed', 'Completed'), 'Completed');
    assert.equal(put('CompletedWithFailures', 'Completed'), 'Completed');
    assert.equal(put('Completed', 'Failed'), undefined, 'nobody but a hand has written that');
    assert.equal(put('Canceled', 'Completed'), undefined);
    assert.equal(put('Failed', 'Completed'), undefined);
    assert.equal(restorePhaseMove('PartiallyFailed', { keepRestorePhase: true, formerPhase: undefined }), undefined);
  });
});
