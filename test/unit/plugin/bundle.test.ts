import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, describe, it } from 'node:test';

const PLUGIN = join(import.meta.dirname, '../../../dist/kubectl-restorehooks');
const home = mkdtempSync(join(tmpdir(), 'restorehooks-home-'));
after(() => rmSync(home, { recursive: true }));

describe('the built plugin', () => {
  it('runs no code from a cache: it writes no file, and takes none that V8 has made', () => {
    const env = { PATH: process.env['PATH'], HOME: home, XDG_CACHE_HOME: join(home, 'cache') };
    for (const args of [
      ['version', '--client'],
      ['plan', '--help'],
      ['lint', '-f', '-'],
    ]) {
      const { status, stderr } = spawnSync(process.execPath, [PLUGIN, ...args], { env, input: '', encoding: 'utf8' });
      assert.notEqual(status, 1, stderr);
    }
    assert.deepEqual(readdirSync(home), []);
    assert.doesNotMatch(readFileSync(PLUGIN, 'utf8'), /cachedData|enableCompileCache/);
  });

  it('never compiles with Maglev, whose threads can keep a process from its end, and neither does the runner', () => {
    for (const [file, ...args] of [
      ['kubectl-restorehooks', 'lint', '-f', '-'],
      ['runner.cjs', '--help'],
    ] as const) {
      const { stdout, status } = spawnSync(process.execPath, ['--trace-opt', join(PLUGIN, '..', file), ...args], {
        input: '',
        encoding: 'utf8',
      });
      assert.equal(status, 2);
      assert.doesNotMatch(stdout, /target MAGLEV/, file);
    }
  });

  // R7.20
  it('says with exit code 2 that Node.js is too old, and so does the runner', () => {
    const old = join(home, 'old.cjs');
    writeFileSync(
      old,
      "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '22.18.0' } });",
    );
    for (const [file, name] of [
      ['kubectl-restorehooks', 'kubectl restorehooks'],
      ['runner.cjs', 'the runner of kubectl restorehooks'],
      ['lambda.cjs', 'the runner of kubectl restorehooks'],
    ] as const) {
      const args = ['--require', old, join(PLUGIN, '..', file), 'version', '--client'];
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      const line = `error: ${name} needs Node.js 22.19 or newer, this is ${process.version}\n`;
      const hint = name.startsWith('the runner')
        ? ''
        : 'hint: take a newer one, or on Linux the archive of the plugin that needs none\n';
      assert.deepEqual([status, stdout, stderr], [2, '', line + hint]);
    }
  });

  it('completes command lines under its second name, which npm installs too', () => {
    const second = 'kubectl_complete-restorehooks';
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(PLUGIN, '..', second), 'stat'], {
      encoding: 'utf8',
    });
    assert.deepEqual([status, stderr], [0, '']);
    assert.match(stdout, /^status\t.*\n:4\n$/);
    const { bin } = JSON.parse(readFileSync(join(PLUGIN, '../../package.json'), 'utf8'));
    assert.deepEqual(bin, {
      'kubectl-restorehooks': 'dist/kubectl-restorehooks',
      [second]: 'dist/kubectl-restorehooks',
    });
  });

  for (const type of [undefined, 'commonjs', 'module']) {
    it(`needs no file beside it, where the package.json above it names ${type ?? 'no'} type`, () => {
      const above = mkdtempSync(join(tmpdir(), 'restorehooks-path-'));
      try {
        writeFileSync(join(above, 'package.json'), JSON.stringify({ type }));
        const alone = join(above, 'bin/kubectl-restorehooks');
        mkdirSync(join(above, 'bin'));
        copyFileSync(PLUGIN, alone);
        for (const [args, expected] of [
          [['version', '--client'], /^Plugin version: /],
          [['setup', '--namespaces=a'], /kind: ServiceAccount/],
          [['apply', '--help'], /Usage: /],
        ] as const) {
          const { status, stdout, stderr } = spawnSync(process.execPath, [alone, ...args], { encoding: 'utf8' });
          assert.equal(status, 0, stderr);
          assert.match(stdout, expected);
          assert.equal(stderr, '');
        }
      } finally {
        rmSync(above, { recursive: true });
      }
    });
  }
});
