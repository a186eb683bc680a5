import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HookState } from '../../../shared/core/execute/hook-state.ts';
import { createRun } from '../../../shared/core/execute/state.ts';
import type { Hook, HookId } from '../../../shared/core/model/hook.ts';
import { instant } from '../../../shared/core/model/instant.ts';
import type { PodIndex } from '../../../shared/core/model/position.ts';
import { podIndexes } from '../../../shared/core/model/position.ts';
import type { RunHook } from '../../../shared/core/report/run-document.ts';
import { Rows } from '../../../shared/runtime/rows.ts';
import { execHook, initHook } from './hooks.ts';

const MIB = 1024 * 1024;
const failed: HookState = {
  phase: 'Ended',
  outcome: { state: 'Failed', reason: 'exit', exitCode: 1 },
  endedAt: instant(2),
};
const succeeded: HookState = { phase: 'Ended', outcome: { state: 'Succeeded', exitCode: 0 }, endedAt: instant(2) };

/** A run with one hook in each pod. Each hook ends with 4 KiB of output. */
function bench(hooks: number, outputBytes?: number) {
  const planned = Array.from({ length: hooks }, (_, pod) => execHook(`p${pod}`));
  const run = createRun(planned, { startedAt: instant(0), maxConcurrent: 64 });
  const rows = new Rows(run, 1, new Map(), outputBytes);
  let next = 0;
  const end = (count: number, state: HookState) => {
    const indexes = Array.from({ length: count }, () => next++);
    for (const index of indexes) {
      const pod = run.pods[index];
      if (pod === undefined) throw new RangeError(`no pod ${index}`);
      rows.holdOutput(planned[index]?.id as HookId, { stdout: 'x'.repeat(4096) });
      run.pods[index] = { ...pod, states: [state] };
    }
    const changed = rows.update(indexes as PodIndex[]);
    const kept = changed.filter(({ stdout }) => stdout !== undefined);
    const dropped = changed.filter(({ outputDropped }) => outputDropped);
    assert.equal(kept.length + dropped.length, count, 'what is dropped is marked');
    return (kept.length * 4096) / MIB;
  };
  return { run, rows, end };
}

describe('rows', () => {
  // R5.17
  it('holds 16 MiB of output, of which successes take no more than half: failures come first', () => {
    const { rows, end } = bench(8_000);
    assert.equal(end(3_000, succeeded), 8);
    assert.equal(rows.outputBytes, 8 * MIB);
    assert.equal(end(3_000, failed), 8);
    assert.equal(end(1_000, succeeded), 0);
    assert.equal(rows.outputBytes, 16 * MIB);
  });

  it('has the output of the last start alone, also where that printed nothing (R3.59)', () => {
    const { run, rows } = bench(1);
    const { id } = execHook('p0');
    rows.holdOutput(id, { stdout: 'first' });
    rows.holdOutput(id, {});
    const [pod] = run.pods;
    assert.ok(pod !== undefined);
    run.pods[0] = { ...pod, states: [failed] };
    assert.equal(rows.update([0 as PodIndex])[0]?.stdout, undefined);
  });

  // R5.17
  it('holds the end of an output that is too long for what is left, and says how long it was', () => {
    const run = createRun([execHook('p0')], { startedAt: instant(0), maxConcurrent: 1 });
    const rows = new Rows(run, 1, new Map(), 16 * MIB - 8_192);
    const [pod] = run.pods;
    assert.ok(pod !== undefined);
    rows.holdOutput(execHook('p0').id, { stdout: `${'€'.repeat(10_000)}!`, stderr: 'why' });
    run.pods[0] = { ...pod, states: [failed] };
    const [row] = rows.update([0 as PodIndex]);
    assert.equal(row?.stdout, `${'€'.repeat(1_365)}!`);
    assert.deepEqual([row?.stdoutBytes, row?.stderr, row?.stderrBytes], [30_001, 'why', undefined]);
    assert.equal(rows.outputBytes, 16 * MIB - 8_192 + 4_096 + 3);
  });

  it('counts what the runners before have reported', () => {
    assert.equal(bench(8_000, 10 * MIB).end(3_000, failed), 6);
    assert.equal(bench(8_000, 10 * MIB).end(3_000, succeeded), 0);
    assert.equal(bench(8_000, 20 * MIB).end(10, failed), 0);
  });

  it('tells a row again when it says something new, and only then', () => {
    const { run, rows } = bench(1);
    const set = (state: HookState) => {
      run.pods[0] = { ...(run.pods[0] as (typeof run.pods)[0]), states: [state] };
      return rows.update(podIndexes(run.pods)).map((row) => [row.state, row.startedAt]);
    };
    const text = (ms: number) => new Date(ms).toISOString();
    assert.deepEqual(set({ phase: 'Starting', tries: 1 }), [['Running', undefined]]);
    assert.deepEqual(set({ phase: 'Running', startedAt: instant(1_000) }), [['Running', text(1_000)]]);
    assert.deepEqual(set({ phase: 'Running', startedAt: instant(1_000) }), []);
    assert.deepEqual(set({ phase: 'Running', startedAt: instant(2_000) }), [['Running', text(2_000)]], 'started again');
    assert.deepEqual(set(failed), [['Failed', undefined]]);
    assert.deepEqual(set(failed), []);
  });

  it('keeps rows that could not be written, and writes the newest of each', async () => {
    const { rows, end } = bench(2);
    await assert.rejects(rows.write(() => Promise.reject(new Error('refused'))));
    assert.equal(rows.hasUnwritten, true);
    end(1, failed);
    let written: readonly RunHook[] = [];
    await rows.write(async (some) => {
      written = some;
    });
    assert.deepEqual(
      written.map(({ state }) => state),
      ['Failed', 'Waiting'],
    );
    assert.equal(rows.hasUnwritten, false);
    await rows.write(() => assert.fail('there is nothing to write'));
  });

  // R5.13
  it('are written so many at a time, each once, however many there are', async () => {
    const { rows } = bench(5_000);
    const written: RunHook[][] = [];
    await rows.write(async (some) => void written.push([...some]));
    assert.deepEqual(
      written.map(({ length }) => length),
      [2_000, 2_000, 1_000],
    );
    assert.equal(new Set(written.flat().map(({ id }) => id)).size, 5_000);
    assert.equal(rows.hasUnwritten, false);
  });

  it('that were not written yet when a write failed are written with the next report', async () => {
    const { rows } = bench(5_000);
    const written: RunHook[][] = [];
    const failing = async (some: readonly RunHook[]) => {
      if (written.length === 1) throw new Error('refused');
      written.push([...some]);
    };
    await assert.rejects(rows.write(failing));
    assert.equal(rows.hasUnwritten, true);
    await rows.write(async (some) => void written.push([...some]));
    const ids = written.flat().map(({ id }) => id);
    assert.deepEqual([ids.length, new Set(ids).size], [5_000, 5_000]);
  });

  // R4.7
  it('tells an end only if each hook has one result, and the counts are those of the rows', () => {
    const { run, rows, end } = bench(2);
    assert.throws(() => rows.checkSum(run.counts), /"waiting":2/, 'nothing has ended');
    const counts = { ...run.counts, failed: 2, waiting: 0 };
    end(1, failed);
    assert.throws(() => rows.checkSum(counts), /"waiting":1/);
    end(1, failed);
    rows.checkSum(counts);
    assert.throws(() => rows.checkSum({ ...counts, failed: 1, succeeded: 1 }));
    assert.throws(() => rows.checkSum({ ...counts, planned: 3 }));
  });

  // R3.48, R3.49
  it("counts a hook's starts over all runs, and keeps a row of an earlier run as it was", () => {
    const hooks = ['new', 'again', 'kept'].map((pod) => execHook(pod));
    const [, again, kept] = hooks.map(({ id }) => id as HookId) as [HookId, HookId, HookId];
    const ended = new Map([[kept, succeeded as HookState & { phase: 'Ended' }]]);
    const resumed = { ended: new Map(), tries: new Map([[again, 7]]), lost: new Map(), waitingSince: new Map() };
    const run = createRun(hooks, {
      ...{ startedAt: instant(0), maxConcurrent: 1, ended, startsBefore: new Map([[again, 2]]) },
      resumed: { ...resumed, starts: new Map([[again, 1]]), wasTaken: true },
    });
    const row = { hook: hooks[2] as Hook, run: 2, attempt: 5, state: 'Succeeded', exitCode: 0 } as const;
    assert.deepEqual(
      new Rows(run, 3, new Map([[kept, row]])).all().map((each) => [each.run, each.attempt]),
      [
        [3, 1],
        [3, 4],
        [2, 5],
      ],
    );
  });

  it('takes a kept row that has not ended for no result', () => {
    const hook = execHook('p0');
    const ended = new Map([[hook.id, succeeded as HookState & { phase: 'Ended' }]]);
    const run = createRun([hook], { startedAt: instant(0), maxConcurrent: 1, ended });
    const kept = new Map([[hook.id, { hook, run: 0, attempt: 0, state: 'Running' } as const]]);
    assert.throws(() => new Rows(run, 2, kept).checkSum(run.counts), /"running":1/);
  });

  it('has rows of init containers, without output as long as they run', () => {
    const run = createRun([initHook('p0')], { startedAt: instant(0), maxConcurrent: 1 });
    const rows = new Rows(run, 1, new Map());
    assert.deepEqual(
      rows.all().map(({ kind, state }) => [kind, state]),
      [['init', 'Waiting']],
    );
  });
});
