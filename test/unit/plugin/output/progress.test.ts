import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { beginWork, hasScreen, say, workLine } from '../../../../plugin/output/progress.ts';
import { displayWidth } from '../../../../plugin/output/width.ts';
import { keeper, manualClock } from '../harness.ts';

describe('say', () => {
  // R7.15
  it('prints one line, safe for a terminal', () => {
    const sink = keeper();
    say(sink, 'web-1\nended\x1b[2J');
    assert.equal(sink.text(), 'web-1\\nended\n');
  });
});

describe('hasScreen', () => {
  // R7.15
  it('only on a terminal that can draw, and if nobody asks for plain lines', () => {
    const stderr = keeper({ isTTY: true });
    assert.equal(hasScreen({ stderr, env: { TERM: 'xterm' } }), true);
    assert.equal(hasScreen({ stderr: keeper(), env: { TERM: 'xterm' } }), false);
    assert.equal(hasScreen({ stderr, env: { TERM: 'dumb' } }), false);
    assert.equal(hasScreen({ stderr, env: { ACCESSIBLE: '1' } }), false);
    assert.equal(hasScreen({ stderr, env: {}, isVerbose: true }), false);
  });
});

const MiB = 2 ** 20;

// R7.40
describe('work that takes long', () => {
  const begin = (terminal: object, more: object = {}) => {
    const stderr = keeper(terminal);
    const clock = manualClock();
    const asked = new AbortController();
    const work = beginWork({ stderr, clock, env: {}, signal: asked.signal, ...more }, 'reading x.tar.gz');
    return { stderr, clock, asked, work };
  };

  it('is a bar on a terminal, drawn at most ten times a second, and taken away', () => {
    const { stderr, clock, work } = begin({ isTTY: true, columns: 60 });
    work.at({ done: MiB, total: 4 * MiB, unit: 'bytes', more: '3 pods' });
    assert.deepEqual(stderr.written, [], 'what is done in a moment is not told');
    clock.pass(1_000);
    work.at({ done: 2 * MiB, total: 4 * MiB, unit: 'bytes', more: '3 pods' });
    work.at({ done: 3 * MiB, total: 4 * MiB, unit: 'bytes', more: '4 pods' });
    const bars = stderr.written.length;
    assert.ok(bars >= 1 && bars <= 11, `${bars}`);
    clock.pass(100);
    assert.match(stderr.written.at(-1) ?? '', /^\rreading x.tar.gz: \[={15}\.{5}\] 75%, 3.0 MiB of 4…\x1b\[K$/);
    work.end();
    assert.equal(stderr.written.at(-1), '\r\x1b[K');
    assert.equal(clock.waiting(), 0);
  });

  it('is taken away by a signal, though what it tells of goes on', () => {
    const { stderr, clock, asked } = begin({ isTTY: true, columns: 60 });
    clock.pass(1_000);
    asked.abort();
    assert.equal(stderr.written.at(-1), '\r\x1b[K');
    assert.equal(clock.waiting(), 0);
  });

  it('is a line every 10 s anywhere else, also while nothing is heard of it', () => {
    const { stderr, clock, work } = begin({});
    clock.pass(9_000);
    work.at({ done: 40, unit: 'files' });
    clock.pass(22_000);
    work.end();
    clock.pass(60_000);
    assert.deepEqual(stderr.text().split('\n'), [
      'reading x.tar.gz: 40 files, 4 files/s, 10s',
      'reading x.tar.gz: 40 files, 2 files/s, 20s',
      'reading x.tar.gz: 40 files, 1 files/s, 30s',
      '',
    ]);
  });

  it('is nothing for a program', () => {
    for (const terminal of [{}, { isTTY: true, columns: 80 }]) {
      const { stderr, clock, work } = begin(terminal, { isForProgram: true });
      clock.pass(60_000);
      work.at({ done: 1, unit: 'files' });
      work.end();
      assert.equal(stderr.text(), '');
    }
  });

  it('says how much, how fast, and what is left where that is known', () => {
    const at = { done: MiB, total: 4 * MiB, unit: 'bytes', more: '3 pods' } as const;
    assert.equal(workLine('w', at, 2_000), 'w: 25%, 1.0 MiB of 4.0 MiB, 3 pods, 512.0 KiB/s, 6s left');
    assert.equal(workLine('w', { done: 300, unit: 'bytes' }, 1_000), 'w: 300 B, 300 B/s, 1s');
    assert.equal(workLine('w', { ...at, done: 5 * MiB }, 1_000), 'w: 5.0 MiB, 3 pods, 5.0 MiB/s, 1s', 'more than told');
    assert.equal(workLine('w', undefined, 61_000), 'w: 1m1s');
    for (const columns of [1, 10, 30]) {
      assert.ok(displayWidth(workLine('語\n\x1b[2J', at, 2_000, columns)) <= columns);
    }
  });
});
