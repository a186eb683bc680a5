import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';

const MAIN = new URL('../../../plugin/main.ts', import.meta.url).pathname;

async function start(argv: string[], stdout: 'pipe' | number = 'pipe') {
  const child = spawn(process.execPath, [MAIN, ...argv], { stdio: ['ignore', stdout, 'pipe'] });
  child.stdout?.on('error', () => {});
  const [out, err, [code]] = await Promise.all([
    child.stdout ? text(child.stdout) : '',
    child.stderr ? text(child.stderr) : '',
    once(child, 'exit'),
  ]);
  return { code, out, err };
}

describe('the process', () => {
  it('exits with the code of its command, everything written', async () => {
    const { code, out, err } = await start(['version', '--client', '-oname']);
    assert.deepEqual([code, out], [2, '']);
    assert.match(err, /^error: invalid argument "name"/);
    assert.equal((await start(['version', '--client'])).code, 0);
  });

  it('is quiet when nobody reads its output', async () => {
    const child = spawn(process.execPath, [MAIN, '--help'], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    const [err, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    assert.deepEqual([code, err], [0, '']);
  });

  it('says so, and fails, when its output can not be written', { skip: !existsSync('/dev/full') }, async () => {
    const { code, err } = await start(['--help'], openSync('/dev/full', 'w'));
    assert.equal(code, 1);
    assert.match(err, /^error: can't write the output: ENOSPC/);
  });
});
