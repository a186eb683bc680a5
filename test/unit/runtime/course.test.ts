import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Parts, refused } from './parts.ts';

describe('the course of a run', () => {
  it('is over when the run has ended, is suspended, or belongs to another runner', () => {
    const ended = new Parts([]);
    assert.equal(ended.course.isOver, true, 'a run without hooks');
    const suspended = new Parts();
    assert.equal(suspended.course.isOver, false);
    suspended.wishes.suspend();
    suspended.step({ type: 'suspendRequested' });
    assert.equal(suspended.course.isOver, true);
    const lost = new Parts();
    lost.course.loseTo(refused('RUN_BY_ANOTHER'));
    assert.deepEqual([lost.course.isOver, lost.isStopped, lost.course.lost?.code], [true, true, 'RUN_BY_ANOTHER']);
  });

  it('fails a run that goes on, and only that', () => {
    const parts = new Parts();
    parts.course.failBecause(refused('FORBIDDEN'));
    parts.course.failBecause(refused('RUN_FAILED'));
    assert.deepEqual(
      parts.told.map((fact) => fact.type === 'runFailed' && fact.failure.code),
      ['forbidden', 'error'],
    );
    const ended = new Parts([]);
    ended.course.fail({ code: 'error', message: 'm' });
    assert.deepEqual(ended.told, []);
  });

  it('is waited for so long, or until it is over', async () => {
    const parts = new Parts();
    const woken: string[] = [];
    const pause = (name: string) => parts.course.pause(10_000).then(() => woken.push(name));
    void pause('in time');
    await parts.passed(10_000);
    assert.deepEqual(woken, ['in time']);
    void pause('early');
    parts.course.wakeIfOver();
    await parts.passed(1);
    assert.deepEqual(woken, ['in time'], 'it goes on');
    parts.course.loseTo(refused('RUN_BY_ANOTHER'));
    await parts.passed(1);
    assert.deepEqual(woken, ['in time', 'early']);
    await parts.course.pause(10_000);
  });
});
