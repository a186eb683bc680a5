import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { cutText, sanitizeLine, sanitizeText } from '../../../shared/core/sanitize.ts';

const BAD = '\x1b[31mred\x1b[0m \x9b1mbold \x1b]0;title\x07\u202etxt\x07\x00';

describe('sanitizeText and sanitizeLine', () => {
  it('take away escape sequences, control characters and marks that reorder text', () => {
    assert.equal(sanitizeText(BAD), 'red bold txt');
    assert.equal(sanitizeText('a\tb\r\nc\rd\n'), 'a\tb\nc\nd\n');
    assert.equal(sanitizeLine('a\tb\r\nc'), 'a\\tb\\nc');
  });

  it('leave nothing behind that a terminal would act on, and text as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const clean = sanitizeText(text);
        assert.doesNotMatch(clean, /[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/);
        assert.equal(sanitizeText(clean), clean);
      }),
    );
    assert.equal(sanitizeText('naïve 語 👩‍👩‍👧'), 'naïve 語 👩‍👩‍👧');
  });

  it('are quick on text made to be slow', () => {
    const started = performance.now();
    for (const piece of ['\x1b]', '\x1b[', '\x1b[0;', '\x9d', '\x1b']) sanitizeText(piece.repeat(200_000));
    assert.ok(performance.now() - started < 2000);
  });
});

describe('cutText', () => {
  it('leaves a character whole, or out', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(8), (text, most) => {
        const cut = cutText(text, most);
        assert.ok(cut.isWellFormed() && text.startsWith(cut) && cut.length <= most);
        assert.ok(cut.length >= Math.min(text.length, most) - 1);
      }),
    );
  });
});
