import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { lineReader } from '../../../../shared/kubernetes/api/line-reader.ts';

it('gives the same lines however a stream is cut, also in the middle of a character', () => {
  const cuts = fc.array(fc.nat(80), { maxLength: 20 });
  const lines = fc.array(fc.string({ unit: 'binary', maxLength: 8 }).map((text) => text.replaceAll('\n', '')));
  fc.assert(
    fc.property(lines, cuts, (expected, at) => {
      const bytes = Buffer.from(`${expected.map((line) => `${line}\n`).join('')}no line yet`);
      const read: string[] = [];
      const take = lineReader((line) => read.push(line));
      const ends = [...at.filter((end) => end < bytes.length).sort((a, b) => a - b), bytes.length];
      for (const [index, end] of ends.entries()) take(bytes.subarray(ends[index - 1] ?? 0, end));
      assert.deepEqual(read, expected);
    }),
  );
});
