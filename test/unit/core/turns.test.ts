import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRun } from '../../../shared/core/executor/state.ts';
import { step } from '../../../shared/core/executor/step.ts';
import type { HookId, PlannedExecHook } from '../../../shared/core/hook.ts';
import { podKey } from '../../../shared/core/hook.ts';

const hook = (index: number): PlannedExecHook => ({
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

test('what is run again keeps its order although a hook between has succeeded before', () => {
  const hooks = [hook(0), hook(1), hook(2)];
  const kept = { phase: 'Ended', outcome: { state: 'Succeeded', exitCode: 0 }, startedAt: 1, endedAt: 2 } as const;
  const run = createRun(hooks, { startedAt: 0, maxConcurrent: 8, ended: new Map([[hook(1).id, kept]]) });
  const up = { app: { running: true, ready: true } };
  const { effects } = step(
    run,
    [{ type: 'podObserved', pod: { key: podKey('shop', 'web-0'), uid: 'u', phase: 'Running', containers: up } }],
    3,
  );
  assert.deepEqual(
    effects.flatMap((effect) => (effect.type === 'recordIntent' ? [effect.hook] : [])),
    [hook(0).id],
  );
});
