import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { compileGlob } from '../../../../shared/core/model/glob.ts';

/** Made with the library itself, by main.go beside it. First the names, then for each pattern a bit for each name. */
const TABLE = path.join(import.meta.dirname, '../../../data/gobwas-glob/table.tsv');

describe('globs', () => {
  const cases: readonly (readonly [pattern: string, text: string, matches: boolean | undefined])[] = [
    ['shop', 'shop', true],
    ['shop', 'shop-1', false],
    ['*', 'anything', true],
    ['*', '', true],
    ['team-*', 'team-a', true],
    ['team-*', 'other', false],
    ['t?am', 'team', true],
    ['t?am', 'tam', false],
    ['ns-[abc]', 'ns-b', true],
    ['ns-[a-c]', 'ns-d', false],
    ['ns-[!a-c]', 'ns-d', true],
    ['ns-[c-a]', 'ns-b', undefined],
    ['{dev,test}-*', 'test-1', true],
    ['{dev,{a,b}c}', 'bc', true],
    ['a.c', 'abc', false],
    ['\\*', '*', true],
    ['\\*', 'x', false],
    ['[', 'x', undefined],
    // What only Velero's library does.
    ['{a', 'a', true],
    ['[a-z0-9]', 'a', undefined],
    ['{prod-*,stage}-db', 'prod-a-db', false],
    ['{stage,prod-*}-db', 'prod-a-db', true],
    ['ab*ba', 'aba', true],
  ];
  for (const [pattern, text, matches] of cases) {
    const what = matches === undefined ? 'is refused' : matches ? `matches ${text}` : `does not match ${text}`;
    test(`${pattern} ${what}`, () => assert.equal(compileGlob(pattern)?.(text), matches));
  }

  // R1.12
  test("every pattern of the table means what Velero's library makes of it", () => {
    const [names = '', ...rows] = readFileSync(TABLE, 'utf8').trimEnd().split('\n');
    const differing = rows.filter((row) => {
      const [pattern = '', answer] = row.split('\t');
      const matches = compileGlob(pattern);
      const bits = names
        .split('\t')
        .reduce((sum, name, index) => sum | (matches?.(name) ? 1n << BigInt(index) : 0n), 0n);
      return (matches === undefined ? '!' : bits.toString(16)) !== answer;
    });
    assert.ok(rows.length > 5000);
    assert.deepEqual(differing, []);
  });

  // R1.12
  test('no pattern takes exponential time, and one with more parts than any name has is refused', () => {
    const long = 'a'.repeat(5000);
    assert.equal(compileGlob('*a*a*a*a*b')?.(long), false);
    assert.equal(compileGlob(`${'*a'.repeat(100)}*b*c`)?.(`${long}b`), false);
    assert.equal(compileGlob(`${'*a'.repeat(100)}*b`)?.(`${long}b`), true);
    assert.equal(compileGlob(`${'{a*,b*}*'.repeat(80)}c`)?.(long), false);
    assert.equal(compileGlob('*?'.repeat(200)), undefined);
    assert.equal(compileGlob('{'.repeat(5000)), undefined);
  });
});
