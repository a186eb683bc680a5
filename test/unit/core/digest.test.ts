import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalJson, sha256Hex, shortenName } from '../../../shared/core/digest.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

test('the SHA-256 of a text is that of its UTF-8', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => assert.equal(sha256Hex(text), sha256(text))));
});

// R1.13
test('a name of up to 63 characters is kept, a longer one becomes its first 57 and 6 hex digits', () => {
  assert.equal(shortenName('a'.repeat(63)), 'a'.repeat(63));
  assert.equal(shortenName('a'.repeat(64)), 'a'.repeat(57) + sha256('a'.repeat(64)).slice(0, 6));
});

// R6.30
test('canonical JSON sorts keys at every depth, leaves out undefined and is JSON', () => {
  assert.equal(canonicalJson({ b: [{ d: 1, c: undefined }], a: 'x y' }), '{"a":"x y","b":[{"d":1}]}');
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.deepEqual(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value)));
    }),
  );
});

test("canonical JSON follows RFC 8785's examples, and takes half a surrogate pair besides", () => {
  const keys = ['\u20ac', '\r', '\ufb33', '1', '\u{1f600}', '\u0080', '\u00f6'];
  const sorted = ['\r', '1', '\u0080', '\u00f6', '\u20ac', '\u{1f600}', '\ufb33'];
  assert.equal(
    canonicalJson(Object.fromEntries(keys.map((key) => [key, 0]))),
    `{${sorted.map((key) => `${JSON.stringify(key)}:0`).join(',')}}`,
  );
  const numbers = [1e30, 4.5, 2e-3, 1e-27, -0];
  assert.equal(canonicalJson(numbers), '[1e+30,4.5,0.002,1e-27,0]');
  assert.equal(canonicalJson('\u20ac$\u000f\nA\'B"\\"/'), '"€$\\u000f\\nA\'B\\"\\\\\\"/"');
  assert.equal(canonicalJson('\ud800'), '"\\ud800"');
});
