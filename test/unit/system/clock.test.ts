import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import { systemClock } from '../../../shared/system/clock.ts';

describe('systemClock', () => {
  it('fires once, not before its time, and not when it was cancelled', async () => {
    const fired: number[] = [];
    const started = performance.now();
    const cancel = systemClock.setTimer(5, () => assert.fail('cancelled'));
    cancel();
    await new Promise<void>((resolve) => {
      systemClock.setTimer(20, () => {
        fired.push(performance.now() - started);
        resolve();
      });
    });
    assert.equal(fired.length, 1);
    assert.ok((fired[0] ?? 0) >= 20);
  });

  it('waits longer than setTimeout can', (t) => {
    const day = 24 * 3600 * 1000;
    let elapsed = 0;
    t.mock.timers.enable({ apis: ['setTimeout'] });
    t.mock.method(performance, 'now', () => elapsed);
    const fire = mock.fn();
    systemClock.setTimer(60 * day, fire);
    for (let passed = 0; passed < 60; passed++) {
      assert.equal(fire.mock.callCount(), 0, `after ${passed} days`);
      elapsed += day;
      t.mock.timers.tick(day);
    }
    assert.equal(fire.mock.callCount(), 1);
  });

  it('runs what is soon before any timer', async () => {
    const order: string[] = [];
    const timer = new Promise<void>((resolve) => {
      systemClock.setTimer(0, () => {
        order.push('timer');
        resolve();
      });
    });
    systemClock.soon(() => order.push('soon'));
    order.push('now');
    await timer;
    assert.deepEqual(order, ['now', 'soon', 'timer']);
  });
});
