import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { after, before, describe, it } from 'node:test';
import { makePrograms, ROOT, snippetsOf, typed } from '../snippets.ts';
import type { Loose, Scene } from './harness.ts';
import { exec, hooksOf, isReal, sh, startSuite } from './harness.ts';

/*
 * The commands in blocks of the documents, typed one block after the other. Each has to end with exit code 0. The Restore is
 * called nightly, as in the documents, and has had a run in which a hook has failed. docs/quick-start.md and
 * docs/upgrading-velero.md are followed by test/cluster/quick-start.test.ts.
 */

const PAGES = [
  'docs/operations.md',
  'docs/plan.md',
  'docs/run.md',
  'docs/results.md',
  'docs/lint.md',
  'docs/troubleshooting.md',
  'docs/setup.md',
];
const NAMESPACE = 'shop';
/** The block of docs/setup.md creates it where there is a kubectl. */
const RUNS = 'restorehooks';

const e2e = await startSuite();
after(() => e2e.close());

describe('the commands of the documents', () => {
  let scene: Scene;
  let runID: string;
  const folder = e2e.cluster.folder;

  before(async () => {
    for (const name of isReal ? [NAMESPACE] : [NAMESPACE, RUNS])
      await e2e.cluster.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    scene = await e2e.scene('nightly', 'nightly', NAMESPACE);
    for (const name of ['web-0', 'web-1']) await scene.pod(name);
    const hook = exec(sh('echo warm; test -e warm || exit 3'), { onError: 'Continue' });
    await scene.restore({ hooks: [{ ...hooksOf('web', hook), name: 'warm-up' }] });
    await scene.open('web-0', 'main', 'warm');
    const ran = await scene.apply();
    assert.equal(ran.code, 0, ran.stderr);
    const { counts, runID: id } = await scene.runStatus();
    assert.equal(counts.failed, 1);
    runID = id;
    await files();
  });
  after(async () => {
    for (const name of [NAMESPACE, RUNS]) await e2e.cluster.remove('namespaces', undefined, name);
  });

  async function files(): Promise<void> {
    await symlink(path.join(ROOT, 'examples'), path.join(folder, 'examples'));
    const defaults = await readFile(path.join(ROOT, 'examples/defaults.yaml'), 'utf8');
    await writeFile(path.join(folder, 'defaults.yaml'), defaults);
    await writeFile(path.join(folder, 'plan.json'), (await scene.plan()).stdout);
    const programs = path.join(folder, 'programs');
    await mkdir(programs);
    const rendered = `cat '${path.join(ROOT, 'examples/hooks.yaml')}'`;
    await makePrograms(programs, {
      // The documents of a chart and of an overlay are somebody else's.
      helm: `[ "$1" = template ] && ${rendered}`,
      kubectl: `case "$1" in
        restorehooks) exec '${process.execPath}' '${path.join(ROOT, 'dist/kubectl-restorehooks')}' "\${@:2}" ;;
        kustomize) ${rendered} ;;
        *) PATH=\${PATH#*:} exec kubectl "$@" ;;
      esac`,
      // jq isn't on every machine.
      jq: `[ "$*" = '-r .text' ] && sed -E 's/.*"text":"([^"]*)".*/\\1/'`,
    });
  }

  /** A block as it is for this test's run and namespace. */
  const here = (text: string): string =>
    text
      .replaceAll('44c9vd', runID)
      .replaceAll(/\bRUN\b/g, runID)
      .replaceAll('-n velero', `-n ${e2e.velero}`);
  const env = { KUBECONFIG: e2e.cluster.kubeconfig, VELERO_NAMESPACE: e2e.velero, NODE_TEST_CONTEXT: '' };

  for (const page of PAGES) {
    const blocks = snippetsOf(page).filter(({ info }) => info === 'sh');
    it(`can be typed: ${page}`, async () => {
      assert.ok(blocks.length > 0);
      for (const { line, text } of blocks) {
        // The embedded server has no kubectl; test/cluster/kubectl-wait.test.ts waits with it.
        const lines = here(text)
          .split('\n')
          .filter((each) => !/^(kubectl wait|until) /.test(each))
          // All runs of a Restore are where its first one is; test/e2e/run-namespace.test.ts begins them elsewhere.
          .filter((each) => !/ apply .*--run-namespace /.test(each))
          .filter((each) => isReal || /^(helm|kubectl kustomize|kubectl restorehooks) /.test(each));
        const { code, output } = await typed(lines.join('\n'), {
          cwd: folder,
          programs: [path.join(folder, 'programs')],
          env,
        });
        assert.equal(code, 0, `${page}:${line}\n${text}\n${output}`);
      }
    });
  }

  it('left the files that they write', async () => {
    const read = (name: string): Promise<string> => readFile(path.join(folder, name), 'utf8');
    assert.match(await read('nightly.html'), /^<!doctype html>/i);
    assert.match(await read('nightly.xml'), /<testsuites/);
    const run: Loose = JSON.parse(await read('run.json'));
    assert.equal(run.restore.name, 'nightly');
  });
});
