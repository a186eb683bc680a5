import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { formatYaml } from '../../../../plugin/output/yaml.ts';
import { failureGroups, verdictOf } from '../../../../plugin/report/report.ts';
import { timelineOf } from '../../../../plugin/report/timeline.ts';
import { planDigest } from '../../../../shared/core/plan/make-plan-document.ts';
import { run as plugin, stdinOf } from '../harness.ts';
import { filledWith, HOSTILE, UNSAFE } from './hostile.ts';
import { at, bigRun, mixedRun, row, runOf } from './runs.ts';

const folder = await mkdtemp(path.join(tmpdir(), 'report-'));
after(() => rm(folder, { recursive: true }));
const restore = { namespace: 'velero', name: 'nightly' };
const plan = {
  apiVersion: 'restorehooks.io/v1',
  kind: 'RestoreHookPlan',
  restore,
  selector: { labelSelector: 'velero.io/restore-name=nightly' },
  digest: planDigest(restore, []),
  hooks: [],
  skipped: [{ namespace: 'shop', pod: 'old-0', reason: 'older than the Restore' }],
  notices: [],
};

before(async () => {
  await writeFile(path.join(folder, 'run.json'), JSON.stringify(mixedRun()));
  await writeFile(path.join(folder, 'run.yaml'), formatYaml(mixedRun()));
  await writeFile(path.join(folder, 'plan.json'), JSON.stringify(plan));
  await writeFile(path.join(folder, 'pod.json'), JSON.stringify({ apiVersion: 'v1', kind: 'Pod' }));
  await writeFile(path.join(folder, 'wrong.json'), JSON.stringify({ ...mixedRun(), hooks: [{ secret: 's3cret' }] }));
});
const report = (...args: string[]) => plugin(['report', ...args], { cwd: folder });

describe('report -f', () => {
  it('writes each format of a saved run, without a cluster', async () => {
    const beginnings = {
      markdown: '## Restore hooks of `velero/nightly`: PartiallyFailed\n',
      html: '<!DOCTYPE html>\n<html lang="en">\n',
      junit: '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ',
    };
    for (const [format, beginning] of Object.entries(beginnings)) {
      const { code, stdout, stderr } = await report('-f', 'run.json', '-o', format);
      assert.deepEqual([code, stdout.slice(0, beginning.length), stderr], [0, beginning, ''], format);
    }
    const saved: unknown = JSON.parse(JSON.stringify(mixedRun()));
    assert.deepEqual(JSON.parse((await report('-f', 'run.json', '-o', 'json')).stdout), saved);
    assert.match((await report('-f', 'run.json')).stdout, /^## Restore hooks/);
  });

  it('reads YAML and stdin as well, and makes the same of the same run', async () => {
    const once = await report('-f', 'run.json', '-o', 'html');
    assert.equal((await report('-f', 'run.yaml', '-o', 'html')).stdout, once.stdout);
    const stdin = stdinOf(JSON.stringify(mixedRun()));
    assert.equal((await plugin(['report', '-f', '-', '-o', 'html'], { stdin })).stdout, once.stdout);
  });

  it('tells what a plan that is given beside it left out', async () => {
    const { code, stdout } = await report('-f', 'run.json', '-f', 'plan.json');
    assert.equal(code, 0);
    assert.match(stdout, /skipped shop\/old-0: older than the Restore/);
    assert.match(stdout, /the plan that was given is not that of this run/);
  });

  it('takes a run of more than the 8 MiB that a manifest may have', async () => {
    const run = bigRun(2_000, 1, 1, 'x'.repeat(4096));
    await writeFile(path.join(folder, 'big.json'), JSON.stringify(run));
    const { code, stdout } = await report('-f', 'big.json');
    assert.equal(code, 0);
    assert.match(stdout, /2000\/2000 done/);
  });

  it('refuses what it can make nothing of, and repeats no value of it', async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [[], /a RESTORE or -f with a run is missing/],
      [['-f', 'plan.json'], /a RESTORE or -f with a run is missing/],
      [['nightly', '-f', 'run.json'], /give either RESTORE or -f with a run/],
      [['-f', 'run.json', '-f', 'run.json'], /run\.json: a second run/],
      [['-f', 'pod.json'], /pod\.json: expected a RestoreHookRun or a RestoreHookPlan, and found "Pod"/],
      [['-f', 'wrong.json'], /wrong\.json: hooks\[0\]/],
      [['-f', 'run.json', '-o', 'pdf'], /pdf/],
    ];
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await report(...args);
      assert.deepEqual([code, stdout], [2, ''], args.join(' '));
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /s3cret/);
    }
  });

  it('keeps each value in JSON, and nothing that a terminal would act on', async () => {
    for (const text of HOSTILE) {
      const run = filledWith(text);
      await writeFile(path.join(folder, 'hostile.json'), JSON.stringify(run));
      const { stdout } = await report('-f', 'hostile.json', '-o', 'json');
      assert.deepEqual(JSON.parse(stdout), JSON.parse(JSON.stringify(run)));
      assert.doesNotMatch(stdout.replaceAll(/[\ufffe\uffff]/g, ''), UNSAFE);
    }
  });
});

describe('what a report tells', () => {
  it('is how the run ended, in a sentence', () => {
    const sentence = (more: Parameters<typeof runOf>[1], ...rows: Parameters<typeof runOf>[0]) =>
      verdictOf(runOf(rows, more)).sentence;
    assert.equal(sentence({}, row('a')), 'Every hook succeeded: 1/1 done.');
    assert.equal(
      sentence({ phase: 'Failed', message: 'the runner died' }, row('a')),
      'The run could not start, or could not go on: the runner died. 1/1 done.',
    );
    assert.equal(
      sentence({ phase: 'InProgress' }, row('a', { state: 'Waiting' })),
      'The run has not ended. 0/1 done, 1 waiting.',
    );
  });

  it('is what did not succeed, by hook and outcome', () => {
    const failed = (pod: string, exitCode: number) => row(pod, { state: 'Failed', reason: 'exit', exitCode });
    const groups = failureGroups(runOf([failed('a', 1), failed('b', 2), row('c'), failed('d', 1)]));
    assert.deepEqual(
      groups.map(({ outcome, rows }) => [outcome, rows.map(({ pod }) => pod)]),
      [
        ['Failed (exit 1)', ['a', 'd']],
        ['Failed (exit 2)', ['b']],
      ],
    );
  });
});

describe('the timeline', () => {
  it('shows when each hook waited, ran and ended, in parts of the time of the run', () => {
    const timeline = timelineOf(mixedRun());
    assert.equal(timeline?.spanMs, 60_000);
    const lanes = timeline.lanes.map(({ pod, waits, bars }) => [
      pod,
      waits.map(({ from, to }) => [from * 60, to * 60].map(Math.round)),
      bars.map(({ rows, from, to }) => [rows.length, ...[from * 60, (to ?? -1) * 60].map(Math.round)]),
    ]);
    assert.deepEqual(lanes, [
      // Two that were aborted at the moment at which the first one failed.
      [
        'shop/db-0',
        [[0, 2]],
        [
          [1, 2, 31],
          [2, 31, -60],
        ],
      ],
      [
        'shop/web-0',
        [[0, 4]],
        [
          [1, 4, 9],
          [1, 9, 39],
        ],
      ],
      ['shop/web-1', [[0, 5]], [[1, 5, 20]]],
      ['shop/web-2', [[0, 50]], [[1, 50, -60]]],
      ['shop/web-3', [[0, 1]], [[1, 1, -60]]],
    ]);
    assert.equal(Math.max(...timeline.running), 3);
  });

  it('counts a hook as running at once with another only where their times overlap', () => {
    const one = (pod: string, from: number, to: number) => row(pod, { startedAt: at(from), finishedAt: at(to) });
    const most = (...rows: Parameters<typeof runOf>[0]) => Math.max(...(timelineOf(runOf(rows))?.running ?? []));
    assert.equal(most(one('a', 1, 2), one('b', 2, 3)), 1);
    assert.equal(most(one('a', 1, 3), one('b', 2, 4)), 2);
    assert.equal(most(one('a', 1, 1)), 1);
  });

  it('leaves out what stands from an earlier run, and is none where nothing has begun', () => {
    const kept = row('a', { run: 1, startedAt: at(-500), finishedAt: at(-400) });
    const lanes = timelineOf(runOf([kept, row('b', { run: 2 })], { attempt: 2 }))?.lanes;
    assert.deepEqual(
      lanes?.map(({ pod }) => pod),
      ['shop/b'],
    );
    assert.equal(
      timelineOf(runOf([row('a', { state: 'Waiting' })], { startedAt: undefined, finishedAt: undefined })),
      undefined,
    );
  });

  it('draws few of many pods: those that did not succeed first', () => {
    const timeline = timelineOf(bigRun(5_000, 2, 500));
    assert.deepEqual([timeline?.lanes.length, timeline?.podsLeft], [60, 4_940]);
    const failed = timeline?.lanes.filter(({ rows }) => rows.some(({ state }) => state === 'Failed'));
    assert.equal(failed?.length, 20);
    const crowded = timelineOf(
      runOf(
        Array.from({ length: 500 }, (_, index) =>
          row('a', { index, startedAt: at(index / 10), finishedAt: at(index / 10) }),
        ),
      ),
    );
    assert.deepEqual(
      crowded?.lanes.map(({ bars, barsLeft }) => [bars.length, barsLeft]),
      [[40, 460]],
    );
  });
});
