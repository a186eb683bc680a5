import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Parts } from './parts.ts';

const typesOf = ({ told }: Parts) => told.map(({ type }) => type);

describe('what a run is asked', () => {
  it('to cancel is told until the run knows, and a request that stays is not told again', () => {
    const parts = new Parts();
    parts.wishes.heed({});
    assert.deepEqual(parts.told, []);
    parts.wishes.heed({ cancel: {} });
    assert.deepEqual(typesOf(parts), ['cancelRequested']);
    parts.step(...parts.told);
    parts.wishes.heed({ cancel: {} });
    assert.deepEqual(typesOf(parts), ['cancelRequested']);
  });

  it('to drop after a grace is counted from the first time that it is seen', async () => {
    const parts = new Parts();
    parts.wishes.heed({ cancel: { graceMs: 5_000 } });
    assert.equal(parts.wishes.graceLeftMs, 5_000);
    await parts.passed(4_000);
    parts.wishes.heed({ cancel: { graceMs: 5_000 } });
    assert.deepEqual([parts.wishes.graceLeftMs, parts.wishes.dropIfDue()], [1_000, false]);
    await parts.passed(1_000);
    assert.equal(parts.wishes.dropIfDue(), true);
    assert.deepEqual([parts.told.at(-1)?.type, parts.wishes.graceLeftMs], ['dropRequested', undefined]);
    assert.equal(parts.wishes.dropIfDue(), false, 'once');
  });

  it('to cancel without a grace drops nothing', async () => {
    const parts = new Parts();
    parts.wishes.heed({ cancel: {} });
    await parts.passed(1_000_000);
    assert.deepEqual([parts.wishes.graceLeftMs, parts.wishes.dropIfDue()], [undefined, false]);
  });

  it('to suspend is done when nothing runs, or when what runs is dropped, which is not told the run', () => {
    const parts = new Parts();
    parts.wishes.suspend();
    assert.deepEqual([parts.wishes.isSuspending, parts.wishes.isSuspended], [true, false], 'the run does not know yet');
    parts.step(...parts.told);
    assert.equal(parts.wishes.isSuspended, true);
    parts.run.active = 1;
    assert.equal(parts.wishes.isSuspended, false, 'a hook runs');
    parts.wishes.drop();
    assert.deepEqual([parts.wishes.isSuspended, typesOf(parts)], [true, ['suspendRequested']]);
  });

  it('to drop is told a run that goes on', () => {
    const parts = new Parts();
    parts.wishes.drop();
    assert.deepEqual([typesOf(parts), parts.wishes.isSuspended], [['dropRequested'], false]);
  });
});
