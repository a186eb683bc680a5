import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Fact } from '../../../shared/core/execute/protocol.ts';
import { createRun } from '../../../shared/core/execute/state.ts';
import { podKey } from '../../../shared/core/model/hook.ts';
import { instant } from '../../../shared/core/model/instant.ts';
import type { ExecAnswer, PodCreation } from '../../../shared/ports/ports.ts';
import { startEngine } from '../../../shared/runtime/engine.ts';
import { ExecStreams } from '../../../shared/runtime/exec-streams.ts';
import { PodTimers } from '../../../shared/runtime/pod-timers.ts';
import { execOnly } from '../../sim/exec-only.ts';
import { forgetfulJournal } from '../../sim/forgetful-journal.ts';
import { VirtualClock } from '../../sim/virtual-clock.ts';
import { execHook, initHook } from './hooks.ts';

const hook = execHook('p');
const KEY = podKey('ns', 'p');
const up = (running = true): Fact => ({
  type: 'podObserved',
  pod: { key: KEY, uid: 'p-uid', phase: 'Running', containers: { main: { running, ready: running } } },
});

/** An engine whose steps are noted, and whose commands answer when the test says so. */
function bench() {
  const clock = new VirtualClock();
  const steps: string[][] = [];
  const journaled: string[] = [];
  const answers: ExecAnswer[] = [];
  let dropped = 0;
  const run = createRun([hook], { startedAt: instant(0), maxConcurrent: 1 });
  const journal = {
    ...forgetfulJournal,
    started: () => void journaled.push('started'),
    result: () => void journaled.push('result'),
  };
  const exec = {
    start: (_: unknown, answer: ExecAnswer) => {
      answers.push(answer);
      return () => {
        dropped += 1;
      };
    },
  };
  const engine = startEngine(
    run,
    { clock, exec, journal, ...execOnly },
    { stepping: (facts) => void steps.push(facts.map(({ type }) => type)) },
  );
  const go = (...facts: Fact[]) => {
    for (const fact of facts) engine.tell(fact);
    clock.runUntil(clock.now());
  };
  return { clock, run, engine, steps, journaled, answers, go, dropped: () => dropped };
}

describe('an engine', () => {
  it('folds facts that arrive together in one step', () => {
    const { steps, go } = bench();
    go(up(false), { type: 'podsListed' });
    assert.deepEqual(steps, [['podObserved', 'podsListed']]);
  });

  it('carries a hook from its pod to its result, by way of the journal', () => {
    const { run, steps, journaled, answers, go } = bench();
    go(up());
    assert.deepEqual(steps, [['podObserved'], ['intentRecorded']]);
    answers[0]?.started();
    go();
    answers[0]?.ended({ kind: 'exited', exitCode: 0 }, {});
    go();
    assert.deepEqual(journaled, ['started', 'result']);
    assert.equal(run.counts.succeeded, 1);
  });

  it('wakes a pod at its deadline', () => {
    const { clock, run, answers, go, dropped } = bench();
    go(up());
    answers[0]?.started();
    clock.runUntil(29_999);
    assert.equal(run.counts.running, 1);
    clock.runUntil(30_000);
    assert.deepEqual([run.counts.timedOut, dropped()], [1, 1]);
  });

  it('that is stopped drops its streams and timers, and hears nothing more', () => {
    const { clock, run, engine, answers, go, dropped } = bench();
    go(up());
    answers[0]?.started();
    go();
    engine.stop();
    assert.equal(dropped(), 1);
    go({ type: 'cancelRequested' });
    clock.runUntil(1_000_000);
    assert.deepEqual([run.counts.running, run.stop], [1, undefined]);
  });

  it('asks for a pod, and tells what came of it', () => {
    const clock = new VirtualClock();
    const creating = { ...initHook('p'), injection: 'create' as const };
    const run = createRun([creating], { startedAt: instant(0), maxConcurrent: 1 });
    const asked: ((creation: PodCreation) => void)[] = [];
    const creator = { create: (_: unknown, answer: (creation: PodCreation) => void) => void asked.push(answer) };
    const ports = {
      clock,
      exec: { start: () => assert.fail() },
      journal: forgetfulJournal,
      creator,
      logs: execOnly.logs,
    };
    const { tell } = startEngine(run, ports, {});
    tell({ type: 'podsListed' });
    tell({ type: 'podDeleted', key: KEY, uid: 'p-uid' });
    clock.runUntil(0);
    assert.equal(asked.length, 1);
    asked[0]?.({ created: false, message: 'denied', left: 'missing' });
    clock.runUntil(0);
    assert.equal(run.counts.notExecuted, 1);
  });
});

describe('the timers of pods', () => {
  it('are one for each pod: the last that was set', () => {
    const clock = new VirtualClock();
    const fired: string[] = [];
    const timers = new PodTimers(clock, (key) => fired.push(`${key} ${clock.now()}`));
    const other = podKey('ns', 'q');
    timers.set(KEY, instant(10));
    timers.set(KEY, instant(20));
    timers.set(KEY, instant(20));
    timers.set(other, instant(30));
    timers.clear(other);
    clock.runUntil(100);
    assert.deepEqual(fired, ['ns/p 20']);
    timers.set(KEY, instant(110));
    timers.clearAll();
    clock.runUntil(200);
    assert.equal(fired.length, 1);
  });
});

describe('the streams of commands', () => {
  it('tell what was printed before the end, and are dropped once, and not after their end', () => {
    const told: string[] = [];
    const answers: ExecAnswer[] = [];
    let dropped = 0;
    const exec = {
      start: (_: unknown, answer: ExecAnswer) => {
        answers.push(answer);
        return () => {
          dropped += 1;
        };
      },
    };
    const streams = new ExecStreams(
      exec,
      ({ type }) => told.push(type),
      (_, { stdout }) => told.push(`printed ${stdout}`),
      (_, { text }) => told.push(`printing ${text}`),
    );
    streams.start(hook, 'p-uid');
    answers[0]?.started();
    answers[0]?.printed?.({ stream: 'stdout', from: 0, text: 'x' });
    answers[0]?.commandEnded?.();
    answers[0]?.ended({ kind: 'exited', exitCode: 0 }, { stdout: 'x' });
    assert.deepEqual(told, ['execStarted', 'printing x', 'commandEnded', 'printed x', 'execEnded']);
    streams.drop(hook.id);
    assert.equal(dropped, 0, 'it has ended');
    streams.start(hook, 'p-uid');
    streams.drop(hook.id);
    streams.drop(hook.id);
    streams.dropAll();
    assert.equal(dropped, 1);
  });

  it('that end at once are never dropped', () => {
    const exec = {
      start: (_: unknown, answer: ExecAnswer) => {
        answer.ended({ kind: 'podDeleted' }, {});
        return () => assert.fail('it has ended');
      },
    };
    const streams = new ExecStreams(
      exec,
      () => undefined,
      () => undefined,
      () => undefined,
    );
    streams.start(hook, undefined);
    streams.dropAll();
  });
});
