import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compileGlob } from '../../../shared/core/model/glob.ts';
import { admitsPods, compileIncludesExcludes } from '../../../shared/core/model/includes-excludes.ts';
import { compileLabelSelector, labelSelectorProblems } from '../../../shared/core/model/label-selector.ts';

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
    ['{a', 'a', undefined],
  ];
  for (const [pattern, text, matches] of cases) {
    const what = matches === undefined ? 'is refused' : matches ? `matches ${text}` : `does not match ${text}`;
    test(`${pattern} ${what}`, () => assert.equal(compileGlob(pattern)?.(text), matches));
  }
});

describe('includes and excludes', () => {
  test('no includes are all, an exclude wins over an include', () => {
    const admits = (includes: string[], excludes: string[], name: string) =>
      compileIncludesExcludes(includes, excludes).admits(name);
    assert.equal(admits([], [], 'a'), true);
    assert.equal(admits(['a'], [], 'b'), false);
    assert.equal(admits(['*'], ['kube-*'], 'kube-system'), false);
    assert.equal(admits(['a'], ['a'], 'a'), false);
  });

  test('a pattern that cannot be read is told and matches nothing', () => {
    const { admits, badPatterns } = compileIncludesExcludes(['[', 'a'], []);
    assert.deepEqual(badPatterns, ['[']);
    assert.deepEqual([admits('a'), admits('[')], [true, false]);
    assert.equal(compileIncludesExcludes(['['], []).admits('a'), false);
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
