import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Fact } from '../../../shared/core/execute/protocol.ts';
import type { RunStart } from '../../../shared/core/execute/run-start.ts';
import { createRun } from '../../../shared/core/execute/state.ts';
import { step } from '../../../shared/core/execute/step.ts';
import type { ExecOutcome, Hook } from '../../../shared/core/model/hook.ts';
import { podKey } from '../../../shared/core/model/hook.ts';
import { instant } from '../../../shared/core/model/instant.ts';
import type { Labels, Meter } from '../../../shared/core/report/run-metrics.ts';
import { Tally } from '../../../shared/core/report/run-metrics.ts';
import { RunMeter } from '../../../shared/runtime/run-meter.ts';
import { pendingStatus } from '../../sim/run-world.ts';
import { execHook, initHook } from './hooks.ts';

/** What a run's steps are counted as (R8.71). */

/** A run that is told facts at given times, and what was metered of it. */
function metered(hooks: readonly Hook[], start: Partial<RunStart> = {}) {
  const tally = new Tally();
  const gauges = new Map<string, number>();
  const meter: Meter = {
    count: (...told) => tally.count(...told),
    observe: (...told) => tally.observe(...told),
    set: (name, value, labels: Labels = {}) =>
      void gauges.set([name.replace('restorehooks_', ''), ...Object.values(labels)].join(' '), value),
  };
  const run = createRun(hooks, { startedAt: instant(0), maxConcurrent: 8, ...start });
  const runMeter = new RunMeter(meter);
  runMeter.begun(run, pendingStatus(hooks.length), instant(0));
  const at = (ms: number, ...facts: Fact[]): void => {
    runMeter.stepped({ run, facts, ...step(run, facts, instant(ms)), at: instant(ms) });
  };
  const counted = (name: string) =>
    Object.fromEntries(
      (tally.metrics[`restorehooks_${name}`] ?? []).map(({ labels = {}, value, count, sum }) => [
        Object.values(labels).join(' '),
        value ?? `${count} in ${sum} s`,
      ]),
    );
  return { at, counted, gauges, runMeter };
}

const up = (pod: string): Fact => ({
  type: 'podObserved',
  pod: {
    key: podKey('ns', pod),
    uid: `${pod}-uid`,
    phase: 'Running',
    containers: { main: { running: true, ready: true } },
  },
});
const recorded = ({ id }: Hook): Fact => ({ type: 'intentRecorded', hook: id });
const started = ({ id }: Hook): Fact => ({ type: 'execStarted', hook: id });
const ended = ({ id }: Hook, outcome: ExecOutcome = { kind: 'exited', exitCode: 0 }): Fact => ({
  type: 'execEnded',
  hook: id,
  outcome,
});

describe('the meter of a run', () => {
  const hook = execHook('p');

  it('measures waiting, starting and running of a hook', () => {
    const { at, counted, gauges } = metered([hook]);
    assert.deepEqual([gauges.get('hooks_planned'), gauges.get('hooks Waiting ')], [1, 1]);
    at(1_000, up('p'));
    at(1_250, recorded(hook));
    at(1_500, started(hook));
    assert.deepEqual([gauges.get('hooks Waiting '), gauges.get('hooks Running ')], [0, 1]);
    at(4_000, ended(hook));
    assert.deepEqual(counted('hook_wait_seconds'), { '': '1 in 0.5 s' });
    assert.deepEqual(counted('container_to_command_seconds'), { '': '1 in 0.5 s' });
    assert.deepEqual(counted('hook_duration_seconds'), { Succeeded: '1 in 2.5 s' });
    assert.deepEqual([gauges.get('hooks Succeeded '), gauges.get('hooks Running ')], [1, 0]);
    assert.equal(gauges.get('run_progress_timestamp_seconds'), 4);
  });

  it('counts the start of a command that starts and ends in one step', () => {
    const { at, counted } = metered([hook]);
    at(0, up('p'));
    at(0, recorded(hook));
    at(10, started(hook), ended(hook, { kind: 'exited', exitCode: 7 }));
    assert.deepEqual(counted('hook_starts_total'), { '': 1 });
    assert.deepEqual(counted('hook_duration_seconds'), { Failed: '1 in 0 s' });
  });

  it('counts each start of a hook that is tried again, and its wait once', () => {
    const tried = execHook('p', { retry: { attempts: 2, delayMs: 1_000, maxDelayMs: 1_000 } });
    const { at, counted } = metered([tried]);
    at(0, up('p'));
    at(0, recorded(tried));
    at(0, started(tried));
    at(10, ended(tried, { kind: 'exited', exitCode: 1 }));
    at(5_000, { type: 'timerFired', key: podKey('ns', 'p') });
    at(5_000, recorded(tried));
    at(5_000, started(tried));
    at(5_010, ended(tried));
    assert.deepEqual(counted('hook_starts_total'), { '': 2 });
    assert.deepEqual(counted('hook_retries_total'), { '': 1 });
    assert.deepEqual(counted('hook_wait_seconds'), { '': '1 in 0 s' });
    assert.deepEqual(counted('hook_duration_seconds'), { Succeeded: '1 in 0.01 s' });
  });

  it('tells reasons of hooks that never started, and measures nothing of them', () => {
    const second = execHook('q');
    const { at, counted, gauges } = metered([hook, second]);
    at(0, { type: 'podDeleted', key: podKey('ns', 'p'), uid: 'p-uid' });
    at(0, { type: 'podDeleted', key: podKey('ns', 'q'), uid: 'q-uid' });
    assert.equal(gauges.get('hooks NotExecuted pod-deleted'), 2);
    assert.deepEqual([counted('hook_duration_seconds'), counted('hook_starts_total')], [{}, {}]);
  });

  it('counts what runners before it have ended as states, and not as starts', () => {
    const outcome = { state: 'Failed', reason: 'exit', exitCode: 3 } as const;
    const before = { phase: 'Ended', outcome, startedAt: instant(-20), endedAt: instant(-10) } as const;
    const { counted, gauges } = metered([hook, execHook('q')], { ended: new Map([[hook.id, before]]) });
    assert.deepEqual([gauges.get('hooks Failed exit'), gauges.get('hooks Waiting ')], [1, 1]);
    assert.deepEqual(counted('hook_starts_total'), {});
  });

  it('tells the open wave, and how many of its hooks are left', () => {
    const [first, second] = [execHook('p', { wave: -1 }), execHook('q', { wave: 2 })];
    const { at, counted, gauges } = metered([first, second]);
    const open = () => [gauges.get('open_wave'), gauges.get('open_wave_hooks_left')];
    assert.deepEqual(open(), [-1, 1]);
    at(0, up('p'), up('q'));
    at(0, recorded(first));
    at(0, started(first));
    at(60_000, ended(first));
    assert.deepEqual(open(), [2, 1]);
    at(60_100, recorded(second));
    at(60_200, started(second));
    at(60_300, ended(second));
    assert.deepEqual(open(), [2, 0]);
    // A hook doesn't wait as long as its wave isn't open.
    assert.deepEqual(counted('hook_wait_seconds'), { '': '2 in 0.2 s' });
  });

  it('counts no start of an init container, which its pod starts', () => {
    const init = initHook('p');
    const { at, counted, gauges } = metered([init]);
    const over = { phase: 'terminated', isOver: true, isSidecar: false, exitCode: 0, restarts: 0 } as const;
    at(0, {
      type: 'podObserved',
      pod: {
        key: podKey('ns', 'p'),
        uid: 'p-uid',
        phase: 'Running',
        containers: {},
        initContainers: { load: { ...over, startedAt: instant(100), finishedAt: instant(300) } },
      },
    });
    at(400, { type: 'logRead', hook: init.id });
    assert.deepEqual([counted('hook_starts_total'), gauges.get('hooks Succeeded ')], [{}, 1]);
    assert.deepEqual(counted('hook_duration_seconds'), { Succeeded: '1 in 0.2 s' });
  });

  it('tells the phase that a run ends in, and none of a run that is left to the next runner', () => {
    const { gauges, runMeter } = metered([hook]);
    runMeter.ended(pendingStatus(1));
    assert.deepEqual([gauges.get('run_phase InProgress'), gauges.get('run_phase Pending')], [1, 0]);
    runMeter.ended({ ...pendingStatus(1), phase: 'Completed' });
    assert.deepEqual([gauges.get('run_phase InProgress'), gauges.get('run_phase Completed')], [0, 1]);
  });
});
