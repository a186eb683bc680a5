import assert from 'node:assert/strict';
import { it } from 'node:test';
import { warningsOf } from '../../../../shared/kubernetes/api/warnings.ts';

it('finds every warning of a header, unescaped and as UTF-8', () => {
  const asNode = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
  assert.deepEqual(warningsOf(undefined), []);
  assert.deepEqual(warningsOf('no warning'), []);
  assert.deepEqual(warningsOf(asNode('299 - "say \\"hi\\", ü"')), ['say "hi", ü']);
  assert.deepEqual(warningsOf(['299 - "one"', '299 - "two"']), ['one', 'two']);
});
