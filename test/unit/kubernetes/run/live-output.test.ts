import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HookId } from '../../../../shared/core/model/hook.ts';
import type { LivePiece } from '../../../../shared/kubernetes/run/live-output.ts';
import {
  liveKeyValue,
  newLiveKey,
  openBatch,
  parseLiveKey,
  sealBatch,
} from '../../../../shared/kubernetes/run/live-output.ts';
import { LiveWriter } from '../../../../shared/kubernetes/run/live-writer.ts';
import { VirtualClock } from '../../../sim/virtual-clock.ts';

const source = { runID: 'abc123', runner: 1 };
const piece: LivePiece = { hook: 'ns/p/main/h/0', stream: 'stdout', at: 5, from: 0, text: 'PW=hunter2\n' };

// R5.25
describe('a sealed line of output', () => {
  const key = newLiveKey('runner-x');
  const line = sealBatch(key, source, 7, { pieces: [piece] });

  it('is opened by the key of its runner, and shows no word of the output', () => {
    assert.deepEqual(openBatch(key, source, line), { sequence: 7, batch: { pieces: [piece] } });
    assert.ok(!Buffer.from(line, 'base64').includes('hunter2') && !line.includes('hunter2'));
    assert.deepEqual(parseLiveKey(liveKeyValue(key)), key);
  });

  it('can be opened by no other key, and not as the line of another place', () => {
    assert.equal(openBatch(newLiveKey('runner-x'), source, line), undefined);
    assert.equal(openBatch(key, { ...source, runner: 2 }, line), undefined);
    assert.equal(openBatch(key, { ...source, runID: 'abc124' }, line), undefined);
    const bytes = Buffer.from(line, 'base64');
    bytes.writeUInt32BE(8);
    assert.equal(openBatch(key, source, bytes.toString('base64')), undefined, 'another number');
  });

  it('that was changed or cut is not opened', () => {
    const bytes = Buffer.from(line, 'base64');
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.equal(openBatch(key, source, changed.toString('base64')), undefined);
      assert.equal(openBatch(key, source, bytes.subarray(0, at).toString('base64')), undefined);
    }
    for (const text of ['', 'no base64 at all', '{}']) assert.equal(openBatch(key, source, text), undefined);
  });

  it('has a key that is none where the Secret holds something else', () => {
    for (const text of [undefined, '', '{}', 'bnVsbA==']) assert.equal(parseLiveKey(text), undefined);
  });
});

/** A writer whose lines are noted as they were opened, with the time at which they were written. */
function bench() {
  const clock = new VirtualClock();
  const key = newLiveKey('runner-x');
  const lines: { at: number; sequence: number; pieces: readonly LivePiece[]; isLast?: true | undefined }[] = [];
  let bytes = 0;
  const writer = new LiveWriter(clock, key, source, (line) => {
    const opened = openBatch(key, source, line);
    assert.ok(opened !== undefined);
    bytes += line.length;
    lines.push({ at: clock.now(), sequence: opened.sequence, ...opened.batch });
  });
  let from = 0;
  const print = (text: string, hook = 'h') => {
    writer.printed(hook as HookId, { stream: 'stdout', from, text });
    from += Buffer.byteLength(text);
  };
  const pass = (ms: number) => {
    clock.setTimer(ms, () => undefined);
    clock.runUntil(clock.now() + ms);
  };
  return { writer, lines, print, pass, bytes: () => bytes };
}

// R5.26
describe('the writer of live output', () => {
  it('writes at most a line a second, the first one soon, and none if there is nothing', () => {
    const { lines, print, pass } = bench();
    pass(10_000);
    assert.equal(lines.length, 0);
    for (let i = 0; i < 50; i += 1) {
      print(`${i}\n`);
      pass(100);
    }
    pass(5_000);
    const times = lines.map(({ at }) => at);
    assert.equal(times[0], 10_100);
    for (const [index, at] of times.entries()) assert.ok(index === 0 || at - (times[index - 1] ?? 0) >= 1_000);
    assert.ok(times.length <= 7);
    const text = lines.flatMap(({ pieces }) => pieces.map((each) => each.text)).join('');
    assert.equal(text, Array.from({ length: 50 }, (_, i) => `${i}\n`).join(''));
    assert.deepEqual(
      lines.map(({ sequence }) => sequence),
      [...lines.keys()],
    );
  });

  it('joins what comes at once from one stream, and keeps the order of several', () => {
    const { lines, print, pass } = bench();
    print('a');
    print('b');
    print('c', 'other');
    print('d');
    pass(1_000);
    assert.deepEqual(
      lines[0]?.pieces.map(({ hook, text }) => [hook, text]),
      [
        ['h', 'ab'],
        ['other', 'c'],
        ['h', 'd'],
      ],
    );
  });

  it('leaves out what is more than 64 KiB in a second, of the stream that prints most, and not its last words', () => {
    const { lines, print, pass } = bench();
    print('quiet', 'other');
    print('é'.repeat(40_000));
    print('last words');
    pass(1_000);
    const [quiet, loud] = lines.flatMap(({ pieces }) => pieces);
    assert.equal(quiet?.text, 'quiet');
    assert.ok(loud?.text.startsWith('é') && loud.text.endsWith('élast words'));
    assert.equal(Buffer.byteLength(loud?.text ?? ''), 65_536 - 5 - 1, 'no character is cut');
    assert.equal((loud?.from ?? 0) + Buffer.byteLength(loud?.text ?? ''), 5 + 80_000 + 10);
  });

  it('leaves out whole pieces of it, the oldest first', () => {
    const { lines, print, pass } = bench();
    print('x');
    pass(100);
    for (const word of ['a', 'b', 'c', 'd']) {
      print(word.repeat(30_000));
      pass(200);
    }
    pass(1_000);
    const said = lines.slice(1).flatMap(({ pieces }) => pieces.map(({ from, text }) => [from, text[0], text.length]));
    assert.deepEqual(said, [
      [54_465, 'b', 5_536],
      [60_001, 'c', 30_000],
      [90_001, 'd', 30_000],
    ]);
  });

  it('stops at 6 MiB, with a line that says so', () => {
    const { lines, print, pass, bytes } = bench();
    for (let i = 0; i < 400; i += 1) {
      // As good as random: it can't be compressed.
      print(
        Array.from({ length: 16_384 }, (_, at) => String.fromCharCode(33 + (((at * at * (i + 7)) % 7919) % 90))).join(
          '',
        ),
      );
      print(Buffer.from(Array.from({ length: 24_000 }, () => Math.floor(Math.random() * 256))).toString('base64'));
      pass(1_000);
    }
    assert.ok(bytes() <= 6 * 1024 * 1024 + 1024, `${bytes()}`);
    assert.ok(bytes() > 5 * 1024 * 1024);
    assert.deepEqual(lines.map(({ isLast }) => isLast === true).filter(Boolean).length, 1);
    assert.equal(lines.at(-1)?.isLast, true);
  });
});
