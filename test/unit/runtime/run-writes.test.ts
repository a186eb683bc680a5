import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ErrorCode } from '../../../shared/core/errors.ts';
import { Parts, refused } from './parts.ts';

const failing = (code: ErrorCode) => () => Promise.reject(refused(code));
const failures = ({ told }: Parts) => told.map((fact) => fact.type === 'runFailed' && fact.failure.code);

describe('a write beside a run that fails', () => {
  it('is worth another try where the server may take it later, and ends nothing', async () => {
    const parts = new Parts();
    assert.equal(await parts.writes.tryOnce('w', failing('CLUSTER_UNREACHABLE')), false);
    assert.equal(await parts.writes.tryOnce('w', async () => undefined), true);
    assert.deepEqual(parts.told, []);
  });

  it('because the Restore is gone ends the run', async () => {
    const parts = new Parts();
    assert.equal(await parts.writes.tryOnce('w', failing('NOT_FOUND')), true);
    assert.deepEqual(failures(parts), ['restore-deleted']);
  });

  it('because another runner has the run stops this one, and nothing more is written', async () => {
    const parts = new Parts();
    assert.equal(await parts.writes.insist('w', failing('RUN_BY_ANOTHER')), undefined);
    assert.deepEqual([parts.isStopped, parts.told], [true, []]);
    assert.equal(await parts.writes.tryOnce('w', () => assert.fail('nothing is written')), true);
    assert.equal(await parts.writes.insist('w', () => assert.fail('nothing is written')), undefined);
  });

  it('because it is refused again and again is given up, and for the lack of a right ends the run', async () => {
    const parts = new Parts();
    let why: unknown;
    void parts.writes.insist('w', failing('FORBIDDEN')).then((error) => {
      why = error?.code;
    });
    await parts.passed(60_000);
    assert.deepEqual([why, failures(parts)], ['FORBIDDEN', ['forbidden']]);
    const other = new Parts();
    assert.equal((await other.writes.insist('w', failing('RUN_FAILED'), 1))?.code, 'RUN_FAILED');
    assert.deepEqual(other.told, []);
  });
});
