import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HookResult } from '../../../../shared/core/model/hook.ts';
import { hookResult } from '../../../../shared/core/model/hook.ts';

const RESULTS: readonly HookResult[] = [
  { state: 'Succeeded' },
  { state: 'Succeeded', exitCode: 0 },
  { state: 'Succeeded', exitCode: 0, unproven: true },
  { state: 'Failed', reason: 'exit', exitCode: 3 },
  { state: 'Failed', reason: 'error', message: 'm' },
  { state: 'TimedOut', reason: 'waiting', message: 'm' },
  { state: 'TimedOut', reason: 'executing', exitCode: 1 },
  { state: 'NotExecuted', reason: 'pod-deleted' },
  { state: 'Unknown', reason: 'runner-died', message: 'm' },
];

test('a result has the reasons and fields of its state, and no others: each of these is a type error', () => {
  const wrong: readonly HookResult[] = [
    // @ts-expect-error: a success needs no reason
    { state: 'Succeeded', exitCode: 0, reason: 'exit' },
    // @ts-expect-error: nor has it another exit code
    { state: 'Succeeded', exitCode: 1 },
    // @ts-expect-error: a hook that waited too long has timed out
    { state: 'Failed', reason: 'waiting' },
    // @ts-expect-error: an exit has its code
    { state: 'Failed', reason: 'exit' },
    // @ts-expect-error: a command that did not run has none
    { state: 'Failed', reason: 'error', exitCode: 1 },
    // @ts-expect-error: a command that was lost may have been executed
    { state: 'NotExecuted', reason: 'connection-lost' },
    // @ts-expect-error: what is not known to have ended has no exit code
    { state: 'Unknown', reason: 'runner-died', exitCode: 1 },
    // @ts-expect-error: only a success can be unproven
    { state: 'Failed', reason: 'exit', exitCode: 1, unproven: true },
    // @ts-expect-error: every other end has a reason
    { state: 'NotExecuted' },
    // @ts-expect-error: it has not ended
    { state: 'Running' },
  ];
  for (const each of wrong) {
    const { unproven, ...read } = each;
    if (unproven === undefined) assert.equal(hookResult(read), undefined, JSON.stringify(each));
  }
});

test('a result that was read is that result', () => {
  for (const result of RESULTS) {
    assert.deepEqual(hookResult(result), result);
    assert.deepEqual(hookResult(JSON.parse(JSON.stringify({ ...result, attempt: 1 }))), result);
  }
});
