import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { jsonArrayProblem } from '../../../../shared/core/mistakes/json-array.ts';

describe('a JSON array of strings', () => {
  it('is told by JSON.parse alike, and its first mistake by its place', () => {
    const texts = ['["a"]', ' [ "a" , "b\\n\\u00e9" ] ', '[]', '["a\\"]"]'];
    for (const text of texts) assert.equal(jsonArrayProblem(text), undefined, text);
    const places: Record<string, number> = {
      '["a" "b"]': 6,
      '["a",]': 6,
      '["a\\ b"]': 4,
      '["a", 5]': 7,
      '["a"] x': 7,
      '["a': 2,
    };
    for (const [text, at] of Object.entries(places)) assert.equal(jsonArrayProblem(text)?.at, at, text);
    for (const text of [...texts, ...Object.keys(places), '[', '["a"', "['a']", '[null]', '["\u0001"]']) {
      let isArray = false;
      try {
        isArray = (JSON.parse(text) as unknown[]).every((part) => typeof part === 'string');
      } catch {}
      assert.equal(jsonArrayProblem(text) === undefined, isArray, text);
    }
  });
});
