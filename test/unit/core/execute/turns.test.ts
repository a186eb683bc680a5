import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
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
  assert.equal(
    waitingFor({ active: 0, maxConcurrent: 8, wasTaken: false }, pod, 0 as HookPosition),
    'another try: the kubelet is down',
  );
});

// R3.29
test('a hook whose wait was over before a next runner came says that none was at work', () => {
  const run = createRun([hook(0)], { startedAt: instant(0), maxConcurrent: 0 });
  step(run, [UP], instant(0));
  const [pod] = run.pods;
  assert.ok(pod);
  const waited = (wasTaken: boolean, active = 0) =>
    waitingFor({ active, maxConcurrent: 8, wasTaken }, pod, 0 as HookPosition, instant(9));
  assert.equal(waited(true), 'a runner: when it could have started, none was at work');
  for (const text of [waited(true, 8), waited(false)]) assert.equal(text, 'one of 8 slots (--max-concurrent)');
});

// R3.29
describe('a hook that has waited too long says which timeout is over, and what it waited for', () => {
  const message = (run: RunState, id: HookId, facts: readonly Fact[], at: number): string | undefined =>
    step(run, facts, instant(at)).effects.flatMap((effect) =>
      effect.type === 'recordResult' && effect.hook === id ? [effect.result.outcome.message] : [],
    )[0];
  const late = (index: number, more: Partial<ExecHook> = {}): ExecHook => ({
    ...hook(index),
    waitTimeoutMs: 10_000,
    waitTimeoutFrom: 'spec',
    ...more,
  });

  it('another hook of its pod that ends at the same moment, and no slot', () => {
    const run = createRun([{ ...hook(0), execTimeoutMs: 10_000 }, late(1)], {
      startedAt: instant(0),
      maxConcurrent: 64,
    });
    begun(run, [UP], 0);
    step(run, [{ type: 'intentRecorded', hook: hook(0).id }], instant(0));
    step(run, [{ type: 'execStarted', hook: hook(0).id }], instant(0));
    assert.equal(
      message(run, hook(1).id, [{ type: 'timerFired', key: KEY }], 10_000),
      'its waitTimeout of 10s (spec) is over: it waited for hook shop/web-0/app/h/0',
    );
  });

  it('the next hook of the container that has begun, where that one waits', () => {
    const other = late(2, { container: 'side', id: 'shop/web-0/side/h/2' as HookId });
    const hooks = [hook(0), { ...hook(1), waitForReady: true }, other];
    const run = createRun(hooks, { startedAt: instant(0), maxConcurrent: 64 });
    const up = (ready: boolean): Fact => ({
      type: 'podObserved',
      pod: {
        key: KEY,
        uid: 'u',
        phase: 'Running',
        containers: { app: { running: true, ready }, side: { running: true, ready } },
      },
    });
    begun(run, [up(false)], 0);
    step(run, [{ type: 'intentRecorded', hook: hook(0).id }], instant(0));
    step(run, [{ type: 'execStarted', hook: hook(0).id }], instant(0));
    step(run, [{ type: 'execEnded', hook: hook(0).id, outcome: { kind: 'exited', exitCode: 0 } }], instant(1));
    assert.equal(
      message(run, other.id, [{ type: 'timerFired', key: KEY }], 10_000),
      'its waitTimeout of 10s (spec) is over: it waited for hook shop/web-0/app/h/1',
    );
  });

  it("a node, in the scheduler's words", () => {
    const run = createRun([late(0)], { startedAt: instant(0), maxConcurrent: 64 });
    const app = { running: false, ready: false, reason: 'Unschedulable', message: '0/1 nodes are available' };
    begun(run, [{ type: 'podObserved', pod: { key: KEY, uid: 'u', phase: 'Pending', containers: { app } } }], 0);
    assert.equal(
      message(run, hook(0).id, [{ type: 'timerFired', key: KEY }], 10_000),
      'its waitTimeout of 10s (spec) is over: it waited for container app to run (Unschedulable: 0/1 nodes are available)',
    );
  });

  it('a slot, where all are taken', () => {
    const pod = podKey('shop', 'web-1');
    const second = late(0, { pod: 'web-1', id: 'shop/web-1/app/h/0' as HookId });
    const run = createRun([hook(0), second], { startedAt: instant(0), maxConcurrent: 1 });
    begun(run, [UP, { type: 'podObserved', pod: { key: pod, uid: 'v', phase: 'Running', containers } }], 0);
    assert.equal(
      message(run, second.id, [{ type: 'timerFired', key: pod }], 10_000),
      'its waitTimeout of 10s (spec) is over: it waited for one of 1 slots (--max-concurrent)',
    );
  });
});
