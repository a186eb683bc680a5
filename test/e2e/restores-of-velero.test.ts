import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { load } from 'js-yaml';
import type { Loose, Scene } from './harness.ts';
import { entry, exec, hookAnnotations, mark, OWN, startSuite, VELERO } from './harness.ts';
import { assertUntouched } from './untouched.ts';

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;

/** A Restore with the status that a real Velero gave it, under the scene's name. Its hooks write lines for the test. */
async function restoreOf(scene: Scene, file: string): Promise<Loose> {
  const text = await readFile(join(import.meta.dirname, `../data/velero-1.18/${file}.yaml`), 'utf8');
  const { spec, status } = load(text.replaceAll('/ev/log', 'marks')) as Loose;
  for (const hooks of spec.hooks?.resources ?? [])
    if (hooks.includedNamespaces) hooks.includedNamespaces = [scene.namespace];
  return scene.restore({ spec, status });
}

const stay = ['sh', '-c', 'sleep 100000'];
const containers = (...names: string[]) => names.map((name) => ({ name, command: stay }));

/** The pods that the Restore of this file has restored, one of each kind. */
const PODS: Readonly<Record<string, readonly (readonly [string, object])[]>> = {
  a1: [
    ['db-0', { annotations: hookAnnotations(VELERO, mark('db')) }],
    ['cache-0', { annotations: hookAnnotations(VELERO, mark('cache')) }],
  ],
  b1: [
    ['web-0', {}],
    ['api-0', {}],
  ],
  'c1-continue': [
    ['bad-0', {}],
    ['ok-0', {}],
  ],
  'c2-fail': [
    ['bad-0', {}],
    ['ok-0', {}],
  ],
  k1: [['ord', { containers: containers('c1', 'c2') }]],
  'm1-nocontainer': [['ord', { containers: containers('c1', 'c2') }]],
  'n1-notready': [
    ['notready', {}],
    ['stuck', {}],
    ['good-0', {}],
  ],
  'n2-notready-short': [
    ['notready', {}],
    ['stuck', {}],
    ['good-0', {}],
  ],
  'v1-init-nocmd': [['init-0', { annotations: hookAnnotations(VELERO, mark('exec')) }]],
};
/** The number of hooks of each Restore. One of b1's is an init container that these pods lack. */
const HOOKS: Readonly<Record<string, number>> = {
  a1: 2,
  b1: 4,
  'c1-continue': 3,
  'c2-fail': 3,
  k1: 3,
  'n1-notready': 4,
  'n2-notready-short': 2,
  'v1-init-nocmd': 1,
};

async function sceneOf(file: string, title = file): Promise<Scene> {
  const scene = await e2e.scene(title);
  await Promise.all((PODS[file] ?? []).map(([pod, options]) => scene.pod(pod, options)));
  await restoreOf(scene, file);
  return scene;
}

describe('a Restore that Velero has run', () => {
  for (const [file, hooks] of Object.entries(HOOKS)) {
    it(`${file}: refused with the commands to go on, planned with --rerun`, async () => {
      const scene = await sceneOf(file);
      const { status } = await scene.current();
      const refused = await scene.apply();
      assert.deepEqual([refused.code, refused.stdout], [9, '']);
      assert.equal(
        refused.stderr,
        `error: Velero has worked on Restore ${scene.name} and may have run its ${hooks === 1 ? 'hook' : `${hooks} hooks`}\n` +
          `hint: see them: kubectl restorehooks plan ${scene.name} -n ${velero} --rerun\n` +
          `run them again: kubectl restorehooks apply ${scene.name} -n ${velero} --rerun [--only HOOK|POD]\n`,
      );
      const plan = await scene.plan();
      assert.deepEqual([plan.code, plan.json().hooks], [0, []]);
      assert.deepEqual(codesOf(plan.json()), { 'velero-has-run': hooks });
      const rerun = await scene.plan('--rerun');
      assert.deepEqual([rerun.code, rerun.json().hooks.length], [0, hooks], rerun.stderr);
      await assertUntouched(e2e, scene);
      assert.deepEqual((await scene.current()).status, status);
    });
  }

  it('m1-nocontainer: Velero gave up waiting, so that only --force plans its hooks', async () => {
    await restoreOf(await e2e.scene('m1-other'), 'b1');
    const scene = await sceneOf('m1-nocontainer');
    const refused = await scene.apply('--rerun');
    assert.deepEqual([refused.code, refused.stdout], [9, '']);
    assert.match(
      refused.stderr,
      /^error: Velero has given up waiting .* \(PartiallyFailed at 2026-11-23T01:28:38Z, no hookStatus\)/,
    );
    const forced = await scene.plan('--rerun', '--force');
    assert.deepEqual([forced.code, forced.json().hooks.length], [0, 2], forced.stderr);
    await assertUntouched(e2e, scene);
  });

  // R1.22, R1.23
  it('runs with --rerun only what --only names, and then the rest', async () => {
    const scene = await sceneOf('c1-continue', 'only');
    const unknown = await scene.apply('--rerun', '--only', 'web-9');
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /--only web-9 is no hook and no pod of the plan/);
    const alone = await scene.apply('--only', 'ok-0');
    assert.equal(alone.code, 9, 'narrows, and never widens');
    assert.match(alone.stderr, /--rerun/);
    await assertUntouched(e2e, scene, 'ok-0', 'bad-0');
    const some = await scene.apply('--rerun', '--only', `${scene.namespace}/ok-0`);
    assert.deepEqual([some.code, some.json().phase, some.json().counts.planned], [0, 'Completed', 1], some.stderr);
    const marks = { ok: await scene.marks('ok-0'), bad: await scene.marks('bad-0') };
    assert.deepEqual([marks.ok.length, marks.bad.length], [1, 0]);
    assert.equal((await scene.current()).status.phase, 'PartiallyFailed', "Velero's own word stays");
    const all = await scene.apply('--rerun');
    assert.deepEqual([all.code, all.json().phase], [0, 'CompletedWithFailures'], all.stderr);
    assert.equal((await scene.marks('ok-0')).length, 1, 'what has run is not run again');
    assert.deepEqual(await scene.marks('bad-0'), ['second-hook-of-bad'], 'a Continue failure stops nothing');
  });

  it('runs what k1 lost when Velero was killed, hook by hook', async () => {
    const scene = await sceneOf('k1', 'lost');
    const lost = [`${scene.namespace}/ord/c1/o/1`, `${scene.namespace}/ord/c2/o/2`];
    const ran = await scene.apply('--rerun', ...lost.flatMap((id) => ['--only', id]));
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    const marks = await Promise.all(['c1', 'c2'].map((container) => scene.marks('ord', container)));
    assert.deepEqual(marks, [['h2'], ['c2']]);
  });

  it('says of c2-fail what failed, and leaves the phase that Velero gave it', async () => {
    const scene = await sceneOf('c2-fail', 'fails');
    const ran = await scene.apply('--rerun');
    assert.deepEqual([ran.code, ran.json().phase], [3, 'PartiallyFailed'], ran.stderr);
    const bad = ran.json().hooks.find(({ pod }: Loose) => pod === 'bad-0');
    assert.deepEqual([bad.state, bad.reason, bad.exitCode], ['Failed', 'exit', 3]);
    assert.deepEqual(await scene.marks('bad-0'), []);
    assert.equal((await scene.current()).status.phase, 'PartiallyFailed');
    assert.equal((await scene.annotations())['former-phase'], undefined, 'there is nothing to put back');
  });

  it('plans hooks that Velero does not know beside its own, and tells of those left out', async () => {
    const scene = await sceneOf('a1', 'beside');
    await scene.pod('own-0', {
      annotations: { ...hookAnnotations(OWN, mark('own')), ...hookAnnotations(VELERO, mark('velero')) },
    });
    const plan = (await scene.plan()).json();
    assert.deepEqual(
      plan.hooks.map(({ pod, origin }: Loose) => [pod, origin]),
      [['own-0', 'restorehooks']],
    );
    assert.deepEqual(
      plan.notices.filter(({ code }: Loose) => code === 'velero-has-run').map(({ pod }: Loose) => pod),
      ['cache-0', 'db-0', 'own-0'],
    );
    const ran = await scene.apply();
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    assert.match(ran.stderr, /^notice: .*\/db-0: .*Velero has worked on this Restore.*\(velero-has-run\)$/m);
    assert.deepEqual(await scene.marks('own-0'), ['own']);
    for (const pod of ['db-0', 'cache-0']) assert.deepEqual(await scene.marks(pod), []);
  });

  it('runs the hooks of --hooks instead of its own', async () => {
    const scene = await sceneOf('b1', 'instead');
    const file = await scene.hooksFile([entry(exec(mark('mine')), { labelSelector: { matchLabels: { app: 'web' } } })]);
    const ran = await scene.apply('--hooks', file);
    assert.deepEqual([ran.code, ran.json().counts.planned], [0, 1], ran.stderr);
    assert.deepEqual([await scene.marks('web-0'), await scene.marks('api-0')], [['mine'], []]);
    await scene.pod('own-0', { annotations: hookAnnotations(OWN, mark('own')) });
    const missed = await scene.plan('--only', 'web-0');
    assert.equal(missed.code, 2);
    assert.match(missed.stderr, /^hint: .*--rerun adds those that Velero may have run$/m);
  });
});

describe("a Velero that isn't done", () => {
  const busy = [
    'New',
    'InProgress',
    'WaitingForPluginOperations',
    'WaitingForPluginOperationsPartiallyFailed',
    'Finalizing',
    'FinalizingPartiallyFailed',
  ];
  // R1.26
  it('is left alone in every phase, unless --force', async () => {
    const scene = await e2e.scene('busy');
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(exec(mark('warm')))], status: { phase: busy[0] } });
    for (const phase of busy) {
      await cluster.patch('restores', velero, scene.name, { status: { phase } });
      const { code, stdout, stderr } = await scene.apply();
      assert.deepEqual([code, stdout], [9, ''], phase);
      assert.equal(
        stderr,
        `error: Velero isn't done with Restore ${scene.name}: its phase is ${phase}\n` +
          'hint: wait until it is, or add --force if no Velero server is working on it\n',
      );
      const plan = await e2e.plugin('plan', scene.name, '-n', velero);
      assert.equal(plan.code, 0, 'a plan changes nothing and can always be shown');
      assert.match(plan.stdout, new RegExp(`apply would refuse: .*its phase is ${phase} \\(.*--force`));
      const local = await scene.apply('--runner=local');
      assert.equal(local.code, 9);
    }
    await assertUntouched(e2e, scene, 'web-0');
    const forced = await scene.apply('--force');
    assert.deepEqual([forced.code, forced.json().phase], [0, 'Completed'], forced.stderr);
    assert.match(forced.stderr, /Velero isn't done: FinalizingPartiallyFailed/);
    assert.deepEqual(await scene.marks('web-0'), ['warm']);
    assert.equal((await scene.current()).status.phase, 'FinalizingPartiallyFailed', "Velero's own phase stays");
  });

  // R1.27
  it('tells of a Restore without a phase, and goes on', async () => {
    const scene = await e2e.scene('no-phase');
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(exec(mark('warm')))] });
    const { code, stderr } = await scene.apply();
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^notice: the Restore has no phase: .*\(restore-without-phase\)$/m);
  });
});

/** How often each notice is in a plan. */
function codesOf(plan: Loose): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { code } of plan.notices) counts[code] = (counts[code] ?? 0) + 1;
  return counts;
}
