import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createRun } from '../../../../shared/core/execute/state.ts';
import { step } from '../../../../shared/core/execute/step.ts';
import { instant } from '../../../../shared/core/model/instant.ts';
import { execHook } from '../../runtime/hooks.ts';

/** A run of one hook with an exec timeout of 30 s, whose command runs since 1 s. */
function running() {
  const hook = execHook('p');
  const run = createRun([hook], { startedAt: instant(0), maxConcurrent: 1 });
  const [pod] = run.pods;
  assert.ok(pod);
  const at = instant(1_000);
  const container = { running: true, ready: true };
  const observed = { key: pod.key, uid: 'p-uid', phase: 'Running', containers: { main: container } } as const;
  step(run, [{ type: 'podObserved', pod: observed }], at);
  step(run, [{ type: 'intentRecorded', hook: hook.id }], at);
  step(run, [{ type: 'execStarted', hook: hook.id }], at);
  /** The result with which the hook ends in one step; undefined where it goes on. */
  const result = (type: 'timerFired' | 'dropRequested', ms: number) => {
    const fact = type === 'timerFired' ? { type, key: pod.key } : { type };
    const recorded = step(run, [fact], instant(ms)).effects.find((effect) => effect.type === 'recordResult');
    return recorded?.type === 'recordResult' ? recorded.result.outcome : undefined;
  };
  return { result };
}

describe('a running hook', () => {
  it('ends at its exec timeout, and not before, and its result says that the command may go on (R3.19)', () => {
    const { result } = running();
    assert.equal(result('timerFired', 30_999), undefined);
    assert.deepEqual(result('timerFired', 31_000), {
      state: 'TimedOut',
      reason: 'executing',
      message:
        'its execTimeout of 30s (the default: set another with execTimeout) is over; the command may still be running in the container',
    });
  });

  it('that is dropped says that nobody waited, and that the command may go on (R6.19)', () => {
    assert.deepEqual(running().result('dropRequested', 2_000), {
      state: 'Unknown',
      reason: 'canceled',
      message: 'canceled without waiting for its end; the command may still be running in the container',
    });
  });
});
