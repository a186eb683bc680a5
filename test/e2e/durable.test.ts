import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { ANNOTATION } from '../../shared/core/names.ts';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import type { Loose, Scene } from './harness.ts';
import { entry, exec, gated, isReal, mark, NO_IMAGE, sh, startSuite, waitFor } from './harness.ts';

/** A run survives its runner: no hook is lost, none is run twice, none is reported as better than it was seen. */

/** The exec timeout. The runner must be gone before it has passed; until then the next one starts nothing in the pod. */
const LONG_ENOUGH = isReal ? '20s' : '3s';

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;

const states = ({ hooks }: Loose): string[] =>
  hooks.map(({ pod, index, state, reason }: Loose) => [`${pod}/${index}`, state, reason].filter(Boolean).join(' '));

async function sceneWith(title: string, hooks: readonly object[], ...pods: string[]): Promise<Scene> {
  const scene = await e2e.scene(title);
  await Promise.all(pods.map((pod) => scene.pod(pod)));
  await scene.restore({ hooks: [entry(hooks)], status: { phase: 'Completed' } });
  return scene;
}
const start = (scene: Scene, ...args: string[]) =>
  e2e.plugin.start('apply', scene.name, '-n', velero, '-o', 'json', ...args);
const retry = (scene: Scene, ...args: string[]) => e2e.plugin('retry', scene.name, '-n', velero, '-o', 'json', ...args);
const cancel = (scene: Scene, ...args: string[]) => e2e.plugin('cancel', scene.name, '-n', velero, ...args);
const begun = (scene: Scene, pod: string) =>
  waitFor(`the hook in ${pod} to begin`, async () => (await scene.marks(pod)).includes('begun'));
const journalOf = async (scene: Scene): Promise<Loose[]> =>
  (await cluster.list('configMaps', velero, `restorehooks.io/restore=${scene.name}`)).filter(({ metadata }) =>
    /-journal-\d+$/.test(metadata.name),
  );

describe('a runner that is killed', () => {
  // R6.3
  it("is followed by its Job's next pod: what was running is Unknown, what has ended stays, the rest runs once", async () => {
    const hooks = [exec(gated(), { execTimeout: LONG_ENOUGH }), exec(mark('next'))];
    const scene = await sceneWith('killed', hooks, 'web-0');
    await scene.pod('done-0', { labels: { app: 'done' } });
    const run = start(scene);
    await begun(scene, 'web-0');
    await scene.open('done-0');
    await waitFor('the other pod to be done', async () => (await scene.marks('done-0')).includes('next'));
    await scene.runStatus(({ counts }) => counts.succeeded === 2);
    await scene.killRunner();
    const ran = await run.done;
    assert.deepEqual([ran.code, ran.json().phase], [0, 'CompletedWithFailures'], ran.stderr);
    assert.deepEqual(states(ran.json()), [
      'done-0/0 Succeeded',
      'done-0/1 Succeeded',
      'web-0/0 Unknown runner-died',
      'web-0/1 Succeeded',
    ]);
    assert.deepEqual(await scene.marks('web-0'), ['begun', 'next']);
    assert.deepEqual(await scene.marks('done-0'), ['begun', 'ended', 'next']);
    assert.deepEqual(ran.json(), (await scene.status()).json());
    await scene.open('web-0');
  });

  // R6.4
  it('has its lost hook run again with --on-unknown=rerun, when its time is over', async () => {
    const scene = await sceneWith('rerun', [exec(gated(), { execTimeout: LONG_ENOUGH })], 'web-0');
    const run = start(scene, '--on-unknown=rerun');
    await begun(scene, 'web-0');
    await scene.killRunner();
    await waitFor('it to begin again', async () => (await scene.marks('web-0')).length === 2);
    await scene.open('web-0');
    const ran = await run.done;
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
  });

  // R6.6
  it('leaves a Fail that it saw, and a command that may have failed under Fail stops the rest', async () => {
    const hooks = [exec(gated(), { execTimeout: LONG_ENOUGH, onError: 'Fail' }), exec(mark('next'))];
    const scene = await sceneWith('fail', hooks, 'web-0');
    const run = start(scene);
    await begun(scene, 'web-0');
    await scene.killRunner();
    const ran = await run.done;
    assert.deepEqual([ran.code, ran.json().phase], [3, 'PartiallyFailed'], ran.stderr);
    assert.deepEqual(states(ran.json()), ['web-0/0 Unknown runner-died', 'web-0/1 NotExecuted aborted']);
    assert.deepEqual(await scene.marks('web-0'), ['begun']);
    await scene.open('web-0');
  });

  // R5.21
  it('of this process is told from a living one, and apply goes on where it was', async () => {
    const hooks = [exec(gated(), { execTimeout: '12s' }), exec(mark('next'))];
    const scene = await sceneWith('local', hooks, 'web-0');
    const run = start(scene, '--runner=local');
    await begun(scene, 'web-0');
    const retried = await retry(scene);
    assert.equal(retried.code, 9, retried.stderr);
    assert.match(retried.stderr, /is still going \(local \S+@\S+ \(process \d+\)\)/);
    run.kill('SIGKILL');
    await run.done;
    const ran = await scene.apply('--runner=local');
    assert.deepEqual([ran.code, ran.json().phase, ran.json().attempt], [0, 'CompletedWithFailures', 2], ran.stderr);
    assert.deepEqual(states(ran.json()), ['web-0/0 Unknown runner-died', 'web-0/1 Succeeded']);
    assert.deepEqual(await scene.marks('web-0'), ['begun', 'next']);
    await scene.open('web-0');
  });
});

describe('a runner that is asked to end', () => {
  // R6.16, R6.17
  it('lets running hooks end, and leaves the rest to the next pod', async () => {
    const scene = await sceneWith('evicted', [exec(gated()), exec(mark('next'))], 'web-0');
    const run = start(scene);
    await begun(scene, 'web-0');
    const [runner] = await scene.runners();
    await cluster.client.delete(paths.pods(velero, runner.metadata.name));
    await scene.runStatus(({ suspendedAt }) => suspendedAt !== undefined);
    await scene.open('web-0');
    const ran = await run.done;
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    assert.deepEqual(await scene.marks('web-0'), ['begun', 'ended', 'next']);
    const log = await cluster.log(velero, (await scene.runners()).at(-1)?.metadata.name);
    assert.match(log, /"runner":2/);
  });

  // R6.16, R6.17
  it('in this process is suspended by Ctrl-C, and apply goes on', async () => {
    const scene = await sceneWith('ctrl-c', [exec(gated()), exec(mark('next'))], 'web-0');
    const run = start(scene, '--runner=local');
    await begun(scene, 'web-0');
    run.kill('SIGINT');
    await run.says(/stopping/);
    await scene.open('web-0');
    const stopped = await run.done;
    assert.deepEqual([stopped.code, stopped.json().phase], [130, 'InProgress'], stopped.stderr);
    const shown = await scene.status();
    assert.match(shown.json().message, /^suspended at /);
    const ran = await scene.apply();
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    assert.deepEqual(await scene.marks('web-0'), ['begun', 'ended', 'next']);
  });
});

describe('cancel', () => {
  // R6.18
  it('starts nothing more, lets running hooks end, and says so again', async () => {
    const scene = await sceneWith('cancel', [exec(gated()), exec(mark('next'))], 'web-0');
    assert.deepEqual(
      (await cancel(scene)).stdout,
      `there has been no run of Restore ${scene.name}: nothing to cancel\n`,
    );
    const run = start(scene);
    await begun(scene, 'web-0');
    for (const ran of [await cancel(scene), await cancel(scene)]) {
      assert.equal(ran.code, 0, ran.stderr);
      assert.match(
        ran.stdout,
        /^run \w+ is asked to stop: within seconds nothing more is started, running hooks end\n$/,
      );
    }
    await scene.runStatus(({ counts }) => counts.notExecuted === 1);
    await scene.open('web-0');
    const ran = await run.done;
    assert.deepEqual([ran.code, ran.json().phase], [11, 'Canceled'], ran.stderr);
    assert.deepEqual(states(ran.json()), ['web-0/0 Succeeded', 'web-0/1 NotExecuted canceled']);
    assert.match((await cancel(scene)).stdout, /^run \w+ has ended \(Canceled\): nothing to cancel\n$/);
    const retried = await retry(scene);
    assert.deepEqual([retried.code, retried.json().phase], [0, 'Completed'], retried.stderr);
    assert.deepEqual(await scene.marks('web-0'), ['begun', 'ended', 'next']);
  });

  // R6.19
  it('--grace drops what still runs', async () => {
    const scene = await sceneWith('grace', [exec(gated())], 'web-0');
    const run = start(scene);
    await begun(scene, 'web-0');
    await cancel(scene, '--grace=1s');
    const ran = await run.done;
    assert.deepEqual([ran.code, ran.json().phase], [11, 'Canceled'], ran.stderr);
    assert.deepEqual(states(ran.json()), ['web-0/0 Unknown canceled']);
    await scene.open('web-0');
  });
});

// R7.84
describe('cancel --wait', { concurrency: true }, () => {
  const waiting = (scene: Scene, ...args: string[]) => e2e.plugin.start('cancel', scene.name, '-n', velero, ...args);

  it("waits for the run's end and exits with its exit code", async () => {
    const scene = await sceneWith('cancel-wait', [exec(gated()), exec(mark('next'))], 'web-0');
    const none = await cancel(scene, '--wait');
    assert.deepEqual(
      [none.code, none.stdout],
      [0, `there has been no run of Restore ${scene.name}: nothing to cancel\n`],
    );
    const run = start(scene, '--no-wait');
    assert.equal((await run.done).code, 0);
    await begun(scene, 'web-0');
    const canceling = waiting(scene, '--wait');
    await canceling.says(/is asked to stop/);
    await scene.runStatus(({ counts }) => counts.notExecuted === 1);
    await scene.open('web-0');
    const ran = await canceling.done;
    assert.equal(ran.code, 11, ran.stderr);
    assert.match(ran.stdout, /^phase +Canceled$/m);
    const ended = await cancel(scene, '--wait=1m');
    assert.equal(ended.code, 0);
    assert.match(ended.stdout, /has ended \(Canceled\): nothing to cancel/);
    assert.deepEqual(await scene.marks('web-0'), ['begun', 'ended']);
  });

  it('gives up after its time, and on Ctrl-C; the run was asked to stop all the same', async () => {
    const scene = await sceneWith('cancel-late', [exec(gated(), { execTimeout: '5m' }), exec(mark('next'))], 'web-0');
    assert.equal((await start(scene, '--no-wait').done).code, 0);
    await begun(scene, 'web-0');
    const late = await cancel(scene, '--wait=2s');
    assert.equal(late.code, 7, late.stderr);
    const rest = 'the run was asked to stop, and its runner does so once it has begun';
    assert.match(late.stderr, new RegExp(`^error: stopped waiting: --wait is over; ${rest}$`, 'm'));
    const interrupted = waiting(scene, '--wait');
    await interrupted.says(/is asked to stop/);
    interrupted.kill('SIGINT');
    const ran = await interrupted.done;
    assert.equal(ran.code, 130, ran.stderr);
    assert.match(ran.stderr, new RegExp(`^error: stopped waiting; ${rest}$`, 'm'));
    await scene.runStatus(({ counts }) => counts.notExecuted === 1);
    await scene.open('web-0');
    await scene.runStatus(({ phase }) => phase === 'Canceled');
  });

  it('follows no other run that has begun meanwhile, and neither do apply and status -w', async () => {
    const scene = await sceneWith('cancel-other', [exec(gated())], 'web-0');
    const run = start(scene);
    await begun(scene, 'web-0');
    const canceling = waiting(scene, '--wait');
    await canceling.says(/is asked to stop/);
    const watching = e2e.plugin.start('status', scene.name, '-n', velero, '-w');
    await scene.runStatus(({ counts }) => counts.running === 1);
    await watching.says(/Running/);
    const status = await scene.runStatus();
    const other = JSON.stringify({ ...status, runID: 'other1', phase: 'Completed' });
    await cluster.patch('restores', velero, scene.name, { metadata: { annotations: { [ANNOTATION.status]: other } } });
    for (const following of [canceling, run, watching]) {
      const ran = await following.done;
      assert.deepEqual([ran.code, ran.stdout], [10, ''], ran.stderr);
      const left = 'run other1 has begun since, and this command leaves it alone';
      assert.match(ran.stderr, new RegExp(`^error: run ${status.runID} is over; ${left}$`, 'm'));
      assert.match(ran.stderr, new RegExp(`status ${scene.name} -n ${velero} --run ${status.runID}$`, 'm'));
    }
    await scene.open('web-0');
  });

  it('of a run that has not begun is canceled at once', async () => {
    const scene = await sceneWith('cancel-unbegun', [exec(mark('never'))], 'web-0');
    const run = start(scene, '--image', NO_IMAGE, '--no-wait');
    assert.equal((await run.done).code, 0);
    const ran = await cancel(scene, '--wait');
    assert.equal(ran.code, 11, ran.stderr);
    assert.match(ran.stderr, /had not begun: it is canceled/);
    assert.deepEqual(await scene.marks('web-0'), []);
  });
});

describe('retry', () => {
  // R6.25
  it('runs what did not succeed, in order, and keeps what did', async () => {
    const flaky = sh('echo tried >> marks; test -e gate');
    const hooks = [exec(mark('first')), exec(flaky, { onError: 'Fail' }), exec(mark('last'))];
    const scene = await sceneWith('retry', hooks, 'web-0');
    const none = await retry(scene);
    assert.deepEqual([none.code, none.stdout], [2, '']);
    assert.match(none.stderr, /^error: there has been no run of Restore/m);
    const first = await scene.apply();
    assert.deepEqual([first.code, first.json().phase], [3, 'PartiallyFailed'], first.stderr);
    await scene.open('web-0');
    const wrong = await retry(scene, '--only', 'no-such');
    assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
    const second = await retry(scene);
    assert.deepEqual([second.code, second.json().phase, second.json().attempt], [0, 'Completed', 2], second.stderr);
    assert.match(second.stderr, /^kept {6}1 hook of earlier runs: not run again$/m);
    assert.deepEqual(await scene.marks('web-0'), ['first', 'tried', 'tried', 'last']);
    assert.deepEqual(
      second.json().hooks.map(({ run, attempt }: Loose) => [run, attempt]),
      [
        [1, 1],
        [2, 2],
        [2, 1],
      ],
    ); // R3.48, R3.49
    assert.equal((await scene.current()).status.phase, 'Completed');
    const third = await retry(scene);
    assert.deepEqual([third.code, third.json().runID], [0, second.json().runID]);
    assert.match(third.stderr, /^every hook has succeeded: there is nothing to retry$/m);
    assert.equal((await scene.apply()).json().runID, second.json().runID);
  });

  it('--only runs one pod, and leaves the others as they are', async () => {
    const scene = await sceneWith('only', [exec(sh('echo tried >> marks; test -e gate'))], 'web-0', 'web-1');
    assert.equal((await scene.apply()).json().phase, 'CompletedWithFailures');
    await scene.open('web-0');
    const ran = await retry(scene, '--only', 'web-0', '--runner=local');
    assert.deepEqual(states(ran.json()), ['web-0/0 Succeeded', 'web-1/0 Failed exit'], ran.stderr);
    assert.deepEqual([await scene.marks('web-0'), await scene.marks('web-1')], [['tried', 'tried'], ['tried']]);
  });
});

describe('the journal', () => {
  // R6.9
  it('is owned by the Restore, and holds no command and no output', async () => {
    const scene = await sceneWith(
      'content',
      [exec(sh('echo secret-output; echo secret-command > /dev/null'))],
      'web-0',
    );
    assert.equal((await scene.apply()).code, 0);
    const [journal] = await journalOf(scene);
    const { uid } = (await scene.current()).metadata;
    assert.deepEqual(
      journal.metadata.ownerReferences.map(({ uid: owner }: Loose) => owner),
      [uid],
    );
    assert.doesNotMatch(JSON.stringify(journal.data), /secret/);
    // Whoever follows the run may end before its runner does.
    const lease = await waitFor('the Lease to be given back', async () => {
      const now = await cluster.get('leases', velero, `restorehooks-${scene.name}`);
      return now.spec.holderIdentity === undefined && now;
    });
    assert.equal(lease.metadata.ownerReferences[0].uid, uid);
  });

  // R6.8
  it('that is not whole ends the run, and starts nothing', { skip: isReal && 'the same on both servers' }, async () => {
    const scene = await sceneWith(
      'damaged',
      [exec(gated(), { execTimeout: LONG_ENOUGH }), exec(mark('next'))],
      'web-0',
    );
    const run = start(scene);
    await begun(scene, 'web-0');
    await waitFor('the start to be durable', async () => Object.keys((await journalOf(scene))[0].data).length > 3);
    const [journal] = await journalOf(scene);
    await scene.killRunner();
    const last =
      Object.keys(journal.data)
        .filter((key) => key.startsWith('b'))
        .sort()
        .at(-1) ?? '';
    await cluster.patch('configMaps', velero, journal.metadata.name, { data: { [last]: null } });
    const ran = await run.done;
    assert.deepEqual([ran.code, ran.json().phase], [10, 'Failed'], ran.stderr);
    assert.match(ran.json().message, /^the run's journal can't be read/);
    assert.deepEqual(await scene.marks('web-0'), ['begun']);
    await scene.open('web-0');
  });
});
