import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LiveScreen } from '../../../../../plugin/output/live/live-lines.ts';
import { liveLines } from '../../../../../plugin/output/live/live-lines.ts';
import { LiveRun } from '../../../../../plugin/output/live/live-run.ts';
import { displayWidth } from '../../../../../plugin/output/width.ts';
import type { RunHook } from '../../../../../shared/core/report/run-document.ts';
import type { RunStatus } from '../../../../../shared/core/report/run-status.ts';
import { at, HOSTILE, NOW, row, status } from './runs.ts';

const SIZES = [
  [20, 5],
  [40, 10],
  [80, 24],
  [200, 50],
  [1, 1],
  [30, 8],
] as const;

function runOf(rows: readonly RunHook[], more: Partial<RunStatus> = {}): LiveRun {
  const run = new LiveRun({ namespace: 'velero', name: 'nightly' });
  run.heard(status(rows, more));
  run.changed(rows);
  return run;
}
const draw = (run: LiveRun, columns: number, rows: number, more: Partial<LiveScreen> = {}): string[] =>
  liveLines(run, { columns, rows, now: NOW, color: false, notes: [], footer: 'Ctrl-C stops following', ...more });

const failed = (pod: string, more: Partial<RunHook> = {}): RunHook =>
  row(pod, {
    ...{ state: 'Failed', reason: 'exit', exitCode: 7, startedAt: at(-9), finishedAt: at(-8), message: undefined },
    ...{ stderr: 'loading\nno space left\n' },
    ...more,
  });
const running = (pod: string, seconds: number): RunHook =>
  row(pod, { state: 'Running', startedAt: at(-seconds), message: undefined });
const done = (pod: string): RunHook =>
  row(pod, { state: 'Succeeded', startedAt: at(-9), finishedAt: at(-8), message: undefined });

/** A run of so many hooks in every state. */
const mixed = (size: number): RunHook[] =>
  Array.from({ length: size }, (_, index) => {
    const pod = `web-${index}`;
    if (index % 7 === 0) return failed(pod, { exitCode: index % 3 });
    if (index % 7 === 1) return running(pod, index % 130);
    if (index % 7 < 4) return done(pod);
    return row(pod, { message: `waiting for container c${index % 40} to run, until ${at(index)}` });
  });

describe('the lines of a live display', () => {
  // R3.46
  it('tell which wave is open, and what holds it', () => {
    const openWave = { version: 1, number: 1, place: 2, of: 3, left: 4, first: 'shop/web-0/main/warm-up/0' } as const;
    const run = runOf([row('web-0')], { openWave: { ...openWave, message: 'running' } });
    assert.equal(
      draw(run, 100, 24)[2],
      'wave 1 (2 of 3): 4 hooks left; the first, shop/web-0/main/warm-up/0, is running',
    );
  });

  // R7.36
  it('show the verdict so far, the bar, what failed, what runs and what waits', () => {
    const rows = [failed('web-0'), failed('web-1'), done('db-0'), running('web-2', 110), row('web-3'), row('web-4')];
    assert.deepEqual(draw(runOf(rows), 100, 24), [
      'InProgress: 2 not succeeded so far  velero/nightly  1m5s  run abc123',
      `[${'='.repeat(6)}${'x'.repeat(12)}${'>'.repeat(6)}${'.'.repeat(14)}] 50%  3/6 done, 2 failed, 1 running, 2 waiting`,
      '',
      'NOT SUCCEEDED 2',
      '  Failed (exit 7) warm-up (0) in 2 pods: shop/web-0, shop/web-1',
      '      | loading',
      '      | no space left',
      '',
      'RUNNING 1',
      '  1m50s / 2m0s  shop/web-2  main  warm-up (0)',
      '',
      'WAITING 2',
      '      2  for container main to run (ImagePullBackOff): shop/web-3  main  warm-up (0)',
      '',
      'Ctrl-C stops following',
    ]);
  });

  it('fold what does not fit, and count it', () => {
    const rows = [...Array.from({ length: 40 }, (_, index) => running(`web-${index}`, 5)), failed('db-0'), row('db-1')];
    const lines = draw(runOf(rows), 80, 24);
    assert.equal(lines.length, 24);
    assert.ok(lines.includes('  Failed (exit 7) warm-up (0) in shop/db-0'), lines.join('\n'));
    assert.ok(lines.includes('      | no space left'));
    assert.ok(lines.includes('WAITING 1'));
    const shown = lines.filter((line) => /^ {2}5s \/ 2m0s/.test(line)).length;
    assert.ok(lines.includes(`  … ${40 - shown} more running`), lines.join('\n'));
  });

  it('say when the run ends at the latest, only where a timeout ends each hook', () => {
    const waits = row('web-1', { waitTimeout: '5m0s', message: `waiting for one of 64 slots, until ${at(60)}` });
    const estimate = (rows: readonly RunHook[]) => draw(runOf(rows), 80, 24).find((line) => line.startsWith('ends by'));
    assert.match(
      estimate([running('web-0', 10), waits]) ?? '',
      /^ends by \d\d:\d\d at the latest: in 3m0s the last timeout of its hooks is over$/,
    );
    assert.equal(estimate([running('web-0', 10), row('web-1')]), undefined, 'waits without a limit');
    assert.equal(estimate([{ ...running('web-0', 1), execTimeout: undefined } as RunHook]), undefined);
    assert.equal(estimate([done('web-0')]), undefined, 'nothing is left');
    const part = new LiveRun({ namespace: 'velero', name: 'nightly' });
    part.heard(status([running('web-0', 10), waits]));
    part.changed([running('web-0', 10)]);
    assert.equal(part.endsBy, undefined, 'a row is not known');
  });

  it('count further starts, with their pauses and waits, or do not say when the run ends', () => {
    const tried = { retry: { attempts: 4, delay: '1s', maxDelay: '10s' }, waitTimeout: '20s' } as const;
    const endsIn = (more: Partial<RunHook>) => {
      const hook = { ...running('web-0', 10), execTimeout: '30s', ...tried, ...more } as RunHook;
      return (runOf([hook]).endsBy ?? Number.NaN) - Date.parse(running('web-0', 10).startedAt ?? '');
    };
    assert.equal(endsIn({ attempt: 2 }), 30_000 + 2 * 60_000);
    assert.equal(endsIn({ attempt: 4 }), 30_000);
    assert.equal(endsIn({ run: 3, attempt: 9 }), 30_000 + 3 * 60_000, 'it may be the first start of this run');
    assert.equal(endsIn({ waitTimeout: undefined }), Number.NaN, 'the next start may be waited for without a limit');
    assert.equal(endsIn({ waitTimeout: undefined, attempt: 4 }), 30_000);
    const message = `waiting for attempt 2 of 4, at ${at(5)}: the last one exited with 1`;
    assert.equal(runOf([row('web-0', { ...tried, attempt: 2, message } as Partial<RunHook>)]).endsBy, undefined);
  });

  it('group what waits by what it waits for, with a limit or without', () => {
    const limits = ['', ', without a limit', `, until ${at(60)}`];
    const rows = limits.map((limit, index) => row(`web-${index}`, { message: `waiting for the pod${limit}` }));
    assert.ok(draw(runOf(rows), 80, 24).some((line) => line.startsWith('      3  for the pod: shop/web-0')));
  });

  it('hold what the status knows of failures before the report does', () => {
    const run = runOf([row('web-0'), row('web-1')], {
      counts: { ...status([row('web-0'), row('web-1')]).counts, failed: 1, waiting: 1 },
      failures: [{ id: 'shop/web-0/main/warm-up/0', state: 'Failed', reason: 'exit', exitCode: 3 }],
    });
    const lines = draw(run, 80, 24).join('\n');
    assert.match(lines, /Failed \(exit 3\) warm-up \(0\) in shop\/web-0/);
    run.changed([failed('web-0', { exitCode: 3 })]);
    assert.match(draw(run, 80, 24).join('\n'), /in shop\/web-0\n.*loading/);
  });

  it('say that rows are behind the counts, and show none that can not be right', () => {
    const rows = [row('web-0'), row('web-1')];
    const behind = runOf(rows, { counts: { ...status(rows).counts, running: 2, waiting: 0 } });
    const lines = draw(behind, 80, 24);
    assert.deepEqual(lines.slice(2, 5), ['', 'RUNNING 2, as last reported', '  … 2 more running'], lines.join('\n'));
    assert.doesNotMatch(lines.join('\n'), /WAITING/);
  });

  it('follow each hook from state to state, whatever the order', () => {
    const run = runOf([row('web-0')]);
    for (const now of [running('web-0', 1), row('web-0'), running('web-0', 2), done('web-0'), failed('web-0')]) {
      run.heard(status([now]));
      run.changed([now]);
      const lines = draw(run, 80, 24).join('\n');
      assert.equal(/^ {2}.*shop\/web-0/m.test(lines), now.state !== 'Succeeded', lines);
      assert.equal(lines.match(/shop\/web-0/g)?.length ?? 0, now.state === 'Succeeded' ? 0 : 1, lines);
    }
  });

  it('count a run of this process by its rows', () => {
    const rows = [row('web-0'), row('web-1')];
    const run = runOf(rows, { runner: { kind: 'local', name: 'me' } });
    run.changed([failed('web-0'), running('web-1', 1)]);
    assert.match(draw(run, 100, 24)[1] ?? '', /1\/2 done, 1 failed, 1 running$/);
  });

  it('are dim, green, yellow and red, where colours are wanted', () => {
    const rows = [failed('web-0'), running('web-1', 119), row('web-2')];
    const lines = draw(runOf(rows), 80, 24, { color: true }).join('\n');
    for (const code of [31, 33, 2]) assert.ok(lines.includes(`\x1b[${code}m`), `${code}`);
    assert.doesNotMatch(draw(runOf(rows), 80, 24).join('\n'), /\x1b/);
  });

  for (const [columns, rows] of SIZES) {
    for (const size of [0, 3, 200, 10_000]) {
      it(`never exceed ${columns}×${rows}: ${size} hooks`, () => {
        const run = runOf(mixed(size));
        for (const notes of [[], HOSTILE]) fits(draw(run, columns, rows, { notes }), columns, rows);
        fits(draw(run, columns, rows, { color: true }), columns, rows);
      });
    }

    it(`never exceed ${columns}×${rows}: hostile texts`, () => {
      for (const text of HOSTILE) {
        const about = { pod: text, container: text, name: text, message: text };
        const hooks = [
          failed('web-0', { ...about, stderr: text.repeat(5) }),
          { ...running('web-1', 3), ...about },
          row('web-2', about),
        ];
        fits(draw(runOf(hooks as RunHook[]), columns, rows, { notes: [text] }), columns, rows);
      }
    });
  }
});

function fits(lines: readonly string[], columns: number, rows: number): void {
  assert.ok(lines.length <= rows, `${lines.length} lines`);
  for (const line of lines) {
    const text = line.replace(/\x1b\[\d+m/g, '');
    assert.doesNotMatch(text, /[\x00-\x1f\x7f-\x9f\u202e]/);
    assert.ok(displayWidth(text) <= columns, `${displayWidth(text)} cells: ${text}`);
  }
}
