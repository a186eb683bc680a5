import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  dueNow,
  execDeadline,
  isLate,
  lookAgainAt,
  retryDelayMs,
  waitDeadline,
} from '../../../../shared/core/execute/deadlines.ts';
import type { HookState } from '../../../../shared/core/execute/hook-state.ts';
import type { PodRun } from '../../../../shared/core/execute/state.ts';
import { createRun } from '../../../../shared/core/execute/state.ts';
import type { Hook, HookId } from '../../../../shared/core/model/hook.ts';
import { instant } from '../../../../shared/core/model/instant.ts';
import type { HookPosition } from '../../../../shared/core/model/position.ts';
import { execHook, initHook } from '../../runtime/hooks.ts';

const numbered = (hooks: readonly Hook[]) => hooks.map((hook, index): Hook => ({ ...hook, id: `h${index}` as HookId }));

type HookIn = readonly [hook: Hook, state?: HookState];
/** One pod with these hooks, each in the state that stands beside it; its wait timeouts began at 1000. */
function podOf(...hooks: HookIn[]): PodRun {
  const planned = numbered(hooks.map(([hook]) => hook));
  const [pod] = createRun(planned, { startedAt: instant(0), maxConcurrent: 8 }).pods;
  assert.ok(pod);
  for (const [index, [, state]] of hooks.entries()) {
    if (state === undefined) continue;
    const before = pod.states[index];
    pod.states[index] = state;
    pod.open.noted(index as HookPosition, before);
  }
  return { ...pod, waitingSince: instant(1_000) };
}

const waits = (waitTimeoutMs: number | null) => execHook('p', { waitTimeoutMs });
const FIRST = 0 as HookPosition;
const running = { phase: 'Running', startedAt: instant(2_000) } as const;
const ended: HookState = { phase: 'Ended', outcome: { state: 'Succeeded', exitCode: 0 }, endedAt: instant(1) };

describe('a wait deadline', () => {
  it('counts from when the pod was first seen; without a timeout, or before that, there is none', () => {
    const pod = podOf([waits(5_000)]);
    assert.equal(waitDeadline(pod, waits(5_000)), 6_000);
    assert.equal(waitDeadline(pod, waits(null)), undefined);
    assert.equal(waitDeadline({ ...pod, waitingSince: undefined }, waits(5_000)), undefined);
  });

  it('has passed at that very time', () => {
    const pod = podOf([waits(5_000)]);
    assert.deepEqual([isLate(pod, FIRST, instant(5_999)), isLate(pod, FIRST, instant(6_000))], [false, true]);
    assert.equal(isLate(podOf([waits(null)]), FIRST, instant(1e15)), false);
  });
});

describe('an exec deadline', () => {
  it('counts from the start, and is none without a limit or once the command has ended', () => {
    assert.equal(execDeadline(running, execHook('p')), 32_000);
    assert.equal(execDeadline(running, execHook('p', { execTimeoutMs: null })), undefined);
    assert.equal(execDeadline({ ...running, commandEndedAt: instant(2_500) }, execHook('p')), undefined);
  });
});

describe('a pod is looked at again', () => {
  const at = (now: number, ...hooks: HookIn[]) => lookAgainAt(podOf(...hooks), instant(now));

  it('at the first of its deadlines: of what runs, what is tried again, and what waits', () => {
    const retried = { phase: 'Waiting', tries: 1, retryAt: instant(4_000) } as const;
    assert.equal(at(1_000, [waits(null)]), undefined);
    assert.equal(at(1_000, [waits(9_000)], [waits(5_000)]), 6_000);
    assert.equal(at(1_000, [waits(null), running]), 32_000);
    assert.equal(at(1_000, [waits(5_000), retried]), 4_000);
    assert.equal(at(4_000, [waits(5_000), retried]), 6_000, 'a try that is due waits for something else');
  });

  it('not for a hook that has ended, nor for the wait timeout of a command that runs', () => {
    assert.equal(at(1_000, [waits(5_000), ended], [waits(7_000)]), 8_000);
    assert.equal(at(1_000, [execHook('p', { waitTimeoutMs: 5_000, execTimeoutMs: null }), running]), undefined);
  });

  it('for an init hook until it has ended, also while it runs', () => {
    assert.equal(at(1_000, [{ ...initHook('p'), waitTimeoutMs: 5_000 }, running]), 6_000);
  });

  it('when a command that was lost has had its time, if a hook waits for that', () => {
    const pod = podOf([waits(null)]);
    assert.equal(lookAgainAt({ ...pod, quietUntil: instant(9_000) }, instant(1_000)), 9_000);
    assert.equal(lookAgainAt({ ...pod, quietUntil: instant(9_000) }, instant(9_000)), undefined);
    assert.equal(
      lookAgainAt({ ...podOf([waits(null), ended]), quietUntil: instant(9_000) }, instant(1_000)),
      undefined,
    );
  });
});

describe('what may end now', () => {
  it('is what runs, each init hook, and what has waited too long, in plan order', () => {
    const pod = podOf([waits(9_000)], [waits(2_000)], [initHook('p')], [waits(1_000)], [waits(null), running]);
    assert.deepEqual(dueNow(pod, instant(1_500)), [2, 4]);
    assert.deepEqual(dueNow(pod, instant(3_000)), [1, 2, 3, 4]);
  });
});

describe('the next try', () => {
  it('is later each time, at most ten seconds, and not before the server allows it', () => {
    assert.deepEqual(
      [1, 2, 3, 7, 8, 50].map((tries) => retryDelayMs(tries)),
      [100, 200, 400, 6_400, 10_000, 10_000],
    );
    assert.deepEqual(
      [retryDelayMs(1, 5_000), retryDelayMs(8, 20_000), retryDelayMs(8, 5_000)],
      [5_000, 20_000, 10_000],
    );
  });
});
