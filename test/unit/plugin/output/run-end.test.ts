import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderView } from '../../../../plugin/output/render.ts';
import { eventLine, runView } from '../../../../plugin/output/run-view.ts';
import { countRows } from '../../../../shared/core/report/dead-run.ts';
import type { RunDocument, RunHook } from '../../../../shared/core/report/run-document.ts';
import { at, HOSTILE, row } from './live/runs.ts';

const document = (hooks: RunHook[], more: Partial<RunDocument> = {}): RunDocument => ({
  apiVersion: 'restorehooks.io/v1',
  kind: 'RestoreHookRun',
  restore: { namespace: 'velero', name: 'nightly' },
  ...{ runID: 'abc123', attempt: 1, phase: 'PartiallyFailed', startedAt: at(0), finishedAt: at(9) },
  runner: { kind: 'job', name: 'restorehooks-nightly-abc123' },
  counts: countRows(hooks),
  hooks,
  ...more,
});
const done = (pod: string, more: Partial<RunHook> = {}): RunHook =>
  row(pod, { state: 'Succeeded', message: undefined, startedAt: at(0), finishedAt: at(1), ...more });
const failed = (pod: string, more: Partial<RunHook> = {}): RunHook =>
  done(pod, { state: 'Failed', reason: 'exit', exitCode: 7, stderr: 'loading\nno space left\n', ...more });
const many = (size: number): RunHook[] => Array.from({ length: size }, (_, index) => done(`web-${index}`));
const printed = async (run: RunDocument, { followed = true, format = 'table' as 'table' | 'wide' } = {}) =>
  (await renderView(runView(run, { followed }), format, false)).split('\n').slice(0, -1);
const hasTable = (lines: readonly string[]): boolean => lines.some((line) => line.startsWith('POD '));

// R7.38
describe('the end of a run', () => {
  it('is what failed, by hook and reason, then the verdict, then the next command', async () => {
    const aborted = { state: 'NotExecuted', reason: 'aborted', message: 'hook x failed', exitCode: undefined } as const;
    const rows = [
      row('db-0', { ...aborted, name: 'load' }),
      failed('web-1', { stderr: undefined }),
      failed('web-2'),
      failed('web-3', { exitCode: 1, stderr: undefined, stdout: 'bad\n' }),
      ...many(57),
    ];
    const lines = await printed(document(rows));
    assert.equal(hasTable(lines), false);
    assert.deepEqual(lines.slice(lines.indexOf('')), [
      '',
      'Failed (exit 7) warm-up (0) in 2 pods: shop/web-1, shop/web-2',
      '    | loading',
      '    | no space left',
      'Failed (exit 1) warm-up (0) in shop/web-3',
      '    | bad',
      'NotExecuted (aborted) load (0) in shop/db-0',
      '    hook x failed',
      '',
      'PartiallyFailed: 61/61 done, 3 failed, 1 not executed',
      'all that they printed: kubectl restorehooks logs nightly -n velero --failed',
      'run what did not succeed: kubectl restorehooks retry nightly -n velero',
    ]);
  });

  it('is below the table, where there is one', async () => {
    for (const lines of [
      await printed(document(many(20))),
      await printed(document(many(21)), { format: 'wide' }),
      await printed(document(many(21)), { followed: false }),
    ]) {
      assert.equal(hasTable(lines), true);
      assert.match(lines.at(-1) ?? '', /^PartiallyFailed: /);
    }
    assert.equal(hasTable(await printed(document(many(21)))), false);
    const wide = runView(document(many(21)), { followed: true, wide: true });
    assert.ok(hasTable((await renderView(wide, 'table', false)).split('\n')));
  });

  it('is short, whatever has failed', async () => {
    const rows = Array.from({ length: 3_000 }, (_, index) =>
      failed(`web-${index}`, { exitCode: index % 300, stderr: 'x\n'.repeat(2_000) }),
    );
    const lines = await printed(document(rows));
    assert.ok(lines.length < 80, `${lines.length}`);
    assert.ok(lines.includes('… 290 more kinds of failures'));
  });

  it('names what may be typed next', async () => {
    const next = async (hooks: RunHook[], more: Partial<RunDocument>): Promise<string[]> => {
      const lines = await printed(document(hooks, more));
      return lines.slice(lines.findLastIndex((line) => line.startsWith(`${more.phase}: `)) + 1);
    };
    const on = 'nightly -n velero';
    const retry = `run what did not succeed: kubectl restorehooks retry ${on}`;
    for (const phase of ['Completed', 'Canceled'] as const)
      assert.deepEqual(await next([done('web-0')], { phase }), []);
    assert.deepEqual(await next([failed('web-0', { stderr: undefined })], { phase: 'CompletedWithFailures' }), [retry]);
    const unknown = row('web-0', { state: 'Unknown', reason: 'runner-died' });
    const died = { phase: 'Failed', message: 'the runner died: its Job x is over, the run is not' } as const;
    assert.deepEqual(await next([unknown], died), [
      retry,
      `also what may have been running: kubectl restorehooks retry ${on} --on-unknown=rerun`,
    ]);
    const detached = { ...unknown, detach: true } as const; // R3.81
    const may = `run what did not succeed, or may not have: kubectl restorehooks retry ${on}`;
    assert.deepEqual(await next([unknown], { phase: 'PartiallyFailed' }), [may]);
    assert.deepEqual(await next([detached], died), [may]);
    assert.deepEqual(await next([{ ...unknown, reason: 'connection-lost' }], died), [may]);
    assert.deepEqual(await next([unknown, detached], died), [
      may,
      `also what may have been running: kubectl restorehooks retry ${on} --on-unknown=rerun`,
    ]);
    const anew = `plan anew for the pods that are there now: kubectl restorehooks apply ${on}`;
    const replaced = failed('web-1', { state: 'NotExecuted', reason: 'pod-replaced', stderr: undefined });
    assert.deepEqual(await next([done('web-0'), replaced], { phase: 'CompletedWithFailures' }), [anew]);
    const both = [failed('web-0', { stderr: undefined }), replaced];
    assert.deepEqual(await next(both, { phase: 'CompletedWithFailures' }), [retry, anew]);
    const notBegun = { phase: 'Failed', startedAt: undefined, counts: { ...countRows([replaced]) } } as const;
    assert.deepEqual(await next([], notBegun), [`put it right, then run it: kubectl restorehooks apply ${on}`]);
    const follow = `follow it: kubectl restorehooks status ${on} -w`;
    assert.deepEqual(await next([row('web-0')], { phase: 'InProgress' }), [follow]);
    const local = { phase: 'InProgress', message: 'suspended at x', runner: { kind: 'local', name: 'me' } } as const;
    assert.deepEqual(await next([row('web-0')], local), [`go on with it: kubectl restorehooks apply ${on}`]);
  });

  it('holds nothing that a terminal obeys', async () => {
    for (const text of HOSTILE) {
      const about = { pod: text, name: text, message: text, stderr: text };
      const lines = await printed(document([failed('web-0', about)], { message: text }));
      for (const line of lines) assert.doesNotMatch(line, /[\x00-\x1f\x7f-\x9f\u202e]/);
    }
  });
});

// R7.37
describe('the line of an event', () => {
  it('is time, state, id, reason, message', () => {
    const now = at(30);
    assert.equal(
      eventLine(failed('web-0', { message: 'm' }), now),
      `${at(1)} Failed shop/web-0/main/warm-up/0 (exit 7): m`,
    );
    assert.equal(eventLine(done('web-0', { exitCode: 0 }), now), `${at(1)} Succeeded shop/web-0/main/warm-up/0`);
    const running = row('web-0', { state: 'Running', startedAt: at(2), message: undefined });
    assert.equal(eventLine(running, now), `${at(2)} Running shop/web-0/main/warm-up/0`);
    assert.match(
      eventLine(row('web-0'), now),
      /^2026-11-29T03:00:30.000Z Waiting shop\/web-0\/main\/warm-up\/0: waiting for/,
    );
  });
});
