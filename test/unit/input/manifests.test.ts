import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseManifests } from '../../../shared/input/manifests.ts';

const objectsOf = (text: string) => parseManifests(text, 'f').map(({ object }) => object);

describe('parseManifests', () => {
  it('reads scalars as kubectl does', () => {
    // The output of `kubectl annotate --local -o json` 1.35 for these texts.
    const scalars: Record<string, unknown> = {
      yes: true,
      y: true,
      On: true,
      off: false,
      n: false,
      '"n"': 'n',
      '010': 8,
      '0o10': 8,
      '08': 8,
      '1_000': 1000,
      '0x1F': 31,
      '0b11': 3,
      '-0b11': -3,
      '+1': 1,
      '0_1': 1,
      '1:30': '1:30',
      '2020-01-01': '2020-01-01',
      '~': null,
      Null: null,
      '1e3': 1000,
      '1.0': 1,
      '5.': 5,
      '.5': 0.5,
      '!!binary aGVsbG8=': 'hello',
      '=': '=',
      a_1: 'a_1',
    };
    for (const [text, value] of Object.entries(scalars))
      assert.deepEqual(objectsOf(`v: ${text}`), [{ v: value }], text);
    assert.deepEqual(objectsOf('2: a\ntrue: b\nn: c'), [{ 2: 'a', true: 'b', false: 'c' }]);
  });

  it('reads JSON objects one behind the other, and flow mappings in YAML', () => {
    assert.deepEqual(objectsOf('{"a":"}"}\n{"b":\t"\\"\\u00e9"}'), [{ a: '}' }, { b: '"é' }]);
    assert.deepEqual(objectsOf('{a: 1}\n---\nb: {c: 1}\nd: 2'), [{ a: 1 }, { b: { c: 1 }, d: 2 }]);
    assert.deepEqual(parseManifests('{"a":1}\n\n{"b":2}', 'f')[1]?.source, { file: 'f', line: 3 });
  });

  it('passes over empty documents', () => {
    assert.deepEqual(objectsOf(''), []);
    assert.deepEqual(objectsOf('---\n---\n# nothing\n---\na: 1\n---\n'), [{ a: 1 }]);
  });

  it('takes lists apart, and gives the items of a typed list their kind', () => {
    assert.deepEqual(
      objectsOf('{"kind":"List","apiVersion":"v1","items":[{"kind":"Pod"},{"kind":"List","items":[{"kind":"X"}]}]}'),
      [{ kind: 'Pod' }, { kind: 'X' }],
    );
    assert.deepEqual(objectsOf('kind: PodList\napiVersion: v1\nitems: [{metadata: {name: a}}]'), [
      { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } },
    ]);
    assert.deepEqual(objectsOf('kind: PodList\napiVersion: v1\nitems: []'), []);
  });

  it('writes aliases and merge keys out', () => {
    assert.deepEqual(objectsOf('b: &b {a: 1}\nm: {<<: *b, c: 2}\nz: *b'), [
      { b: { a: 1 }, m: { a: 1, c: 2 }, z: { a: 1 } },
    ]);
  });

  it('names the place of a mistake', () => {
    const doubled = (count: number) =>
      Array.from({ length: count }, (_, i) => `a${i}: &a${i} [${i > 0 ? `*a${i - 1}, *a${i - 1}` : '1'}]`).join('\n');
    const mistakes: [string, string][] = [
      ['a: 1\na: 2', 'f:2:1: duplicated mapping key'],
      ['{"a": 1, "a": 2}', 'f:1:11: duplicated mapping key'],
      ['a: 1\n---\n- 1', 'f:3:1: expected an object, found a list'],
      ['text', 'f:1:1: expected an object, found a string'],
      ['kind: List\nitems: [1]', 'f:1:1: items[0]: expected an object, found a number'],
      ['a: b: c', 'f:1:5: bad indentation of a mapping entry'],
      ['a: .inf', "f:1:1: the number Infinity can't be written in JSON"],
      ['a: *x', 'f:1:5: unidentified alias "x"'],
      ['a: '.concat('['.repeat(100_000)), 'f:1:503: nested more than 500 deep'],
      ['a: &a [*a]', 'f:1:1: an alias stands within its own anchor'],
      [doubled(40), 'f:1:1: more than 2000000 values, aliases written out'],
    ];
    for (const [text, message] of mistakes) {
      assert.throws(() => objectsOf(text), { code: 'INVALID_INPUT', message }, text.slice(0, 40));
    }
  });
});
