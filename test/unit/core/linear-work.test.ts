import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRun } from '../../../shared/core/execute/state.ts';
import type { ExecHook, HookId } from '../../../shared/core/model/hook.ts';
import { podKey } from '../../../shared/core/model/hook.ts';
import { instant } from '../../../shared/core/model/instant.ts';
import type { HookExec } from '../../../shared/ports/ports.ts';
import { startEngine } from '../../../shared/runtime/engine.ts';
import { Rows } from '../../../shared/runtime/rows.ts';
import { execOnly } from '../../sim/exec-only.ts';
import { forgetfulJournal } from '../../sim/forgetful-journal.ts';
import { VirtualClock } from '../../sim/virtual-clock.ts';

/** The measure of work: how often a run reads any field of any hook. */

const POD = podKey('shop', 'web-0');

type Shape = (index: number) => Partial<ExecHook>;
const shapes: Readonly<Record<string, Shape>> = {
  'in one container': () => ({}),
  'in one container, each with a wait timeout': (index) => ({ waitTimeoutMs: 1e9 + ((index * 7919) % 1000) }),
  'in one container, waiting for readiness, with exec timeouts': () => ({ waitForReady: true, execTimeoutMs: 1000 }),
  'in four containers': (index) => ({ container: `c${Math.floor(index / 4) % 4}` }),
  'in pods of their own': (index) => ({ pod: `web-${index}` }),
  'in one container, each in a wave of its own': (index) => ({ wave: index, waitTimeoutMs: 1e9 - index }),
  'in pods of their own, each in a wave of its own': (index) => ({ pod: `web-${index}`, wave: index }),
  'in pods of their own, in five waves': (index) => ({ pod: `web-${index}`, wave: index % 5, waitTimeoutMs: 1e9 }),
  'of which all wait too long': () => ({ waitTimeoutMs: 5, container: 'down' }),
  'of which one in three fails': () => ({ onError: 'Continue' }),
};

function lookedAt(count: number, shape: Shape): number {
  let looks = 0;
  const planned = Array.from({ length: count }, (_, index): ExecHook => {
    const hook: ExecHook = {
      id: `h${index}` as HookId,
      namespace: 'shop',
      pod: 'web-0',
      container: 'main',
      kind: 'exec',
      source: 'spec',
      origin: 'velero',
      name: 'h',
      index,
      command: ['c'],
      onError: 'Continue',
      waitTimeoutMs: null,
      waitTimeoutFrom: 'default',
      execTimeoutMs: null,
      execTimeoutFrom: 'default',
      waitForReady: false,
      ...shape(index),
    };
    return new Proxy(hook, {
      get(target, field, receiver) {
        looks += 1;
        return Reflect.get(target, field, receiver);
      },
    });
  });
  // As the plan orders them.
  const hooks = [...Map.groupBy(planned, ({ pod, container }) => `${pod}/${container}`).values()].flat();
  const run = createRun(hooks, { startedAt: instant(0), maxConcurrent: 64 });
  const clock = new VirtualClock();
  const rows = new Rows(run, 1, new Map());
  let ended = 0;
  const exec: HookExec = {
    start(_request, answer) {
      answer.started();
      return clock.setTimer(1, () => {
        ended += 1;
        answer.ended({ kind: 'exited', exitCode: ended % 3 === 0 ? 1 : 0 }, {});
      });
    },
  };
  const { tell } = startEngine(
    run,
    { clock, exec, journal: forgetfulJournal, ...execOnly },
    { stepped: (touched) => void rows.stepped(touched) },
  );
  const up = { running: true, ready: true };
  const containers = { main: up, c0: up, c1: up, c2: up, c3: up, down: { running: false, ready: false } };
  for (const pod of new Set(hooks.map((hook) => hook.pod))) {
    tell({ type: 'podObserved', pod: { key: podKey('shop', pod), uid: pod, phase: 'Running', containers } });
  }
  clock.runUntil(1e6);
  assert.equal(run.counts.waiting + run.counts.running, 0, JSON.stringify(run.counts));
  assert.ok(rows.hasUnwritten && run.podIndex.has(POD));
  return looks;
}

for (const [what, shape] of Object.entries(shapes)) {
  test(`hooks ${what}: ten times as many are ten times the work`, () => {
    const few = lookedAt(200, shape);
    const many = lookedAt(2000, shape);
    assert.ok(many < 12 * few, `${few} looks at 200 hooks, ${many} at 2000`);
  });
}
