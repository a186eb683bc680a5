import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SanitizedStream, sanitizeText } from '../../../shared/core/sanitize.ts';

const inPieces = (...pieces: string[]): string => {
  const stream = new SanitizedStream();
  return pieces.map((piece) => stream.add(piece)).join('') + stream.end();
};

// R5.18
describe('text that comes in pieces', () => {
  const text =
    'a\x1b[31mred\x1b[0m\r\nb\rc\x1b]0;title\x07d\x1bPq#0\x1b\\e\u009b1mf\u009dx\u009cg\u202eh\x1b(Bi\x1b\x1b[2Jj\r';

  it('is cleaned as the whole text is, wherever it is cut', () => {
    for (let at = 0; at <= text.length; at += 1) {
      assert.equal(inPieces(text.slice(0, at), text.slice(at)), sanitizeText(text), `cut at ${at}`);
    }
    assert.equal(inPieces(...text), sanitizeText(text));
  });

  it('comes out at once if no escape sequence has begun', () => {
    const stream = new SanitizedStream();
    assert.equal(stream.add('password: '), 'password: ');
    assert.equal(stream.add('\x1b[1mbold'), 'bold');
    assert.equal(stream.add('x\x1b[3'), 'x');
    assert.equal(stream.add('1my'), 'y');
  });

  it('never holds much back, and takes no long time', () => {
    const stream = new SanitizedStream();
    const startedAt = performance.now();
    for (let i = 0; i < 200; i += 1) stream.add('\u009d'.repeat(32_768));
    assert.ok(performance.now() - startedAt < 10_000);
    assert.ok(stream.end().length <= 256);
  });
});
