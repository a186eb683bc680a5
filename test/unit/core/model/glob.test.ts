import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { compileGlob } from '../../../../shared/core/model/glob.ts';
import { admitsPods, compileIncludesExcludes } from '../../../../shared/core/model/includes-excludes.ts';
import { compileLabelSelector, labelSelectorProblems } from '../../../../shared/core/model/label-selector.ts';
import { parseRestore, parseRestoreHooks } from '../../../../shared/core/model/restore.ts';

/** Made by the library itself: main.go beside it. Names, then a bit for each of them behind every pattern. */
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

describe('includes and excludes', () => {
  // R3.5
  test('no includes are all, an exclude wins over an include', () => {
    const admits = (includes: string[], excludes: string[], name: string) =>
      compileIncludesExcludes(includes, excludes).admits(name);
    assert.equal(admits([], [], 'a'), true);
    assert.equal(admits(['a'], [], 'b'), false);
    assert.equal(admits(['*'], ['kube-*'], 'kube-system'), false);
    assert.equal(admits(['a'], ['a'], 'a'), false);
  });

  test('a pattern that cannot be compiled hides the names that sort after it, as in Velero', () => {
    const { admits, badPatterns } = compileIncludesExcludes(['a', '[', 'A'], []);
    assert.deepEqual(badPatterns, ['[']);
    assert.deepEqual([admits('A'), admits('a'), admits('[')], [true, false, false]);
  });

  // R1.12
  test('it is an error with its path, in a Restore as in a file', () => {
    const resources = [{ excludedNamespaces: ['ok', 'team-[a-z0-9]'], includedResources: ['po['] }];
    const paths = (parsed: ReturnType<typeof parseRestore | typeof parseRestoreHooks>) =>
      parsed.ok ? [] : parsed.problems.map(({ path }) => path);
    const metadata = { name: 'r' };
    assert.deepEqual(paths(parseRestore({ metadata, spec: { includedNamespaces: ['[!]'], hooks: { resources } } })), [
      'spec.includedNamespaces[0]',
      'spec.hooks.resources[0].excludedNamespaces[1]',
      'spec.hooks.resources[0].includedResources[0]',
    ]);
    assert.deepEqual(
      paths(parseRestoreHooks({ apiVersion: 'restorehooks.io/v1', kind: 'RestoreHooks', spec: { resources } })),
      ['spec.resources[0].excludedNamespaces[1]', 'spec.resources[0].includedResources[0]'],
    );
  });

  test('pods go by po, pod and Pods', () => {
    for (const name of ['po', 'pod', 'pods', 'Pods', 'POD', '*']) assert.equal(admitsPods([name], []), true, name);
    assert.equal(admitsPods(['deployments'], []), false);
    assert.equal(admitsPods([], ['pods']), false);
    assert.equal(admitsPods([], ['*']), true);
  });
});

describe('label selectors', () => {
  const expression = (operator: string, values?: string[]) => ({ matchExpressions: [{ key: 'k', operator, values }] });
  const cases = [
    [undefined, {}, true],
    [{}, { k: 'v' }, true],
    [{ matchLabels: { k: 'v' } }, { k: 'v' }, true],
    [{ matchLabels: { k: 'v' } }, {}, false],
    [{ matchLabels: { k: '' } }, {}, false],
    [{ matchLabels: { k: '' } }, { k: '' }, true],
    [expression('In', ['a', 'b']), { k: 'b' }, true],
    [expression('In', ['a', 'b']), {}, false],
    [expression('NotIn', ['a']), {}, true],
    [expression('NotIn', ['a']), { k: 'a' }, false],
    [expression('Exists'), { k: '' }, true],
    [expression('Exists'), {}, false],
    [expression('DoesNotExist'), {}, true],
    [expression('DoesNotExist'), { k: '' }, false],
    [{ matchLabels: { a: '1' }, ...expression('Exists') }, { a: '1' }, false],
    [{ matchLabels: { constructor: 'x' } }, {}, false],
  ] as const;
  for (const [selector, labels, matches] of cases) {
    const what = `${JSON.stringify(selector)} ${matches ? 'matches' : 'does not match'} ${JSON.stringify(labels)}`;
    // R3.5
    test(what, () => assert.equal(compileLabelSelector(structuredClone(selector) as never)(labels), matches));
  }

  test('what the API server refuses is a problem with its path', () => {
    const paths = (selector: Parameters<typeof labelSelectorProblems>[0]) =>
      labelSelectorProblems(selector).map(({ path }) => path);
    assert.deepEqual(paths({ matchLabels: { 'example.com/app': 'a_b.c-d' } }), []);
    assert.deepEqual(paths({ matchLabels: { 'a/b/c': 'v' } }), ['matchLabels["a/b/c"]']);
    assert.deepEqual(paths({ matchLabels: { 'Example.com/app': 'v' } }), ['matchLabels["Example.com/app"]']);
    assert.deepEqual(paths({ matchLabels: { k: 'x'.repeat(64) } }), ['matchLabels["k"]']);
    assert.deepEqual(paths({ matchLabels: { k: '-v' } }), ['matchLabels["k"]']);
    assert.deepEqual(paths(expression('In')), ['matchExpressions[0].values']);
    assert.deepEqual(paths(expression('NotIn', [])), ['matchExpressions[0].values']);
    assert.deepEqual(paths(expression('Exists', ['a'])), ['matchExpressions[0].values']);
    assert.deepEqual(paths(expression('DoesNotExist', ['a'])), ['matchExpressions[0].values']);
    assert.deepEqual(paths(expression('Gt', ['1'])), ['matchExpressions[0].operator']);
  });
});
