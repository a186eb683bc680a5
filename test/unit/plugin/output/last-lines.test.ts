import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { lastLines, logsCommand } from '../../../../plugin/output/last-lines.ts';

describe('the last lines of a hook', () => {
  it('are those of stderr, or of stdout where stderr is blank', () => {
    assert.deepEqual(lastLines({ stdout: 'a\nb\n', stderr: 'c\nd\n' }), ['c', 'd']);
    assert.deepEqual(lastLines({ stdout: 'a\nb\n', stderr: ' \n' }), ['a', 'b']);
    assert.deepEqual(lastLines({}), []);
    assert.deepEqual(lastLines({ stdout: '\n\n' }), []);
  });

  it('are at most so many', () => {
    assert.deepEqual(lastLines({ stderr: '1\n2\n3\n4\n5\n6\n' }), ['2', '3', '4', '5', '6']);
    assert.deepEqual(lastLines({ stderr: '1\n2\n3' }, 2), ['2', '3']);
  });

  it('hold nothing that a terminal obeys', () => {
    assert.deepEqual(lastLines({ stderr: 'a\x1b[2Jb\rc' }), ['ab', 'c']);
  });
});

describe('the command for the rest', () => {
  it('reaches the plugin as it was meant, whatever the hook is called', () => {
    for (const id of ['ns/p/main/<from-annotation>/0', "ns/p/main/it's $HOME/0", 'ns/p/main/a%2Fb/0~2']) {
      const command = logsCommand({ namespace: 'velero', name: 'nightly' }, { id });
      const said = execFileSync('sh', ['-c', `kubectl() { printf '%s|' "$@"; }; ${command}`]).toString();
      assert.equal(said, `restorehooks|logs|nightly|-n|velero|--hook|${id}|`);
    }
  });
});
