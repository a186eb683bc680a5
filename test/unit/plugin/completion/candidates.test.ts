import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { completionOf, completionText } from '../../../../plugin/completion/candidates.ts';

const of = (...values: string[]) => values.map((value) => ({ value }));
const offered = (values: readonly string[], text = '') =>
  completionOf(of(...values), text).candidates.map(({ value }) => value);

describe('candidates', () => {
  it('are those that begin with what was typed, each once, behind what stands before', () => {
    assert.deepEqual(completionOf(of('ab', 'b', 'ab', 'ac'), 'a', 'x,'), {
      candidates: of('x,ab', 'x,ac'),
      directive: 4,
    });
  });

  it('hold nothing that a shell or a terminal acts upon (R7.61)', () => {
    const fit = [
      'a:b@c',
      'ns/pod/main/<from-annotation>/0',
      'ns/pod/main/x/0~2',
      'a%20b',
      'two words',
      'größe',
      'a=b,c',
    ];
    const active = ['$HOME', '`x`', 'a;b', 'a&b', 'a|b', 'a>b', '<a', "a'b", 'a"b', 'a\\b', '(a)', 'a!b'];
    const hostile = ['', ' a', 'a ', 'a\nb', 'a\tb', 'a\rb', '\u001b[2J', 'a\u202eb', 'a\u0000', '_activeHelp_ x'];
    assert.deepEqual(offered([...fit, ...active, ...hostile]), fit);
    assert.deepEqual(offered(['<from-annotation>;x', '<from-annotation$(x)>']), []);
  });

  it('are cut to their next part where there are too many', () => {
    const ids = Array.from({ length: 300 }, (_, n) => `ns-${n % 3}/pod-${n}/main/x/0`);
    assert.deepEqual(completionOf(of(...ids), ''), { candidates: of('ns-0/', 'ns-1/', 'ns-2/'), directive: 6 });
    assert.deepEqual(offered(ids, 'ns-0/pod-0'), ['ns-0/pod-0/main/x/0']);
    assert.equal(offered(ids, 'ns-1/').length, 100);
  });

  it('are written as kubectl reads them', () => {
    assert.equal(
      completionText({
        candidates: [{ value: 'a', description: 'one\ttwo\n\u001b[1mx' }, { value: 'b' }],
        directive: 4,
      }),
      'a\tone\\ttwo\\nx\nb\n:4\n',
    );
    assert.equal(completionText({ candidates: [], directive: 4 }), ':4\n');
  });
});
