import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { after, describe, it } from 'node:test';

const MAIN = join(import.meta.dirname, '../../../../plugin/main.ts');
const folder = mkdtempSync(join(tmpdir(), 'restorehooks-completion-'));
after(() => rmSync(folder, { recursive: true }));
const SECOND = join(folder, 'kubectl_complete-restorehooks');

/** What the command says with a PATH. */
function told(...path: string[]): string {
  const env = { ...process.env, PATH: path.join(delimiter) };
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'completion'], { env, encoding: 'utf8' });
  assert.deepEqual([status, stderr], [0, '']);
  return stdout;
}

// R7.62
describe('kubectl restorehooks completion', () => {
  it('says how to make the program that kubectl looks for, and then where it is', () => {
    assert.match(told('/nowhere', folder), /isn't on your PATH/);
    assert.ok(told(folder).includes(`  ln -s ${MAIN} ${join(MAIN, '../kubectl_complete-restorehooks')}\n`));
    writeFileSync(SECOND, '', { mode: 0o755 });
    assert.ok(told('/nowhere', folder).startsWith(`kubectl asks ${SECOND} to complete restorehooks.\n`));
  });

  it('loads kubectl into each shell', () => {
    for (const shell of ['bash', 'zsh', 'fish'])
      assert.match(told(folder), new RegExp(`\n  ${shell} .*kubectl completion ${shell}`));
  });
});
