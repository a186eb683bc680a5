import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { countRows } from '../../shared/core/report/dead-run.ts';
import type { RunHook } from '../../shared/core/report/run-document.ts';
import { progressLine } from '../../shared/core/report/run-status.ts';
import { FAILPOINTS } from '../chaos/failpoints.ts';
import type { Scenario } from '../chaos/scenario.ts';
import { scenarios } from '../chaos/scenario.ts';
import type { Done, Seen, Verdict } from '../chaos/verdict.ts';
import { judge } from '../chaos/verdict.ts';

const scenario: Scenario = {
  index: 0,
  failpoints: [],
  mustReach: false,
  faults: [],
  pods: [
    {
      name: 'a-0',
      recreated: false,
      hooks: [
        { sleep: 1, exitCode: 0, onError: 'Fail' },
        { sleep: 1, exitCode: 3, onError: 'Continue' },
      ],
    },
  ],
  rerun: false,
  followed: false,
  retried: false,
  shards: 1,
};
const nothing: Done = { deaths: 0, canceled: false, gone: new Set() };

const row = (index: number, state: string, more: object = {}) =>
  ({
    id: `n/a-0/main/a/${index}`,
    kind: 'exec',
    pod: 'a-0',
    index,
    onError: index === 0 ? 'Fail' : 'Continue',
    run: 1,
    attempt: 1,
    state,
    ...more,
  }) as unknown as RunHook;
const succeeded = row(0, 'Succeeded', { exitCode: 0 });
const failed = row(1, 'Failed', { reason: 'exit', exitCode: 3 });

function seen(hooks: readonly RunHook[], marks: string, phase = 'CompletedWithFailures', more: object = {}): Seen {
  const counts = countRows(hooks);
  const status = JSON.stringify({ runID: 'r', phase, counts, ...more });
  return {
    run: { phase, runID: 'r', attempt: hooks[0]?.run ?? 1, counts, hooks },
    annotations: { phase, progress: progressLine(counts), status },
    marks: new Map([['a-0', marks.split(', ').filter(Boolean)]]),
    pods: ['a-0'],
  };
}
const RAN = 'start a-0 0, end a-0 0, start a-0 1, end a-0 1';
const faults = ({ lost, twice, untrue }: Verdict) => [lost.length, twice.length, untrue.length];
const verdict = (of: Seen, done: Partial<Done> = {}) => faults(judge(scenario, of, { ...nothing, ...done }));

describe('the verdict on a run', () => {
  it('is clean where the report is what the containers saw', () => {
    assert.deepEqual(verdict(seen([succeeded, failed], RAN)), [0, 0, 0]);
  });

  it('tells what is lost', () => {
    assert.deepEqual(verdict(seen([succeeded], RAN)), [1, 0, 0]);
    const gone = new Set(['a-0']);
    assert.deepEqual(verdict(seen([succeeded], RAN), { gone }), [0, 0, 0], 'planned anew without the pod');
    assert.deepEqual(verdict({ ...seen([succeeded, failed], RAN), pods: [] }), [1, 0, 0]);
    const died = row(1, 'NotExecuted', { reason: 'runner-died' });
    assert.deepEqual(verdict(seen([succeeded, died], 'start a-0 0, end a-0 0')), [1, 0, 0]);
    const replaced = row(1, 'NotExecuted', { reason: 'pod-replaced' });
    assert.deepEqual(verdict(seen([succeeded, replaced], 'start a-0 0, end a-0 0')), [1, 0, 0]);
    assert.deepEqual(
      verdict(seen([succeeded, replaced], 'start a-0 0, end a-0 0'), { gone: new Set(['a-0']) }),
      [0, 0, 0],
    );
  });

  it('tells what was started twice', () => {
    const twice = `start a-0 0, end a-0 0, ${RAN}`;
    assert.deepEqual(verdict(seen([succeeded, failed], twice)), [0, 1, 0]);
    const rerun = judge({ ...scenario, rerun: true }, seen([succeeded, failed], twice), { ...nothing, deaths: 1 });
    assert.deepEqual(faults(rerun), [0, 0, 0]);
    const again = judge(scenario, seen([succeeded, failed], twice), nothing, seen([succeeded, failed], RAN));
    assert.deepEqual(faults(again), [0, 1, 0]);
  });

  it('tells what is reported better, or otherwise, than it was', () => {
    const unseen = seen([succeeded, failed], 'start a-0 0, start a-0 1, end a-0 1');
    assert.ok(judge(scenario, unseen, nothing).untrue.some((what) => what.startsWith('a-0 0 is Succeeded')));
    const better = seen([succeeded, row(1, 'Succeeded', { exitCode: 0 })], RAN, 'Completed');
    assert.deepEqual(verdict(better), [0, 0, 1]);
    const hidden = seen([row(0, 'NotExecuted', { reason: 'canceled' }), failed], RAN);
    assert.deepEqual(verdict(hidden, { canceled: true }), [0, 0, 1]);
    const unknown = row(0, 'Unknown', { reason: 'runner-died' });
    assert.deepEqual(verdict(seen([unknown, failed], RAN)), [0, 0, 1], 'PartiallyFailed was expected');
    assert.deepEqual(verdict(seen([unknown, failed], RAN, 'PartiallyFailed')), [0, 0, 0]);
    assert.deepEqual(verdict(seen([succeeded, failed], RAN, undefined, { phase: 'InProgress' })), [0, 0, 1]);
  });

  it('tells two commands at once in one pod, and another order', () => {
    const beside = 'start a-0 0, start a-0 1, end a-0 1, end a-0 0';
    assert.deepEqual(verdict(seen([succeeded, failed], beside)), [0, 0, 1]);
    const outlived = { state: 'TimedOut', reason: 'executing' } as const;
    assert.deepEqual(verdict(seen([{ ...succeeded, ...outlived }, failed], beside, 'PartiallyFailed')), [0, 0, 0]);
    const backwards = 'start a-0 1, end a-0 1, start a-0 0, end a-0 0';
    assert.deepEqual(verdict(seen([succeeded, failed], backwards)), [0, 0, 1]);
  });
});

describe('the scenarios', () => {
  const kinds = { real: true, boundaries: 'once', parts: 1, random: 20 } as const;

  it('are the same for the same seed', () => {
    assert.deepEqual(scenarios(7, kinds), scenarios(7, kinds));
    assert.notDeepEqual(scenarios(7, kinds), scenarios(8, kinds));
  });

  it('come to every boundary at every moment, but for those of rare writes', () => {
    const reached = scenarios(1, { ...kinds, boundaries: 'all', random: 0 }).flatMap(({ failpoints }) => failpoints);
    const left = FAILPOINTS.filter((failpoint) => !reached.some(({ name }) => name === failpoint));
    assert.deepEqual(left, ['journal-taken-back', 'journal-part', 'journal-seal']);
    assert.equal(new Set(reached.map(({ name, moment }) => `${moment} ${name}`)).size, 60);
  });
});

describe('what is released', () => {
  const dist = join(import.meta.dirname, '../../dist');
  /** The plugin's pieces stand in its file as JSON texts, one a line. */
  const whole = (text: string): string =>
    text.replace(/^ "\.\/[^"]+": (".*"),?$/gm, (_, piece: string) => JSON.parse(piece) as string);

  for (const file of ['kubectl-restorehooks', 'runner.cjs', 'lambda.cjs']) {
    it(`knows no failpoint: ${file}`, () => {
      const text = whole(readFileSync(join(dist, file), 'utf8'));
      assert.match(text, /RUN_BY_ANOTHER/);
      assert.deepEqual(
        [...FAILPOINTS, 'RESTOREHOOKS_CHAOS'].filter((name) => new RegExp(`\\b${name}\\b`).test(text)),
        [],
      );
    });
  }
});
