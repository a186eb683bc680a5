import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { describe, it } from 'node:test';
import { loadAll } from 'js-yaml';
import { runnerConfig } from '../../runner/config.ts';
import { DEFAULT_IMAGE } from '../../shared/core/version.ts';
import { patternOf, printedIn, snippetsOf } from '../snippets.ts';
import { run } from './plugin/harness.ts';

const root = join(import.meta.dirname, '../..');
const text = (path: string): string => readFileSync(join(root, path), 'utf8');

const manifests = globSync('examples/**/*.yaml', { cwd: root });
/** The plugin is in the runner's image, too. */
const PLUGIN = '/app/kubectl-restorehooks';

interface Container {
  readonly image: string;
  readonly command?: readonly string[];
  readonly args: readonly string[];
}

/** Everything with an image, wherever a manifest has it. */
function containersIn(part: unknown): Container[] {
  if (typeof part !== 'object' || part === null) return [];
  return [...('image' in part ? [part as Container] : []), ...Object.values(part).flatMap(containersIn)];
}

describe('the examples', () => {
  it('restore.yaml plans as its comments and the README say', async () => {
    const { code, stdout, stderr } = await run(['plan', '-f', join(root, 'examples/restore.yaml'), '-o', 'json']);
    assert.equal(stderr, '');
    assert.equal(code, 0);
    const { hooks, skipped } = JSON.parse(stdout);
    assert.deepEqual(
      hooks.map(({ id, onError, execTimeout, waitTimeout }: Record<string, string>) => [
        id,
        onError,
        execTimeout,
        waitTimeout,
      ]),
      [
        ['shop-staging/db-0/postgres/<from-annotation>/0', 'Fail', '30m0s', '10m0s'],
        ['shop-staging/web-0/main/warm-up/0', 'Continue', '2m0s', '5m0s'],
        ['shop-staging/web-0/main/warm-up/1', 'Fail', '30s', '10m0s'],
      ],
    );
    assert.deepEqual(skipped, [{ namespace: 'shop', pod: 'migrate-x7k2p', reason: 'finished' }]);
  });

  it('hooks.yaml replaces the hooks of restore.yaml', async () => {
    const files = ['-f', join(root, 'examples/restore.yaml'), '--hooks', join(root, 'examples/hooks.yaml')];
    const { stdout } = await run(['plan', ...files, '-o', 'name']);
    assert.equal(stdout, 'shop-staging/db-0/postgres/<from-annotation>/0\nshop-staging/web-0/main/reindex/0\n');
  });

  // R3.40, R3.50, R3.60, R3.64, R7.70
  it('order.yaml plans waves, tries, one pod of many and a detached command', async () => {
    const files = ['-f', join(root, 'examples/restore.yaml'), '--hooks', join(root, 'examples/order.yaml')];
    const { stdout, stderr } = await run(['plan', ...files, '--sources=file', '-o', 'json']);
    assert.equal(stderr, '');
    assert.deepEqual(
      JSON.parse(stdout).hooks.map(({ id, wave, runOn, retry, detach }: Record<string, unknown>) => [
        id,
        wave,
        runOn,
        retry,
        detach,
      ]),
      [
        ['shop-staging/orders-db-0/postgres/load/0', -1, undefined, undefined, true],
        ['shop-staging/web-0/main/migrate/0', undefined, 'one', undefined, undefined],
        ['shop-staging/web-0/main/check/0', 1, undefined, { attempts: 30, delay: '1s', maxDelay: '10s' }, undefined],
      ],
    );
    const wide = await run(['plan', ...files, '--sources=file', '-o', 'wide']);
    const lines = wide.stdout.split('\n').map((line) => line.split(/ {3,}/));
    const columns = (titles: readonly string[]) =>
      lines.slice(0, 4).map((cells) => titles.map((title) => cells[lines[0]?.indexOf(title) ?? 0]));
    assert.deepEqual(columns(['WAVE', 'RUN ON', 'RETRY', 'DETACH']).slice(1), [
      ['-1', 'all', 'no', 'yes'],
      ['0', 'one', 'no', 'no'],
      ['1', 'all', '30 attempts, 1s to 10s', 'no'],
    ]);
    assert.match(wide.stdout, /^3 hooks in 2 pods of 1 namespace, in 3 waves$/m);
    const table = await run(['plan', ...files, '--sources=file']);
    assert.match(table.stdout, /^WAVE {3}POD /);
    const plain = await run(['plan', '-f', join(root, 'examples/restore.yaml'), '-o', 'wide']);
    assert.match(plain.stdout, /^POD /);
  });

  it('run this version with arguments that the runner takes', () => {
    const containers = manifests.flatMap((file) => containersIn(loadAll(text(file))));
    const runners = containers.filter(
      ({ image, command, args }) => /runner:/.test(image) && args && !command?.includes(PLUGIN),
    );
    assert.equal(runners.length, 4);
    for (const { image, args } of runners) {
      assert.equal(image, DEFAULT_IMAGE);
      const filled = args.map((arg) => arg.replace(/=\$\(.*\)$/, '=30m').replace(/\$\(.*\)|\{\{.*\}\}/, 'nightly'));
      assert.equal(runnerConfig(filled, {}).restore, 'nightly');
    }
  });

  it('has a Job for Git that Kubernetes does not delete, and names the arguments that limited runners need', () => {
    const job = text('examples/job.yaml');
    assert.doesNotMatch(job.replace(/^ *#.*$/gm, ''), /ttlSecondsAfterFinished/);
    const named = [...job.matchAll(/^ +# +(--.*?)(?: {2,}.*)?$/gm)].flatMap(([, args = '']) => args.split(' '));
    const config = runnerConfig(['nightly', ...named], {});
    assert.deepEqual(
      [config['pod-namespace'], config.namespace, config['run-namespace'], config['wait-for-restore']],
      [['shop'], 'velero', 'restorehooks', 1_800_000],
    );
  });

  it('of hooks are clean for lint', async () => {
    const files = manifests.filter((file) => /^kind: RestoreHooks$/m.test(text(file)));
    assert.ok(files.length > 10, `${files.length}`);
    for (const file of files) {
      const { code, stdout } = await run(['lint', '-f', join(root, file)]);
      assert.equal(code, 0, stdout);
    }
  });
});

describe('the README', () => {
  const readme = text('README.md');
  const scripts = Object.keys(JSON.parse(text('package.json')).scripts);
  const commands = (source: string): string[] =>
    [...source.matchAll(/npm (?:run ([\w:]+)|(test))\b/g)].map(([, name, test]) => name ?? test ?? '');

  it('names only scripts that there are', () => {
    const named = commands(readme);
    assert.ok(named.length > 2);
    assert.deepEqual(
      named.filter((name) => !scripts.includes(name)),
      [],
    );
  });

  it('leads to exactly what .ci/run calls for testing, in that order', () => {
    assert.match(readme, /\(CONTRIBUTING\.md#all-tests\)/);
    const [, block = ''] = /All that CI runs[^`]*```sh\n([^`]*)```/.exec(text('CONTRIBUTING.md')) ?? [];
    assert.deepEqual(
      commands(block),
      commands(text('.ci/run')).filter((name) => name !== ''),
    );
  });

  /** Commands and what they print, as README and documents show them. */
  const transcripts = globSync(['README.md', 'docs/*.md'], { cwd: root })
    .flatMap((page) => snippetsOf(page))
    .filter(({ info }) => info === 'console');
  const shown = new Map(transcripts.flatMap((block) => printedIn(block.text)));

  it('and docs/plan.md show what the plan of an example prints', async () => {
    const command = 'kubectl restorehooks plan -f examples/restore.yaml';
    const { code, stdout, stderr } = await run(command.split(' ').slice(2), { cwd: root });
    assert.equal(code, 0);
    assert.equal(stdout + stderr, shown.get(command));
  });

  it('shows what apply prints in the demo', () => {
    const line = ['-c', 'exec "$0" "$1" 2>&1', process.execPath, join(root, 'test/embedded/demo.ts')];
    const demo = spawnSync('sh', line, { encoding: 'utf8' });
    assert.equal(demo.status, 0, demo.stdout);
    const command = 'kubectl restorehooks apply nightly';
    const printed = printedIn(demo.stdout).find(([each]) => each === command)?.[1] ?? '';
    assert.match(printed, patternOf(shown.get(command) ?? 'not shown'));
  });

  it('shows no other output, as nobody would check it', () => assert.equal(shown.size, 2));
});
