import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { cpSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { load, loadAll } from 'js-yaml';
import type { Loose } from '../e2e/harness.ts';
import { hookAnnotations, isReal, mark, OWN, waitFor } from '../e2e/harness.ts';
import { makePrograms, patternOf, printedIn, ROOT, snippetsOf, typed } from '../snippets.ts';
import { testbed } from './bed.ts';
import type { Backup, World } from './velero/world.ts';
import { startWorld } from './velero/world.ts';

/*
 * The runbooks of examples/runbooks, to the letter: each command of a README is typed on a real cluster with a real Velero,
 * and has to print what the README shows. Only the folders on the node that stand for shared volumes are others.
 */

const BED = path.join(import.meta.dirname, 'testbed');
const RUNBOOKS = 'examples/runbooks';
const VOLUMES = '/var/tmp/runbooks';
const NEXT = '=== the next command ===\n';
const skip = !isReal && 'needs a cluster with a Velero of its own: npm run test:cluster';

/** Those that are nothing but their README. */
const BY_THEMSELVES = ['mysql', 'redis', 'search-index', 'maintenance-mode', 'leader', 'cronjob'];
const OTHERS = ['postgresql', 'bash', 'argo-workflows', 'tekton'];

const documentsOf = (file: string): Loose[] =>
  loadAll(readFileSync(path.join(ROOT, RUNBOOKS, file), 'utf8')) as Loose[];

it('every runbook is run here', () => {
  const there = globSync('*/README.md', { cwd: path.join(ROOT, RUNBOOKS) }).map((file) => path.dirname(file));
  assert.deepEqual(there.sort(), [...BY_THEMSELVES, ...OTHERS].sort());
});

describe('on a real cluster', { skip }, () => {
  let world: World;
  /** The files of the runbooks, with other folders for their volumes. */
  let folder: string;
  let backup: Promise<Backup>;
  before(async () => {
    [world] = await Promise.all([startWorld(), testbed('runbooks', 'up')]);
    folder = path.join(world.cluster.folder, 'runbooks');
    cpSync(path.join(ROOT, RUNBOOKS), path.join(folder, RUNBOOKS), { recursive: true });
    for (const file of globSync(`${RUNBOOKS}/*/*.yaml`, { cwd: folder })) {
      const copy = path.join(folder, file);
      writeFileSync(copy, readFileSync(copy, 'utf8').replaceAll(VOLUMES, path.join(folder, 'volumes')));
    }
    await makePrograms(path.join(folder, 'bin'), { velero: `exec '${BED}' velero cli "$@"` });
    backup = backUpPod();
  });
  after(async () => {
    if (folder !== undefined) {
      const files = globSync(`${RUNBOOKS}/{${BY_THEMSELVES},postgresql}/!(hooks).yaml`, { cwd: folder });
      const remove = 'kubectl delete --ignore-not-found --wait=false';
      const { code, output } = await bash(`
        ${remove} ${files.map((file) => `-f ${file}`).join(' ')}
        ${remove} namespace crm-staging
        ${remove} configmap refresh-staging-hooks --namespace velero
        kubectl restorehooks setup --delete`);
      assert.equal(code, 0, output);
    }
    await world?.close();
  });

  const bash = (script: string) =>
    typed(script, { cwd: folder, programs: [path.join(folder, 'bin'), path.join(ROOT, 'dist')] });

  /** Types the commands of a README, and compares what each prints with what is shown below it, if anything is. */
  async function follow(runbook: string): Promise<void> {
    const blocks = snippetsOf(`${RUNBOOKS}/${runbook}/README.md`).filter(({ info }) => info === 'console');
    const steps = blocks.flatMap(({ text }) => printedIn(text));
    assert.ok(
      steps.some(([, shown]) => shown !== ''),
      `${runbook} shows no output`,
    );
    const script = steps.flatMap(([command]) => [`printf '%s' '${NEXT}'`, command]);
    // One stream, as on a terminal: two could be read in another order.
    const { code, output } = await bash(['exec 2>&1', ...script].join('\n'));
    const [, ...outputs] = output.split(NEXT);
    assert.equal(code, 0, `exit code ${code} of: ${steps[outputs.length - 1]?.[0]}\n${outputs.at(-1)}`);
    for (const [index, [command, shown]] of steps.entries()) {
      // All that is printed is shown, or left out by a `…`.
      if (shown !== '') assert.match(outputs[index] ?? '', new RegExp(`${patternOf(shown).source}$`), command);
    }
  }

  describe('with Velero', { concurrency: 4 }, () => {
    // The longest one first.
    it('postgresql brings back what was there, and so does the script of bash, after a failure that is put right', async () => {
      await follow('postgresql');
      await follow('bash');
    });

    for (const runbook of BY_THEMSELVES) {
      it(`${runbook} brings back what was there`, () => follow(runbook));
    }
  });

  describe('with the resources of others', { concurrency: true }, () => {
    before(() => testbed('runbooks', 'define'));
    after(() => testbed('runbooks', 'undefine'));

    it('argo-workflows fits the schema, and its steps restore a pod and run its hook', async () => {
      await follow('argo-workflows');
      await assertChecked('argo-workflows/restore.yaml', 'successCondition');
      const [workflow] = documentsOf('argo-workflows/restore.yaml');
      const template = (name: string) => workflow.spec.templates.find((each: Loose) => each.name === name);
      const scene = await (await backup).back();
      const values = { '{{workflow.name}}': scene.name, '{{workflow.parameters.backup}}': (await backup).name };
      await world.cluster.create(load(filled(template('velero').resource.manifest, values)) as object);
      await runStep(template('hooks').container, values);
      assert.deepEqual(await scene.marks('web-0'), ['warm']);
    });

    it('tekton fits the schemas, and its step waits for Velero and runs the hook', async () => {
      await follow('tekton');
      await assertChecked('tekton/restore-hooks.yaml', 'description');
      await assertChecked('tekton/run.yaml', 'serviceAccountName');
      const [{ spec }] = documentsOf('tekton/restore-hooks.yaml');
      const scene = await (await backup).into('tekton');
      await scene.begin();
      await runStep(spec.steps[0], { '$(params.restore)': scene.name, '$(params.wait)': spec.params[1].default });
      assert.deepEqual(await scene.marks('web-0'), ['warm']);
    });
  });

  /** A backup of a pod with a hook. */
  async function backUpPod(): Promise<Backup> {
    const scene = await world.scene('step');
    await world.workload(scene, 'web-0', { annotations: hookAnnotations(OWN, mark('warm')) });
    return world.backUp(scene);
  }

  /** The API server knows the published schema, and refuses a field that isn't in it. */
  async function assertChecked(file: string, field: string): Promise<void> {
    const mistyped = path.join(folder, `mistyped-${path.basename(file)}`);
    const text = readFileSync(path.join(ROOT, RUNBOOKS, file), 'utf8');
    assert.ok(text.includes(`${field}:`));
    writeFileSync(mistyped, text.replace(`${field}:`, `${field}s:`));
    const { code, output } = await bash(
      `kubectl apply --server-side --dry-run=server --validate=strict -f ${mistyped}`,
    );
    assert.equal(code, 1);
    assert.match(output, new RegExp(`\\.${field}s: field not declared in schema`));
  }

  const filled = (text: string, values: Readonly<Record<string, string>>): string =>
    Object.entries(values).reduce((all, [from, to]) => all.replaceAll(from, to), text);

  /** Runs the container of a step as its controller would, and waits for its end. */
  async function runStep(container: Loose, values: Readonly<Record<string, string>>): Promise<void> {
    const metadata = { name: `step-${randomUUID().slice(0, 5)}`, namespace: world.velero };
    const containers = [{ ...JSON.parse(filled(JSON.stringify(container), values)), name: 'step' }];
    const spec = { restartPolicy: 'Never', serviceAccountName: 'restorehooks', containers };
    await world.cluster.create({ apiVersion: 'v1', kind: 'Pod', metadata, spec });
    const { status } = await waitFor(`pod ${metadata.name} to end`, async () => {
      const pod = await world.cluster.get('pods', world.velero, metadata.name);
      return ['Succeeded', 'Failed'].includes(pod.status.phase) && pod;
    });
    assert.equal(status.phase, 'Succeeded', await world.cluster.log(world.velero, metadata.name));
  }
});
