import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outputTail } from '../../../../shared/kubernetes/exec/output-tail.ts';

function tailOf(limit: number, ...chunks: (string | Uint8Array)[]): string | undefined {
  const tail = outputTail(limit);
  for (const chunk of chunks) tail.add(Buffer.from(chunk as string));
  return tail.text();
}

test('nothing printed is nothing captured', () => {
  assert.equal(tailOf(8), undefined);
  assert.equal(tailOf(8, ''), undefined);
});

// R5.16
test('the last bytes are kept, whatever the chunks', () => {
  const text = Array.from({ length: 50 }, (_, i) => String.fromCharCode(97 + (i % 26))).join('');
  for (let size = 1; size <= 50; size++) {
    for (const limit of [1, 7, 8, 49, 50, 51]) {
      const chunks = Array.from({ length: Math.ceil(50 / size) }, (_, i) => text.slice(i * size, (i + 1) * size));
      assert.equal(tailOf(limit, ...chunks), text.slice(-limit), `limit ${limit}, chunks of ${size}`);
    }
  }
});

test('a character in two chunks is one, and one cut by the limit is left out', () => {
  const euro = Buffer.from('€');
  assert.equal(tailOf(8, 'a', euro.subarray(0, 1), euro.subarray(1), 'b'), 'a€b');
  assert.equal(tailOf(4, '€€'), '€');
  assert.equal(tailOf(4, '😀', 'x'), 'x');
});

test('escape sequences, control characters and bidi overrides are taken away; newlines and tabs stay', () => {
  assert.equal(
    tailOf(4096, '\x1b[31mred\x1b[0m\n\ta\x00b\x07\x7f\u009b1mc\x1b]0;title\x07d\x1bPq#0\x1b\\e\u202ef\u009dx\u009cg'),
    'red\n\tabcdefg',
  );
});

test('bytes that are no text never make more than the limit', () => {
  const text = tailOf(4096, Buffer.alloc(10_000, 0xff)) ?? '';
  assert.ok(Buffer.byteLength(text) <= 4096 && text.length > 1000);
  assert.match(text, /^\ufffd+$/);
});

test('a megabyte a byte at a time is quick', () => {
  const tail = outputTail(4096);
  const byte = Buffer.from('x');
  const start = performance.now();
  for (let i = 0; i < 1_000_000; i++) tail.add(byte);
  assert.ok(performance.now() - start < 2000);
  assert.equal(tail.text()?.length, 4096);
});
