import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { RESTORE_NAME_LABEL } from '../../shared/core/names.ts';
import type { Scene, Started, Suite } from '../e2e/harness.ts';
import { endings, exec, hooksOf, isReal, mark, readyWhenOpen, sh, startSuite, waitFor } from '../e2e/harness.ts';
import { signalRunners } from '../e2e/runners.ts';
import { testbed } from './bed.ts';

/** Kills parts of a real cluster while hooks run. The run must report of each hook what is known. */

const skip = !isReal && 'needs a cluster that may be broken: npm run test:cluster';

/** A command that runs long enough for a part to be killed meanwhile. */
const long = sh('echo started >> marks; sleep 20; echo ended >> marks');

describe('parts of the cluster that die while hooks run', { skip }, () => {
  let e2e: Suite;
  const dead = new Set<string>();
  let mustWaken = false;
  const kill = async (part: string) => {
    dead.add(part);
    mustWaken ||= part === 'apiserver';
    await testbed('kill', part);
  };
  const start = async (part: string) => {
    await testbed('start', part);
    dead.delete(part);
  };
  const started = (scene: Scene, pod = 'db-0') =>
    waitFor(`the hook in ${pod} to run`, async () => (await scene.marks(pod)).includes('started'));
  const go = (scene: Scene, pod: string) =>
    waitFor('a command to run again', async () => {
      const { outcome } = await e2e.cluster.exec(scene.namespace, pod, 'main', ['touch', 'gate']);
      return outcome.kind === 'exited' && outcome.exitCode === 0;
    });
  const apply = (scene: Scene, ...args: string[]): Started =>
    e2e.plugin.start('apply', scene.name, '-n', e2e.velero, '-o', 'json', ...args);

  before(async () => {
    e2e = await startSuite();
  });
  afterEach(async () => {
    for (const part of [...dead]) await start(part);
    if (mustWaken) await testbed('waken');
    mustWaken = false;
  });
  after(() => e2e?.close());

  for (const part of ['kubelet', 'containerd', 'apiserver']) {
    // R4.3, R4.4
    it(`${part}: the hook that ran is Unknown, the others go on, and nothing is green`, async () => {
      const scene = await e2e.scene(`kill-${part}`);
      await scene.pod('db-0');
      await scene.pod('web-0', { containers: [readyWhenOpen] });
      await scene.restore({
        hooks: [
          hooksOf('db', exec(long, { execTimeout: '60s' })),
          hooksOf('web', exec(mark('warm'), { waitForReady: true })),
        ],
      });
      const run = apply(scene, '--fail-on=any');
      await started(scene);
      await kill(part);
      await delay(2000);
      await start(part);
      await go(scene, 'web-0');
      const ran = await run.done;
      assert.equal(ran.code, 3, ran.stderr);
      assert.equal(ran.json().phase, 'CompletedWithFailures');
      assert.deepEqual(endings(ran.json()), { 'db-0 0': 'Unknown (connection-lost)', 'web-0 0': 'Succeeded' });
      assert.deepEqual(await scene.marks('web-0'), ['warm']);
      const { phase, status } = await scene.annotations();
      assert.equal(phase, 'CompletedWithFailures');
      assert.equal(JSON.parse(status ?? '').counts.unknown, 1);
      assert.equal((await scene.apply()).code, 3);
      assert.deepEqual((await scene.marks('db-0')).filter((line) => line === 'started').length, 1);
    });
  }

  it('a Fail hook whose end nobody saw stops the rest, and the Restore is PartiallyFailed', async () => {
    const scene = await e2e.scene('kill-fail');
    await scene.pod('db-0');
    await scene.pod('web-0', { containers: [readyWhenOpen] });
    await scene.restore({
      hooks: [
        hooksOf('db', exec(long, { onError: 'Fail' })),
        hooksOf('web', exec(mark('warm'), { waitForReady: true })),
      ],
      status: { phase: 'Completed' },
    });
    const run = apply(scene, '--rerun');
    await started(scene);
    await kill('kubelet');
    await delay(1000);
    await start('kubelet');
    const ran = await run.done;
    assert.equal(ran.code, 3, ran.stderr);
    assert.deepEqual(endings(ran.json()), {
      'db-0 0': 'Unknown (connection-lost)',
      'web-0 0': 'NotExecuted (aborted)',
    });
    assert.equal((await scene.current()).status.phase, 'PartiallyFailed');
    await go(scene, 'web-0');
    assert.deepEqual(await scene.marks('web-0'), []);
  });

  it('an API server that is away for 5 s while hooks wait holds them up, and no more', async () => {
    const scene = await e2e.scene('api-away');
    await scene.pod('web-0', { containers: [readyWhenOpen] });
    await scene.pod('web-1', { containers: [readyWhenOpen] });
    await scene.restore({
      hooks: [hooksOf('web', exec(mark('first'), { waitForReady: true }), exec(mark('second')))],
    });
    const run = apply(scene);
    await waitFor('the run to begin', async () => (await scene.annotations())['phase'] === 'InProgress');
    await kill('apiserver');
    await delay(5000);
    await start('apiserver');
    await go(scene, 'web-0');
    await go(scene, 'web-1');
    const ran = await run.done;
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    assert.match(ran.stderr, /^warning: .*; still trying$/m);
    for (const pod of ['web-0', 'web-1']) assert.deepEqual(await scene.marks(pod), ['first', 'second']);
  });

  it('a kubelet that is away before a hook starts holds it up, and no more', async () => {
    const scene = await e2e.scene('kubelet-away');
    await scene.pod('db-0');
    await scene.restore({ hooks: [hooksOf('db', exec(mark('once')))] });
    await kill('kubelet');
    const run = apply(scene, '--runner=local');
    await delay(4000);
    assert.equal((await scene.annotations())['phase'], 'InProgress');
    await start('kubelet');
    const ran = await run.done;
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    assert.deepEqual(await scene.marks('db-0'), ['once']);
  });

  for (const [how, end] of [
    ['killed', async (_: Suite, runID: string) => killRunner(runID)],
    ['deleted by force', deleteRunner],
  ] as const) {
    it(`a runner that is ${how}: its Job's next pod goes on, when the lost command's time is over`, async () => {
      const scene = await e2e.scene(`runner-${how.split(' ')[0]}`);
      await scene.pod('app-0');
      await scene.pod('db-0');
      const lost = exec(long, { execTimeout: '25s' });
      await scene.restore({ hooks: [hooksOf('app', exec(mark('done'))), hooksOf('db', lost, exec(mark('second')))] });
      const run = apply(scene);
      await started(scene);
      await scene.runStatus(({ counts }) => counts.succeeded === 1);
      const { runID } = await scene.runStatus();
      await end(e2e, runID);
      const ran = await run.done;
      const known = { 'app-0 0': 'Succeeded', 'db-0 0': 'Unknown (runner-died)', 'db-0 1': 'Succeeded' };
      assert.deepEqual([ran.code, ran.json().phase], [0, 'CompletedWithFailures'], ran.stderr);
      assert.deepEqual(endings(ran.json()), known);
      assert.deepEqual(endings((await scene.status()).json()), known);
      assert.equal((await scene.apply()).json().runID, runID);
      assert.deepEqual([await scene.marks('app-0'), (await scene.jobs()).length], [['done'], 1]);
      assert.deepEqual(await scene.marks('db-0'), ['started', 'ended', 'second'], 'never beside the lost command');
    });
  }

  it('a pod that is deleted while its hook runs', async () => {
    const scene = await e2e.scene('pod-deleted');
    await scene.pod('db-0');
    await scene.pod('web-0', { containers: [readyWhenOpen] });
    await scene.restore({
      hooks: [
        hooksOf('db', exec(long), exec(mark('second'))),
        hooksOf('web', exec(mark('warm'), { waitForReady: true })),
      ],
    });
    const run = apply(scene, '--fail-on=any');
    await started(scene);
    await scene.removePod('db-0');
    await go(scene, 'web-0');
    const ran = await run.done;
    assert.equal(ran.code, 3, ran.stderr);
    const { 'db-0 0': running, ...others } = endings(ran.json());
    assert.match(running ?? '', /^(Failed \(exit\)|Unknown \(connection-lost\))$/);
    assert.deepEqual(others, { 'db-0 1': 'NotExecuted (pod-deleted)', 'web-0 0': 'Succeeded' });
  });

  it('a container that is restarted while its hook runs', async () => {
    const scene = await e2e.scene('restarted');
    const command = sh('trap "exit 0" TERM; while :; do sleep 0.1; done');
    await scene.pod('db-0', { containers: [{ name: 'main', command }] });
    await scene.restore({ hooks: [hooksOf('db', exec(long), exec(mark('second')))] });
    const run = apply(scene, '--fail-on=any');
    await started(scene);
    await e2e.cluster.exec(scene.namespace, 'db-0', 'main', ['kill', '1']);
    const ran = await run.done;
    assert.equal(ran.code, 3, ran.stderr);
    const { 'db-0 0': running, 'db-0 1': next } = endings(ran.json());
    assert.match(running ?? '', /^(Failed \(exit\)|Unknown \(connection-lost\))$/);
    // If the kubelet doesn't know yet that the container is down, the runtime refuses, and the command doesn't run.
    assert.match(next ?? '', /^(Succeeded|Failed \(error\))$/);
    // The new container doesn't have the file that the first hook wrote.
    const marks = await waitFor('the container to be up again', () => scene.marks('db-0').catch(() => undefined));
    assert.deepEqual(marks, next === 'Succeeded' ? ['second'] : []);
  });

  it('a pod that loses its label lives, and its hooks run', async () => {
    const scene = await e2e.scene('unlabeled');
    await scene.pod('db-0', { containers: [readyWhenOpen] });
    await scene.restore({
      hooks: [hooksOf('db', exec(sh('echo started >> marks; sleep 4')), exec(mark('second'), { waitForReady: true }))],
    });
    const run = apply(scene);
    await started(scene);
    const unlabeled = { metadata: { labels: { [RESTORE_NAME_LABEL]: null } } };
    await e2e.cluster.patch('pods', scene.namespace, 'db-0', unlabeled);
    await delay(5000);
    await go(scene, 'db-0');
    const ran = await run.done;
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    assert.deepEqual(await scene.marks('db-0'), ['started', 'second']);
  });
});

function killRunner(runID: string): void {
  assert.equal(signalRunners(`--run-id=${runID}`, 'SIGKILL'), 1);
}

async function deleteRunner({ cluster, velero }: Suite, runID: string): Promise<void> {
  const pods = await cluster.list('pods', velero, `restorehooks.io/run-id=${runID}`);
  assert.equal(pods.length, 1);
  const query = { gracePeriodSeconds: 0 };
  await cluster.client.delete(`/api/v1/namespaces/${velero}/pods/${pods[0].metadata.name}`, query);
}
