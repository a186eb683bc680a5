import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, describe, it } from 'node:test';

const folder = mkdtempSync(join(tmpdir(), 'restorehooks-run-'));
after(() => rmSync(folder, { recursive: true }));

/** Runs test files with these texts, and a limit of 2 seconds for each. */
function play(...texts: string[]) {
  const files = texts.map((text, index) => {
    const file = join(folder, `${index}.test.mjs`);
    writeFileSync(file, `import { test } from 'node:test';\n${text}`);
    return file;
  });
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const args = [join(import.meta.dirname, 'run.ts'), '--limit', '2', ...files];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
  assert.equal(stderr, '');
  return { status, stdout };
}

describe('test/run.ts', () => {
  const PASSES = "test('passes', (t) => t.diagnostic('seen')); setInterval(() => {}, 1000);";

  it('exits with 0 if all tests pass, and prints their diagnostics', () => {
    const { status, stdout } = play(PASSES, "test('is skipped', { skip: true }, () => {});");
    assert.equal(status, 0, stdout);
    assert.match(stdout, /^ℹ seen$/m);
    assert.match(stdout, /^2 tests, 1 of them skipped, in 2 files, 0 of which failed, \d+ s$/m);
  });

  for (const [how, failure, text] of [
    ['fails', 'exit code 1', "test('fails', () => { throw new Error('because'); });"],
    ['crashes', 'exit code SIGSEGV', "test('crashes', () => process.kill(process.pid, 'SIGSEGV'));"],
    ['ends in the middle of a test', 'no test', "test('ends', () => process.exit(0));"],
    ['has no test', 'no test', ''],
    ['never ends', 'no end within 2 s', "test('hangs', () => new Promise(() => setInterval(() => {}, 1000)));"],
    [
      'hangs when it ends, whatever signal it gets',
      'no end within 2 s',
      "process.on('SIGTERM', () => {}); process.on('exit', () => { for (;;); }); test('passes', () => {});",
    ],
  ] as const) {
    it(`exits with 1 if a file ${how}, and names it`, () => {
      const { status, stdout } = play(PASSES, text);
      assert.equal(status, 1, stdout);
      assert.ok(stdout.includes(`failed: ${join(folder, '1.test.mjs')}: ${failure}\n`), stdout);
      if (how === 'fails') assert.match(stdout, /Error: because/);
    });
  }

  it('kills what a file has started, also where the file ends well', () => {
    const started = "import { spawn } from 'node:child_process'; test('starts', (t) => ";
    const { status, stdout } = play(`${started} t.diagnostic(String(spawn('sleep', ['1000']).pid)));`);
    assert.equal(status, 0, stdout);
    const [, pid = ''] = /^ℹ (\d+)$/m.exec(stdout) ?? [];
    // It may be left as a zombie.
    assert.match(spawnSync('ps', ['-o', 'stat=', '-p', pid], { encoding: 'utf8' }).stdout, /^(Z.*\n)?$/);
  });
});
