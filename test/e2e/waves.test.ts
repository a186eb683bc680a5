import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { Loose, Scene } from './harness.ts';
import { endings, exec, gated, hooksOf, isReal, mark, readyWhenOpen, sh, startSuite, waitFor } from './harness.ts';

/** Hooks in an order across pods and namespaces. */

const LONG_ENOUGH = isReal ? '20s' : '3s';

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;

const inWave = (wave: number, app: string, ...hooks: object[]) => ({
  ...hooksOf(app, ...hooks),
  name: `${app}-${wave}`,
  wave,
});
const begin = async (scene: Scene, resources: readonly object[], ...args: string[]) => {
  const file = await scene.hooksFile(resources);
  return e2e.plugin.start('apply', scene.name, '-n', velero, '-o', 'json', '--hooks', file, ...args);
};
const messages = ({ hooks }: Loose): Record<string, string> =>
  Object.fromEntries(hooks.map(({ pod, message }: Loose) => [pod, message]));

/** The same Restore's pods in a namespace of their own. */
async function besides(scene: Scene, title: string): Promise<Scene> {
  const namespace = await cluster.namespace(`e2e-${title}`);
  return e2e.scene(title, scene.name, namespace);
}

describe('waves', () => {
  // R3.41, R3.43, R3.46, R3.47
  it('follow each other over namespaces, a failure under Continue and the death of a runner', async () => {
    const scene = await e2e.scene('waves');
    const web = await besides(scene, 'waves-web');
    await scene.pod('db-0');
    await web.pod('web-0');
    await web.pod('cache-0');
    await scene.restore({ status: { phase: 'Completed' } });
    const run = await begin(scene, [
      inWave(2, 'web', exec(mark('traffic'))),
      inWave(2, 'cache', exec(mark('traffic'))),
      inWave(-1, 'db', exec(gated('exit 3'))),
      inWave(0, 'db', exec(mark('indexed'))),
      inWave(0, 'web', exec(gated(), { execTimeout: LONG_ENOUGH })),
    ]);
    await waitFor('the first wave to begin', async () => (await scene.marks('db-0')).includes('begun'));
    const { openWave } = await scene.runStatus((status) => status.openWave?.message === 'running');
    assert.deepEqual(
      [openWave.number, openWave.place, openWave.of, openWave.left, openWave.first],
      [-1, 1, 3, 1, `${scene.namespace}/db-0/main/db--1/0`],
    );
    const shown = await scene.status();
    assert.match(
      messages(shown.json())['cache-0'] ?? '',
      /^waiting for wave 2 to open; wave -1 is open, with 1 hook left \(first: \S+\/db-0\/main\/db--1\/0\)$/,
    );
    const table = await e2e.plugin('status', scene.name, '-n', velero);
    assert.match(table.stdout, /^wave {6}-1 \(1 of 3\): 1 hook left; the first, \S+, is running$/m);
    await scene.open('db-0');
    await waitFor('the second wave to begin', async () => (await web.marks('web-0')).includes('begun'));
    // What a runner that is killed has seen and not yet written down is Unknown (R6.2).
    await scene.runStatus(({ counts }) => counts.succeeded === 1);
    await scene.killRunner();
    const ran = await run.done;
    assert.deepEqual([ran.code, ran.json().phase], [0, 'CompletedWithFailures'], ran.stderr);
    const ends = ran.json().hooks.map(({ id, state }: Loose) => `${id.split('/').slice(1).join('/')} ${state}`);
    assert.deepEqual(ends.sort(), [
      'cache-0/main/cache-2/0 Succeeded',
      'db-0/main/db--1/0 Failed',
      'db-0/main/db-0/0 Succeeded',
      'web-0/main/web-0/0 Unknown',
      'web-0/main/web-2/0 Succeeded',
    ]);
    assert.deepEqual(await scene.marks('db-0'), ['begun', 'ended', 'indexed']);
    assert.deepEqual(await web.marks('web-0'), ['begun', 'traffic']);
    assert.equal((await scene.status()).json().openWave, undefined);
    assert.match(ran.stderr, /^\S+ wave -1 \(1 of 3\): 1 hook left; the first, \S+, is /m);
    await web.open('web-0');
  });

  // R3.45, R3.48
  it('stop at a Fail hook that does not succeed, and retry goes on from there', async () => {
    const scene = await e2e.scene('gate');
    for (const pod of ['db-0', 'web-0']) await scene.pod(pod);
    await scene.restore({ status: { phase: 'Completed' } });
    const check = sh('echo checked >> marks; test -f gate');
    const file = await scene.hooksFile([
      inWave(0, 'db', exec(mark('loaded'))),
      inWave(1, 'db', exec(check, { onError: 'Fail' })),
      inWave(2, 'web', exec(mark('traffic'))),
    ]);
    const ran = await scene.apply('--hooks', file);
    assert.deepEqual([ran.code, ran.json().phase], [3, 'PartiallyFailed'], ran.stderr);
    assert.deepEqual(endings(ran.json())['web-0 0'], 'NotExecuted (aborted)');
    await scene.open('db-0');
    const retried = await e2e.plugin('retry', scene.name, '-n', velero, '-o', 'json');
    assert.deepEqual([retried.code, retried.json().phase], [0, 'Completed'], retried.stderr);
    assert.deepEqual(await scene.marks('db-0'), ['loaded', 'checked', 'checked']);
    assert.deepEqual(await scene.marks('web-0'), ['traffic']);
    assert.deepEqual(
      retried.json().hooks.map(({ wave = 0, run, attempt }: Loose) => [wave, run, attempt]),
      [
        [0, 1, 1],
        [1, 2, 2],
        [2, 2, 1],
      ],
    );
  });

  // R3.44, R3.45
  it('are held by a pod that comes up late, and lose the hooks of a pod that goes meanwhile', async () => {
    const scene = await e2e.scene('late');
    await scene.pod('db-0', { containers: [readyWhenOpen] });
    for (const pod of ['gone-0', 'web-0']) await scene.pod(pod);
    await scene.restore({ status: { phase: 'Completed' } });
    const run = await begin(scene, [
      inWave(0, 'db', exec(mark('loaded'), { waitForReady: true })),
      inWave(1, 'gone', exec(mark('ran'))),
      inWave(2, 'web', exec(mark('traffic'), { waitTimeout: '10s' })),
    ]);
    const held = await scene.runStatus(({ openWave }) => /to be ready/.test(openWave?.message));
    assert.match(held.openWave.message, /^waiting for container main to be ready.*, without a limit$/);
    await scene.removePod('gone-0');
    await scene.runStatus(({ counts }) => counts.notExecuted === 1);
    assert.deepEqual(await scene.marks('web-0'), []);
    await scene.open('db-0');
    const ran = await run.done;
    assert.deepEqual([ran.code, ran.json().phase], [0, 'CompletedWithFailures'], ran.stderr);
    assert.deepEqual(endings(ran.json()), {
      'db-0 0': 'Succeeded',
      'gone-0 0': 'NotExecuted (pod-deleted)',
      'web-0 0': 'Succeeded',
    });
  });
});
