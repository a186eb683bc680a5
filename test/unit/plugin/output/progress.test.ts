import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createProgress } from '../../../../plugin/output/progress.ts';
import { instant } from '../../../../shared/core/model/instant.ts';
import { keeper } from '../harness.ts';

describe('createProgress', () => {
  const manualClock = () => {
    let timers: (() => void)[] = [];
    return {
      now: () => instant(0),
      soon: queueMicrotask,
      setTimer: (_: number, fire: () => void) => {
        timers.push(fire);
        return () => {
          timers = timers.filter((each) => each !== fire);
        };
      },
      tick: () => {
        for (const fire of timers.splice(0)) fire();
      },
      waiting: () => timers.length,
    };
  };

  // R7.15
  it('prints one plain line an event where there is no terminal', () => {
    const sink = keeper();
    const progress = createProgress(sink, manualClock(), {});
    progress.status('1/2');
    progress.event('web-1 started\x1b[2J');
    progress.event('web-1\nended');
    progress.end();
    assert.equal(sink.text(), 'web-1 started\nweb-1\\nended\n');
  });

  it('keeps one live line below the events of a terminal, in single writes, and takes it away', () => {
    const sink = keeper({ isTTY: true, columns: 10 });
    const clock = manualClock();
    const progress = createProgress(sink, clock, {});
    progress.status('1/2 done, one is running');
    progress.event('started');
    progress.status('2/2');
    progress.status('2/3');
    clock.tick();
    progress.end();
    progress.status('late');
    assert.deepEqual(sink.written, [
      '\r1/2 done…\x1b[K',
      '\rstarted\x1b[K\n1/2 done…\x1b[K',
      '\r2/3\x1b[K',
      '\r\x1b[K',
    ]);
  });

  it('leaves no timer behind', () => {
    const clock = manualClock();
    const progress = createProgress(keeper({ isTTY: true, columns: 80 }), clock, {});
    progress.status('1/2');
    progress.end();
    assert.equal(clock.waiting(), 0);
  });
});
