import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { neededRuns, runsToRemove } from '../../../../shared/core/ledger/needed-runs.ts';
import { hook, journal, ledger, row, run } from './world.ts';

const one = hook('one');
const two = hook('two');

describe('a run is needed', () => {
  // R6.1.7
  test('as long as a result of it is the last one of its hook, and where it was the last run', () => {
    const known = ledger([run(1, [row(one, 1)]), run(2, [row(two, 2)]), run(3, [row(two, 3)]), run(4, [row(two, 4)])]);
    assert.deepEqual([...neededRuns(known)].sort(), ['run1', 'run4']);
    assert.deepEqual(runsToRemove(known, 0), ['run2', 'run3']);
    assert.deepEqual(runsToRemove(known, 2), ['run2']);
  });

  test('also where a later run tells its result: that report may be taken away', () => {
    const known = ledger([run(1, [row(one, 1)]), run(2, [row(one, 1), row(two, 2)])]);
    assert.deepEqual(runsToRemove(known, 0), []);
  });

  test('as long as a command of it may be running, or it is not known what it did', () => {
    const lost = row(one, 1, { state: 'Unknown', reason: 'connection-lost', startedAt: '1970-01-01T00:00:01.000Z' });
    const after = run(2, [row(one, 2)]);
    assert.deepEqual(runsToRemove(ledger([run(1, [lost]), after]), 0), []);
    assert.deepEqual(runsToRemove(ledger([run(1, [lost]), after], 'ended', { now: 60_000 }), 0), ['run1']);
    const begun = new Map([[0, { phase: 'begun', tries: 1, at: 0 } as const]]);
    const unclear = run(1, [], { planned: 1, journal: journal({ hooks: begun }) });
    assert.deepEqual(runsToRemove(ledger([unclear, after]), 0), []);
  });
});
