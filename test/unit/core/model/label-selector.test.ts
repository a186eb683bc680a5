import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compileLabelSelector, labelSelectorProblems } from '../../../../shared/core/model/label-selector.ts';

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
