import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RestoreHooksError } from '../../../shared/core/errors.ts';
import { parseManifests } from '../../../shared/input/manifests.ts';

const read = (text: string) => parseManifests(text, 'f').map(({ object }) => object);
const reason = (text: string): string => {
  try {
    read(text);
  } catch (error) {
    assert.ok(error instanceof RestoreHooksError, String(error));
    return error.message;
  }
  assert.fail('it was read');
};

describe('a flow collection', () => {
  it('may go on, and end, at any indentation, as libyaml has it', () => {
    assert.deepEqual(read("kind: P\nlabels: {\n  app: web\n}\nlist: [\n{name: m},\n\"a\nb\", 'it''s' # }\n]\n"), [
      { kind: 'P', labels: { app: 'web' }, list: [{ name: 'm' }, 'a b', "it's"] },
    ]);
  });

  it('is none in the text of a block scalar, and in a plain one', () => {
    const text = 'a: {\nb: 1\n}\nt: |\n  x: {\n  y: [\nu: >-\n  {{ a\nc: tar - {b\nd: "["\n---\n- &x !t {\n}\n';
    const [first] = [read(text.slice(0, text.indexOf('---')))];
    assert.deepEqual(first, [{ a: { b: 1 }, t: 'x: {\ny: [\n', u: '{{ a', c: 'tar - {b', d: '[' }]);
  });

  it('that is never closed is told where it was written', () => {
    assert.match(reason('a: {\nb: 1\n'), /^f:2:1: /);
    assert.match(reason('a: [1,\n2]}\n'), /^f:2:1: /);
  });
});
