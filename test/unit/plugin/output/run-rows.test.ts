import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ageText } from '../../../../plugin/output/age.ts';
import { renderView } from '../../../../plugin/output/render.ts';
import type { RowOptions } from '../../../../plugin/output/run-rows.ts';
import { chosenHooks } from '../../../../plugin/output/run-rows.ts';
import { runView } from '../../../../plugin/output/run-view.ts';
import { countRows } from '../../../../shared/core/report/dead-run.ts';
import type { RunDocument, RunHook } from '../../../../shared/core/report/run-document.ts';

const hookOf = (pod: string, state: RunHook['state'], more: Partial<RunHook> = {}): RunHook =>
  ({
    id: `shop/${pod}/main/warm/0`,
    kind: 'exec',
    namespace: 'shop',
    pod,
    container: 'main',
    source: 'spec',
    origin: 'velero',
    name: 'warm',
    index: 0,
    command: ['c'],
    onError: 'Continue',
    waitForReady: false,
    execTimeoutFrom: 'default',
    waitTimeoutFrom: 'default',
    state,
    run: 1,
    attempt: 1,
    ...more,
  }) as RunHook;
const at = (second: number): string => `2026-01-01T00:00:${String(second).padStart(2, '0')}.000Z`;
const runOf = (hooks: RunHook[], planned = hooks.length): RunDocument => ({
  apiVersion: 'restorehooks.io/v1',
  kind: 'RestoreHookRun',
  restore: { namespace: 'velero', name: 'r' },
  runID: 'abc',
  attempt: 1,
  phase: 'InProgress',
  counts: { ...countRows(hooks), planned },
  hooks,
});
const RUN = runOf([
  hookOf('a', 'Succeeded', { startedAt: at(1), finishedAt: at(3) }),
  hookOf('b', 'Failed', { reason: 'exit', exitCode: 3, startedAt: at(2), finishedAt: at(9) }),
  hookOf('c', 'Running', { startedAt: at(4) }),
  hookOf('d', 'Waiting', { message: 'waiting for the pod, without a limit' }),
  hookOf('e', 'NotExecuted', { reason: 'aborted' }),
  hookOf('f', 'TimedOut', { reason: 'waiting', finishedAt: at(7) }),
]);
const pods = (options: RowOptions, run = RUN): string =>
  chosenHooks(run, options)
    .map(({ pod }) => pod)
    .join('');

// R7.53
describe('the rows of a run', () => {
  it('are narrowed by what failed, by state and by pod, all of which must hold', () => {
    assert.equal(pods({}), 'abcdef');
    assert.equal(pods({ failed: true }), 'bef');
    assert.equal(pods({ state: ['Running', 'Waiting'] }), 'cd');
    assert.equal(pods({ pod: ['a', 'shop/b'] }), 'ab');
    assert.equal(pods({ failed: true, pod: ['shop/a', 'b'], state: ['Failed'] }), 'b');
  });

  it('are ordered by a column, in plan order where that is equal, and without a value last', () => {
    assert.equal(pods({ sortBy: 'state' }), 'bfecda');
    assert.equal(pods({ sortBy: 'time' }), 'bacdef');
    assert.equal(pods({ sortBy: 'started' }), 'abcdef');
    assert.equal(pods({ sortBy: 'finished' }), 'afbcde');
    assert.equal(pods({ sortBy: 'reason' }), 'ebfacd');
    assert.equal(pods({ sortBy: 'exit' }), 'bacdef');
    assert.equal(pods({ sortBy: 'hook' }), 'abcdef');
  });

  it('of a pod that the run does not have are a mistake, unless rows are still missing or it was followed', () => {
    assert.throws(() => pods({ pod: ['shop/aa'] }), { code: 'INVALID_ARGUMENT', hint: 'did you mean shop/a?' });
    assert.equal(pods({ pod: ['zz'] }, runOf([...RUN.hooks], 7)), '');
    assert.equal(pods({ pod: ['zz'], followed: true }), '');
  });

  it('are shown with how many there are of how many; the counts stay those of the run', async () => {
    const view = runView(RUN, { failed: true });
    const text = await renderView(view, 'table', false);
    assert.match(text, /^progress {2}4\/6 done, 1 failed, 1 timed out, 1 not executed, 1 running, 1 waiting$/m);
    assert.match(text, /^shown {5}3 of 6 hooks \(--failed\)$/m);
    assert.equal((await renderView(view, 'name', false)).split('\n').length - 1, 3);
    const document = JSON.parse(await renderView(view, 'json', false));
    assert.deepEqual([document.hooks.length, document.counts.planned], [3, 6]);
    assert.doesNotMatch(await renderView(runView(RUN), 'table', false), /^shown/m);
  });

  // R3.46
  it('are ordered by wave, and the open one is told above them', async () => {
    const [a, b, c] = RUN.hooks.slice(0, 3) as [RunHook, RunHook, RunHook];
    const openWave = { version: 1, number: 0, place: 1, of: 2, left: 1, first: 'x', message: 'running' } as const;
    const waves = { ...runOf([{ ...a, wave: 7 } as RunHook, b, { ...c, wave: -1 } as RunHook]), openWave };
    assert.equal(pods({ sortBy: 'wave' }, waves), 'cba');
    const text = await renderView(runView(waves, { wide: true }), 'table', false);
    assert.match(text, /^wave {6}0 \(1 of 2\): 1 hook left; the first, x, is running$/m);
    assert.match(text, /^shop\/a .* <none> +7 +1 /m);
  });

  it('have more columns with --wide, and none of the lines around them with --no-headers', async () => {
    const text = (options: RowOptions) =>
      renderView(runView(RUN, { now: Date.parse(at(10)), ...options }), 'table', false);
    assert.doesNotMatch(await text({}), /ATTEMPT|STARTED/);
    assert.match(await text({ wide: true }), /EXIT +WAVE +ATTEMPT +STARTED +TIME +MESSAGE +ID\n/);
    assert.match(await text({}), /shop\/c .* 6\.0s/, 'what runs, until now');
    assert.match(await text({}), /shop\/d .* waiting for the pod, without a limit$/m);
    const bare = (await text({ noHeaders: true })).split('\n');
    assert.deepEqual(
      [bare.length - 1, bare[0]],
      [6, 'shop/a   main   warm (0)   Succeeded     <none>    <none>   2.0s     <none>'],
    );
    assert.equal(await text({ noHeaders: true, state: ['Unknown'] }), '');
  });
});

// R7.55
describe('an age', () => {
  const [S, M, H, D] = [1_000, 60_000, 3_600_000, 86_400_000];
  const ages: readonly (readonly [number, string])[] = [
    [-5 * S, '<invalid>'],
    [-S, '0s'],
    [0, '0s'],
    [119.9 * S, '119s'],
    [2 * M, '2m'],
    [9 * M + 59 * S, '9m59s'],
    [10 * M + 30 * S, '10m'],
    [179 * M, '179m'],
    [3 * H, '3h'],
    [7 * H + 59 * M, '7h59m'],
    [8 * H + 59 * M, '8h'],
    [47 * H, '47h'],
    [48 * H, '2d'],
    [7 * D + 23 * H, '7d23h'],
    [8 * D, '8d'],
    [729 * D, '729d'],
    [731 * D, '2y1d'],
    [7 * 365 * D, '7y'],
    [9 * 365 * D, '9y'],
  ];
  for (const [ms, text] of ages) it(`of ${ms} ms is ${text}`, () => assert.equal(ageText(ms), text));
});
