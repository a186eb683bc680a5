import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { displayWidth, truncate } from '../../../../plugin/output/width.ts';

describe('truncate', () => {
  it('cuts to cells of a terminal, not to characters', () => {
    assert.equal(truncate('abcdef', 4), 'abc…');
    assert.equal(truncate('語語語', 4), '語…');
    assert.equal(displayWidth('e\u0301語'), 3);
    assert.equal(truncate('abc', 3), 'abc');
    assert.equal(truncate('abc', 0), '');
  });
});
