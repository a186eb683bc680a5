import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import type { Loose, Scene } from './harness.ts';
import { endings, entry, exec, gated, isReal, mark, sh, startSuite, waitFor } from './harness.ts';

/** Commands that outlive their runner: whoever goes on with the run attaches to them. */

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;

async function sceneWith(title: string, hooks: readonly object[], ...args: string[]) {
  const scene = await e2e.scene(title);
  await scene.pod('web-0');
  await scene.restore({ status: { phase: 'Completed' } });
  const file = await scene.hooksFile([entry(hooks)]);
  const apply = (...more: string[]) =>
    e2e.plugin.start('apply', scene.name, '-n', velero, '-o', 'json', '--hooks', file, ...args, ...more);
  return { scene, apply };
}
const begun = (scene: Scene) =>
  waitFor('the hook to begin', async () => (await scene.marks('web-0')).includes('begun'));
const started = (scene: Scene) => scene.runStatus(({ counts }) => counts.running === 1);
const detached = (command: readonly string[], more: object = {}) =>
  exec(command, { detach: true, execTimeout: '5m', ...more });

const attempts = ({ hooks }: Loose): unknown[] => hooks.map(({ run, attempt }: Loose) => [run, attempt]);

describe('a detached command whose runner is killed', { concurrency: true }, () => {
  // R3.81
  it("is attached to by the Job's next pod, and its own exit code is told", async () => {
    const { scene, apply } = await sceneWith('next', [detached(gated('exit 3')), exec(mark('next'))]);
    const run = apply();
    await begun(scene);
    await scene.killRunner();
    await scene.open('web-0');
    const ran = await run.done;
    assert.deepEqual([ran.code, ran.json().phase], [0, 'CompletedWithFailures'], ran.stderr);
    assert.deepEqual(endings(ran.json()), { 'web-0 0': 'Failed (exit)', 'web-0 1': 'Succeeded' });
    assert.equal(ran.json().hooks[0].exitCode, 3);
    assert.deepEqual(await scene.marks('web-0'), ['begun', 'ended', 'next']);
  });

  // R3.88
  it('for good is attached to by the next apply, also under Fail', async () => {
    const hooks = [detached(gated(), { onError: 'Fail' }), exec(mark('next'))];
    const { scene, apply } = await sceneWith('apply', hooks, '--runner=local');
    const first = apply();
    await begun(scene);
    await started(scene);
    first.kill('SIGKILL');
    await first.done;
    const run = apply();
    await scene.runStatus(({ attempt, counts }) => attempt === 2 && counts.running === 1);
    assert.deepEqual(await scene.marks('web-0'), ['begun'], 'nothing else starts meanwhile');
    await scene.open('web-0');
    const ran = await run.done;
    assert.deepEqual([ran.code, ran.json().phase, ran.json().attempt], [0, 'Completed', 2], ran.stderr);
    assert.deepEqual(attempts(ran.json()), [
      [2, 1],
      [2, 1],
    ]);
    assert.deepEqual(await scene.marks('web-0'), ['begun', 'ended', 'next']);
  });

  // R3.88
  it('with its Job is attached to by retry, in another Job', async () => {
    const { scene, apply } = await sceneWith('retry', [detached(gated('exit 4')), exec(mark('next'))]);
    const first = apply('--no-wait');
    assert.equal((await first.done).code, 0);
    await begun(scene);
    await started(scene);
    const [job] = await scene.jobs();
    await cluster.client.delete(paths.jobs(velero, job?.metadata.name), { propagationPolicy: 'Orphan' });
    await scene.killRunner();
    await scene.open('web-0');
    const going = await waitFor('the dead runner to be told', async () => {
      const ran = await e2e.plugin('retry', scene.name, '-n', velero, '-o', 'json');
      return ran.code !== 9 && ran;
    });
    assert.deepEqual([going.code, going.json().phase], [0, 'CompletedWithFailures'], going.stderr);
    assert.deepEqual(endings(going.json()), { 'web-0 0': 'Failed (exit)', 'web-0 1': 'Succeeded' });
    assert.equal(going.json().hooks[0].exitCode, 4);
    assert.deepEqual(await scene.marks('web-0'), ['begun', 'ended', 'next']);
    // Its end is known, so nothing waits until its exec timeout is over.
    const again = await e2e.plugin('retry', scene.name, '-n', velero, '-o', 'json', '--timeout=2m');
    assert.doesNotMatch(again.stderr, /^quiet/m);
    assert.deepEqual(
      [again.code, again.json().hooks[0].exitCode, again.json().hooks[0].attempt],
      [0, 4, 2],
      again.stderr,
    );
    assert.deepEqual(await scene.marks('web-0'), ['begun', 'ended', 'next', 'begun', 'ended']);
  });
});

describe('a detached command', { concurrency: true }, () => {
  const endless = sh('echo begun >> marks; trap "" TERM; while :; do echo tick >> ticks; sleep 0.2; done');
  /** Nothing of it goes on: what it writes all the time is written no more. */
  async function requireGone(scene: Scene): Promise<void> {
    await waitFor('nothing of it to be left', async () => {
      const { stdout } = await cluster.exec(
        scene.namespace,
        'web-0',
        'main',
        sh('one=$(wc -l < ticks); sleep 1; echo $one $(wc -l < ticks)'),
      );
      const [one, other] = stdout.trim().split(' ');
      return one !== undefined && one === other;
    });
  }

  // R3.83
  it('is ended at its exec timeout, with its group, before the next hook starts', async () => {
    const { scene, apply } = await sceneWith('ended', [detached(endless, { execTimeout: '3s' }), exec(mark('next'))]);
    const ran = await apply().done;
    assert.deepEqual(endings(ran.json()), { 'web-0 0': 'TimedOut (executing)', 'web-0 1': 'Succeeded' }, ran.stderr);
    assert.match(ran.json().hooks[0].message, /the command was ended, and nothing of it runs on/);
    await requireGone(scene);
    assert.deepEqual(await scene.marks('web-0'), ['begun', 'next']);
  });

  // R3.85
  it('is ended by cancel --grace', async () => {
    const { scene, apply } = await sceneWith('canceled', [detached(endless), exec(mark('next'))]);
    const run = apply();
    await begun(scene);
    const canceled = await e2e.plugin('cancel', scene.name, '-n', velero, '--grace=1s');
    assert.equal(canceled.code, 0, canceled.stderr);
    const ran = await run.done;
    assert.deepEqual([ran.code, ran.json().phase], [11, 'Canceled'], ran.stderr);
    assert.deepEqual(endings(ran.json()), { 'web-0 0': 'Failed (canceled)', 'web-0 1': 'NotExecuted (canceled)' });
    await requireGone(scene);
  });

  // R3.82
  it('whose pod is deleted is Unknown', async () => {
    const { scene, apply } = await sceneWith('gone', [detached(gated())]);
    const run = apply();
    await begun(scene);
    await started(scene);
    await scene.removePod('web-0');
    const ran = await run.done;
    assert.deepEqual(endings(ran.json()), { 'web-0 0': 'Unknown (pod-deleted)' }, ran.stderr);
  });

  // R3.82
  it('whose container is restarted has failed for that', {
    skip: !isReal && 'containers restart on a kubelet',
  }, async () => {
    const scene = await e2e.scene('restarted');
    await scene.pod('web-0', {
      containers: [{ name: 'main', command: sh('while [ ! -f stop ]; do sleep 0.2; done') }],
    });
    await scene.restore({ status: { phase: 'Completed' } });
    const file = await scene.hooksFile([entry([detached(gated()), exec(mark('next'))])]);
    const run = e2e.plugin.start('apply', scene.name, '-n', velero, '-o', 'json', '--hooks', file);
    await begun(scene);
    await started(scene);
    await scene.open('web-0', 'main', 'stop');
    const ran = await run.done;
    assert.deepEqual(endings(ran.json())['web-0 0'], 'Failed (container-restarted)', ran.stderr);
  });

  // R1.44
  it("is what --detach makes of a Restore's own hooks", async () => {
    const scene = await e2e.scene('own');
    await scene.pod('web-0');
    const status = { phase: 'Completed', startTimestamp: '2026-01-01T00:00:00Z' };
    await scene.restore({ hooks: [entry([exec(gated('exit 5'))])], status });
    const run = e2e.plugin.start('apply', scene.name, '-n', velero, '-o', 'json', '--rerun', '--detach');
    await begun(scene);
    await scene.killRunner();
    await scene.open('web-0');
    const ran = await run.done;
    assert.deepEqual([ran.json().hooks[0].exitCode, await scene.marks('web-0')], [5, ['begun', 'ended']], ran.stderr);
  });
});
