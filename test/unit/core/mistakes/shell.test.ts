import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { needsShell, shellCall } from '../../../../shared/core/mistakes/shell.ts';

describe('an argv', () => {
  it('is a call of a shell, behind options and wrappers', () => {
    for (const argv of [
      ['sh', '-c', 'x'],
      ['/bin/bash', '-euo', 'pipefail', '-c', 'x'],
      ['bash', '--login', '-c', 'x'],
      ['env', 'A=b', 'timeout', '5', 'ash', '-ec', 'x'],
      ['bash', '-c', '-e', 'x'],
    ]) {
      assert.equal(shellCall(argv)?.script, 'x', String(argv));
    }
    assert.equal(shellCall(['sh', '/a.sh', '-c', 'x'])?.script, undefined);
    assert.equal(shellCall(['psql', '-c', 'x']), undefined);
  });

  it('shows no value of a variable, and no more than a word', () => {
    assert.equal(
      needsShell(['PGPASSWORD=secret', 'psql']),
      '"PGPASSWORD=…" is taken as the name of a program: only a shell sets variables',
    );
    assert.match(needsShell(['mysql -psecret']) ?? '', /^all of "mysql …" is/);
  });
});
