import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { withCleanOutput } from '../../../../../plugin/output/clean.ts';
import { openScreen } from '../../../../../plugin/output/live/screen.ts';
import type { Context } from '../../../../../plugin/process/context.ts';
import { keeper, manualClock } from '../../harness.ts';

function open(paint: (size: { columns: number; rows: number }, notes: readonly string[]) => readonly string[]) {
  const sink = { ...keeper({ isTTY: true, columns: 40 }), rows: 10, resize: (): void => undefined };
  const onResize = (listener: () => void) => {
    sink.resize = listener;
    return () => undefined;
  };
  const raw = { ...sink, onResize };
  const { stderr } = withCleanOutput({ stdout: raw, stderr: raw } as unknown as Context);
  const clock = manualClock();
  return { sink, raw, stderr, clock, screen: openScreen(stderr, clock, paint) };
}

// R7.36
describe('a screen', () => {
  it('takes the terminal, and gives it back with the cursor', () => {
    const { sink, screen, clock } = open(() => ['one']);
    screen.end();
    screen.end();
    const all = sink.text();
    assert.ok(all.startsWith('\x1b[?1049h\x1b[?25l'), JSON.stringify(all));
    assert.ok(all.endsWith('\x1b[?7h\x1b[?25h\x1b[?1049l'), JSON.stringify(all));
    assert.equal(clock.waiting(), 0);
  });

  it('writes only lines that have changed, at most ten times a second', () => {
    let lines = ['one', 'two', 'three'];
    let painted = 0;
    const { sink, screen, clock } = open(() => {
      painted += 1;
      return lines;
    });
    sink.written.length = 0;
    for (let time = 0; time < 1_000; time += 10) {
      lines = ['one', `two ${time}`, 'three'];
      screen.changed();
      clock.pass(10);
    }
    assert.ok(painted <= 12, `${painted}`);
    assert.ok(sink.text().includes('\x1b[2;1H\x1b[2Ktwo 990'), sink.text());
    assert.doesNotMatch(sink.text(), /one|three/);
    lines = ['one'];
    screen.changed();
    clock.pass(100);
    assert.ok(sink.text().endsWith('\x1b[2;1H\x1b[J\x1b[H'), 'lines that are gone are erased');
    screen.end();
  });

  it('draws everything again after a change of size, with the new size', () => {
    const { sink, raw, screen, clock } = open(({ columns, rows }) => [`${columns} by ${rows}`]);
    clock.pass(100);
    raw.columns = 20;
    raw.rows = 5;
    sink.written.length = 0;
    sink.resize();
    clock.pass(100);
    assert.match(sink.text(), /20 by 5\x1b\[2;1H\x1b\[J/);
    screen.end();
  });

  it('shows what others write, and leaves it on the terminal in the end', () => {
    const { sink, stderr, screen, clock } = open((_, notes) => notes.slice(-1));
    stderr.write('warning: a\x1b[2J\nwarning: b\n');
    clock.pass(100);
    assert.ok(sink.text().includes('\x1b[1;1H\x1b[2Kwarning: b'));
    screen.end();
    assert.ok(sink.text().endsWith('\x1b[?1049lwarning: a\nwarning: b\n'), JSON.stringify(sink.text()));
    stderr.write('later\n');
    assert.ok(sink.text().endsWith('later\n'));
  });

  it('is drawn every second for the times on it', () => {
    let seconds = 0;
    const { sink, screen, clock } = open(() => {
      seconds += 1;
      return [`${seconds}`];
    });
    clock.pass(3_000);
    assert.equal(seconds, 4);
    assert.ok(sink.text().includes('\x1b[2K4'));
    screen.end();
  });
});
