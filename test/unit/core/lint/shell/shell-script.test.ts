import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readScript } from '../../../../../shared/core/lint/shell/shell-script.ts';

describe('readScript', () => {
  it('is read as commands, with what ends them', () => {
    const read = (text: string) =>
      readScript(text).commands.map(({ words, end }) => `${words.map((word) => word.text).join(' ')}${end}`);
    assert.deepEqual(read('a "b c" && d | e; f & # g; h'), ['a b c&&', 'd|', 'e;', 'f&']);
    assert.deepEqual(read("if a; then b 'x; y'; fi"), ['a;', 'b x; y;', 'fi']);
    assert.deepEqual(read('case $x in a) c;; esac; d'), ['c;', 'esac;', 'd']);
    assert.deepEqual(read("cat <<EOF >x\nit's & b\nEOF\nd"), ['cat;', 'd']);
    assert.deepEqual(read('a $(b "c)" & d) `e & f` $g'), ['a $(b "c)" & d) `e & f` $g']);
    assert.deepEqual(read('a \\\n  b'), ['a b']);
    assert.equal(readScript("a 'b").open, "'");
  });
});
