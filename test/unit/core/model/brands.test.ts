import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Instant } from '../../../../shared/core/model/instant.ts';
import { earliest, FOREVER, instant, later, latest } from '../../../../shared/core/model/instant.ts';
import type { HookPosition, PlanPosition, PodIndex } from '../../../../shared/core/model/position.ts';
import { hookPositions, planEntries, podIndexes } from '../../../../shared/core/model/position.ts';

const atTime = (at: Instant): number => at;
const atPod = (index: PodIndex): number => index;
const inPod = (position: HookPosition): number => position;
const inPlan = (position: PlanPosition): number => position;

test('times and positions cannot be exchanged: each of these calls is a type error', () => {
  const [pod] = podIndexes(['pod']);
  const [hook] = hookPositions(['hook']);
  const [entry] = planEntries(['hook']);
  assert.ok(pod !== undefined && hook !== undefined && entry !== undefined);
  const [plan] = entry;
  const time = instant(0);
  // @ts-expect-error: a number that nobody has called a time
  atTime(0);
  // @ts-expect-error: the index of a pod
  atTime(pod);
  // @ts-expect-error: the position of a hook in its pod
  atTime(hook);
  // @ts-expect-error: the position of a hook in its plan
  atTime(plan);
  // @ts-expect-error: the position of a hook in its pod
  atPod(hook);
  // @ts-expect-error: the position of a hook in its plan
  atPod(plan);
  // @ts-expect-error: a time
  atPod(time);
  // @ts-expect-error: the index of a pod
  inPod(pod);
  // @ts-expect-error: the position of a hook in its plan
  inPod(plan);
  // @ts-expect-error: a time
  inPod(time);
  // @ts-expect-error: the index of a pod
  inPlan(pod);
  // @ts-expect-error: the position of a hook in its pod
  inPlan(hook);
  // @ts-expect-error: a time
  inPlan(time);
  // @ts-expect-error: a sum is a number: `later` makes a time of it
  atTime(time + 1);
  assert.deepEqual([atTime(time), atPod(pod), inPod(hook), inPlan(plan)], [0, 0, 0, 0]);
});

test('a time is moved, and compared, as a time', () => {
  const at = instant(1_000);
  assert.equal(later(at, 500), 1_500);
  assert.equal(earliest(at, FOREVER), at);
  assert.equal(latest(at, FOREVER), FOREVER);
  assert.equal(later(FOREVER, -1), FOREVER);
});
