import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import type { Loose, Scene } from './harness.ts';
import { entry, exec, hookAnnotations, isReal, mark, OWN, sh, startSuite, waitFor } from './harness.ts';

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;

const starts = (script: string) => sh(`echo started >> marks; ${script}`);
/** A hook that ends when the test lets it. */
const held = starts('while [ ! -e go ]; do sleep 0.1; done; echo ended >> marks');
const letGo = (scene: Scene, pod: string) => cluster.exec(scene.namespace, pod, 'main', ['touch', 'go']);
const begun = (scene: Scene, pod: string) =>
  waitFor('the hook to start', async () => (await scene.marks(pod)).includes('started'));

async function sceneWith(title: string, hooks: readonly object[], ...pods: string[]): Promise<Scene> {
  const scene = await e2e.scene(title);
  await Promise.all(pods.map((pod) => scene.pod(pod)));
  await scene.restore({ hooks, status: { phase: 'Completed' } });
  return scene;
}
const setHooks = (scene: Scene, resources: readonly object[]) =>
  cluster.patch('restores', velero, scene.name, { spec: { hooks: { resources } } });
const resultsOf = (run: Loose) => run.hooks.map(({ pod, index, state }: Loose) => `${pod}/${index} ${state}`);

describe('apply after the end', () => {
  // R5.4
  it('shows the run, with its exit code, and runs nothing', async () => {
    const scene = await sceneWith(
      'ended',
      [entry([exec(mark('once')), exec(sh('exit 4'), { onError: 'Fail' })])],
      'web-0',
    );
    const first = await scene.apply();
    assert.deepEqual([first.code, first.json().phase], [3, 'PartiallyFailed'], first.stderr);
    const before = await scene.current();
    const second = await scene.apply();
    assert.equal(second.code, 3);
    assert.deepEqual(resultsOf(second.json()), resultsOf(first.json()));
    assert.equal(second.json().runID, first.json().runID);
    assert.match(
      second.stderr,
      new RegExp(`^this plan was run by run ${first.json().runID}: nothing is run again`, 'm'),
    );
    assert.deepEqual(await scene.marks('web-0'), ['once']);
    assert.equal((await scene.jobs()).length, 1);
    assert.equal((await scene.current()).metadata.resourceVersion, before.metadata.resourceVersion);
    const dry = await scene.apply('--dry-run=client');
    assert.equal((await scene.jobs()).length, 1, dry.stderr);
  });

  // R6.24
  it('--again runs all of it once more', async () => {
    const scene = await sceneWith('again', [entry(exec(mark('run')))], 'web-0', 'web-1');
    assert.equal((await scene.apply()).code, 0);
    const again = await scene.apply('--again');
    assert.deepEqual([again.code, again.json().attempt, again.json().counts.succeeded], [0, 2, 2], again.stderr);
    for (const pod of ['web-0', 'web-1']) assert.deepEqual(await scene.marks(pod), ['run', 'run']);
    assert.equal((await scene.jobs()).length, 2);
  });

  it('runs only the hooks of a pod that was replaced since', async () => {
    const scene = await sceneWith('replaced', [entry(exec(mark('run')))], 'web-0', 'web-1');
    assert.equal((await scene.apply()).code, 0);
    await scene.removePod('web-1');
    await scene.pod('web-1');
    const second = await scene.apply();
    assert.deepEqual([second.code, second.json().counts.succeeded], [0, 2], second.stderr);
    assert.match(second.stderr, /^kept {6}1 hook of earlier runs: not run again$/m);
    assert.match(second.stderr, new RegExp(`^ *~ ${scene.namespace}/web-1/main/e2e/0 \\(another pod\\)$`, 'm'));
    assert.deepEqual([await scene.marks('web-0'), await scene.marks('web-1')], [['run'], ['run']]);
    const third = await scene.apply();
    assert.deepEqual([third.code, third.json().runID], [0, second.json().runID]);
    assert.deepEqual([await scene.marks('web-0'), await scene.marks('web-1')], [['run'], ['run']]);
  });

  it('runs only what was added or changed, and prints the difference', async () => {
    const scene = await sceneWith('changed', [entry([exec(mark('a')), exec(mark('b')), exec(mark('c'))])], 'web-0');
    assert.equal((await scene.apply()).code, 0);
    await setHooks(scene, [entry([exec(mark('a')), exec(mark('B'))]), entry(exec(mark('d')), { name: 'more' })]);
    const second = await scene.apply();
    assert.equal(second.code, 0, second.stderr);
    const at = `${scene.namespace}/web-0/main`;
    assert.deepEqual(
      second.stderr
        .split('\n')
        .filter((line) => /^ {10}[~+-] /.test(line))
        .map((line) => line.trim()),
      [`~ ${at}/e2e/1 (another command)`, `+ ${at}/more/0`, `- ${at}/e2e/2`],
    );
    assert.deepEqual(await scene.marks('web-0'), ['a', 'b', 'c', 'B', 'd']);
    assert.deepEqual(resultsOf(second.json()), ['web-0/0 Succeeded', 'web-0/1 Succeeded', 'web-0/0 Succeeded']);
  });

  it('leaves a hook that failed to retry when another is added', async () => {
    const scene = await sceneWith('failed', [entry(exec(starts('exit 1')))], 'web-0');
    assert.equal((await scene.apply()).json().phase, 'CompletedWithFailures');
    await setHooks(scene, [entry([exec(starts('exit 1')), exec(mark('new'))])]);
    const second = await scene.apply();
    assert.deepEqual([second.code, second.json().phase], [0, 'CompletedWithFailures'], second.stderr);
    assert.deepEqual(await scene.marks('web-0'), ['started', 'new']);
  });
});

describe('apply while a run is going', () => {
  // R6.21
  it('follows it with the same plan, and is refused with another or with --again', async () => {
    const scene = await sceneWith('going', [entry(exec(held))], 'web-0');
    const first = e2e.plugin.start('apply', scene.name, '-n', velero, '-o', 'json');
    await begun(scene, 'web-0');
    const [job] = await scene.jobs();
    const follower = e2e.plugin.start('apply', scene.name, '-n', velero, '-o', 'json');
    await follower.says(/is going already; following it/);
    const shown = await scene.apply('--no-wait');
    assert.deepEqual([shown.code, shown.json().phase], [0, 'InProgress'], shown.stderr);
    for (const more of [['--again'], ['--hooks', await scene.hooksFile([entry(exec(mark('other')))])]]) {
      const refused = await scene.apply(...more);
      assert.deepEqual([refused.code, refused.stdout], [9, '']);
      assert.match(
        refused.stderr,
        new RegExp(`^error: run \\w+ of this Restore is still going \\(job ${job.metadata.name}\\)$`, 'm'),
      );
      assert.match(
        refused.stderr,
        new RegExp(`^hint: follow it: kubectl restorehooks status ${scene.name} -n ${velero} -w$`, 'm'),
      );
    }
    const local = await scene.apply('--again', '--runner=local');
    assert.equal(local.code, 9, local.stderr);
    await letGo(scene, 'web-0');
    const [one, other] = await Promise.all([first.done, follower.done]);
    assert.deepEqual([one.code, other.code, other.json().runID], [0, 0, one.json().runID], other.stderr);
    assert.deepEqual(await scene.marks('web-0'), ['started', 'ended']);
    assert.equal((await scene.jobs()).length, 1);
  });

  // R5.9
  it('launches once where two start at the same instant', async () => {
    const scene = await sceneWith('at-once', [entry(exec(starts('sleep 1')))], 'web-0', 'web-1');
    const ran = await Promise.all([1, 2, 3].map(() => scene.apply()));
    const [one, ...others] = ran;
    for (const other of others) assert.equal(other.json().runID, one?.json().runID);
    assert.deepEqual(
      ran.map(({ code }) => code),
      [0, 0, 0],
      ran.map(({ stderr }) => stderr).join('\n'),
    );
    assert.equal(ran.filter(({ stderr }) => /Job \S+ created/.test(stderr)).length, 1);
    assert.equal((await scene.jobs()).length, 1);
    for (const pod of ['web-0', 'web-1']) assert.deepEqual(await scene.marks(pod), ['started']);
  });

  it('gets through although somebody else writes to the Restore all the time', async () => {
    const scene = await sceneWith('busy-object', [entry(exec(starts('sleep 1')))], 'web-0');
    let done = false;
    let writes = 0;
    const writer = (async () => {
      for (; !done; writes += 1) {
        await cluster.patch('restores', velero, scene.name, {
          metadata: { annotations: { 'example.com/n': `${writes}` } },
        });
        await delay(30);
      }
    })();
    const ran = await scene.apply();
    done = true;
    await writer;
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    assert.deepEqual(await scene.marks('web-0'), ['started']);
    const { annotations } = (await scene.current()).metadata;
    assert.deepEqual(
      [annotations['example.com/n'], annotations['restorehooks.io/phase']],
      [`${writes - 1}`, 'Completed'],
    );
    assert.equal(ran.stderr.match(/^plan {6}/gm)?.length, 1, 'announced once');
  });
});

describe('apply after a runner that died', () => {
  it('goes on: what may have run is Unknown, what never started runs, and --again starts over', async () => {
    const lost = exec(held, { execTimeout: isReal ? '20s' : '3s' });
    const scene = await sceneWith('died', [entry([lost, exec(mark('next'))])], 'web-0');
    await scene.pod('own-0', { annotations: hookAnnotations(OWN, mark('own')) });
    const first = e2e.plugin.start('apply', scene.name, '-n', velero, '-o', 'json');
    await begun(scene, 'web-0');
    await scene.runStatus(({ counts }) => counts.succeeded === 1);
    const [job] = await scene.jobs();
    await cluster.client.delete(paths.jobs(velero, job.metadata.name), { propagationPolicy: 'Orphan' });
    await scene.killRunner();
    const ended = await first.done;
    assert.deepEqual([ended.code, ended.json().phase], [10, 'Failed'], ended.stderr);
    const second = await scene.apply();
    assert.deepEqual([second.code, second.json().phase], [0, 'CompletedWithFailures'], second.stderr);
    assert.deepEqual(resultsOf(second.json()), ['own-0/0 Succeeded', 'web-0/0 Unknown', 'web-0/1 Succeeded']);
    assert.deepEqual(await scene.marks('web-0'), ['started', 'next']);
    assert.deepEqual(await scene.marks('own-0'), ['own']);
    await letGo(scene, 'web-0');
    const again = await scene.apply('--again');
    assert.deepEqual([again.code, again.json().phase], [0, 'Completed'], again.stderr);
    assert.equal((await scene.marks('web-0')).filter((line) => line === 'started').length, 2);
  });
});
