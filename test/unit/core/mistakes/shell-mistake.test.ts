import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { shellMistake } from '../../../../shared/core/mistakes/shell-mistake.ts';

describe('an argv', () => {
  it('loses what stands behind the script, unless that reads it', () => {
    for (const argv of [
      ['sh', '-c', 'cat', '-u', 'x'],
      ['sh', '-c', 'bash', '/a.sh'],
      ['sh'],
      ['sh', '-c'],
      ['sh', 'a b'],
    ]) {
      assert.ok(shellMistake(argv), String(argv));
    }
    for (const argv of [
      ['sh', '-c', 'echo $1', '--', 'x'],
      ['sh', '-c', 'exec "$@"', 'sh', 'a'],
      ['sh', '-c', 'a; b', 'restore-hook'],
      ['sh', '/my dir/x.sh', 'a'],
      ['psql', '-c', 'a', 'b'],
    ]) {
      assert.equal(shellMistake(argv), undefined, String(argv));
    }
  });
});
