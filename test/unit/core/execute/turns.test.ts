import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fact } from '../../../../shared/core/execute/protocol.ts';
import type { RunState } from '../../../../shared/core/execute/state.ts';
import { createRun } from '../../../../shared/core/execute/state.ts';
import { step } from '../../../../shared/core/execute/step.ts';
import { waitingFor } from '../../../../shared/core/execute/waiting-for.ts';
import type { ExecHook, HookId } from '../../../../shared/core/model/hook.ts';
import { podKey } from '../../../../shared/core/model/hook.ts';
import { instant } from '../../../../shared/core/model/instant.ts';
import type { HookPosition } from '../../../../shared/core/model/position.ts';

const hook = (index: number): ExecHook => ({
  id: `shop/web-0/app/h/${index}` as HookId,
  namespace: 'shop',
  pod: 'web-0',
  container: 'app',
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
});

const KEY = podKey('shop', 'web-0');
const containers = { app: { running: true, ready: true } };
const UP: Fact = { type: 'podObserved', pod: { key: KEY, uid: 'u', phase: 'Running', containers } };
const begun = (run: RunState, facts: readonly Fact[], at: number): HookId[] =>
  step(run, facts, instant(at)).effects.flatMap((effect) => (effect.type === 'recordIntent' ? [effect.hook] : []));

test('what is run again keeps its order although a hook between has succeeded before', () => {
  const hooks = [hook(0), hook(1), hook(2)];
  const kept = {
    phase: 'Ended',
    outcome: { state: 'Succeeded', exitCode: 0 },
    startedAt: instant(1),
    endedAt: instant(2),
  } as const;
  const run = createRun(hooks, { startedAt: instant(0), maxConcurrent: 8, ended: new Map([[hook(1).id, kept]]) });
  assert.deepEqual(begun(run, [UP], 3), [hook(0).id]);
});

// R4.5
test('nothing starts beside a command whose connection was lost, until its exec timeout is over', () => {
  const hooks = [{ ...hook(0), execTimeoutMs: 30_000 }, hook(1)];
  const { id } = hook(0);
  const run = createRun(hooks, { startedAt: instant(0), maxConcurrent: 8 });
  assert.deepEqual(begun(run, [UP], 0), [id]);
  step(run, [{ type: 'intentRecorded', hook: id }], instant(1));
  step(run, [{ type: 'execStarted', hook: id }], instant(2));
  const lost = { kind: 'connectionLost', message: 'm' } as const;
  const { effects } = step(run, [{ type: 'execEnded', hook: id, outcome: lost }], instant(500));
  assert.deepEqual(effects.at(-1), { type: 'setTimer', key: KEY, at: 30_002 });
  assert.deepEqual(begun(run, [UP], 30_001), []);
  assert.deepEqual(begun(run, [{ type: 'timerFired', key: KEY }], 30_002), [hook(1).id]);
});

// R4.8, R7.31
test('a hook whose exec was refused says that it waits for another try, and why', () => {
  const { id } = hook(0);
  const run = createRun([hook(0)], { startedAt: instant(0), maxConcurrent: 8 });
  assert.deepEqual(begun(run, [UP], 0), [id]);
  step(run, [{ type: 'intentRecorded', hook: id }], instant(1));
  step(run, [{ type: 'execEnded', hook: id, outcome: { kind: 'notStarted', why: 'the kubelet is down' } }], instant(2));
  const [pod] = run.pods;
  assert.ok(pod);
  assert.equal(waitingFor(8, pod, 0 as HookPosition), 'another try: the kubelet is down');
});
