import assert from 'node:assert/strict';
import { it } from 'node:test';
import { instant } from '../../../shared/core/model/instant.ts';
import { Forgetting } from '../../../shared/runtime/forgetting.ts';
import { VirtualClock } from '../../sim/virtual-clock.ts';

for (const isDurable of [true, false]) {
  it(`what is kept of a detached command is ${isDurable ? 'removed' : 'left'} where its result is ${isDurable ? '' : 'not '}durable (R3.86)`, () => {
    const clock = new VirtualClock();
    const calls: ((isDurable: boolean) => void)[] = [];
    const forgetting = new Forgetting(clock, { whenDurable: (call) => void calls.push(call) });
    const forgotten: string[] = [];
    forgetting.add(() => forgotten.push('a'));
    forgetting.add(() => forgotten.push('b'));
    clock.runUntil(instant(1_000));
    assert.equal(calls.length, 1, 'the results of a second are looked at together');
    assert.deepEqual(forgotten, []);
    calls[0]?.(isDurable);
    assert.deepEqual(forgotten, isDurable ? ['a', 'b'] : []);
  });
}
