import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { Loose, Scene, Started } from './harness.ts';
import { entry, exec, mark, sh, startSuite, waitFor } from './harness.ts';
import { assertUntouched } from './untouched.ts';

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;
const at = ['-n', velero];

/** A hook that ends when the test lets it. */
const held = sh('echo started >> marks; while [ ! -e go ]; do sleep 0.1; done; echo ended >> marks');
const letGo = (scene: Scene) => cluster.exec(scene.namespace, 'web-0', 'main', ['touch', 'go']);
const begun = (scene: Scene) =>
  waitFor('the hook to start', async () => (await scene.marks('web-0')).includes('started'));

async function heldScene(title: string): Promise<Scene> {
  const scene = await e2e.scene(title);
  await scene.pod('web-0');
  await scene.restore({
    hooks: [entry([exec(held, { execTimeout: '5m' }), exec(mark('next'))])],
    status: { phase: 'Completed' },
  });
  return scene;
}

/** The run went on without its follower: it ends, and each hook was run once. */
async function goesOn(scene: Scene): Promise<void> {
  assert.equal((await scene.status()).json().phase, 'InProgress');
  await letGo(scene);
  const watched = await scene.status('-w');
  assert.deepEqual([watched.code, watched.json().phase], [0, 'Completed'], watched.stderr);
  assert.deepEqual(await scene.marks('web-0'), ['started', 'ended', 'next']);
}

describe('a follower that goes', () => {
  // R7.3
  it('--no-wait returns as soon as the Job is created', async () => {
    const scene = await heldScene('no-wait');
    const { code, json, stderr } = await scene.apply('--no-wait');
    assert.deepEqual([code, json().phase], [0, 'Pending'], stderr);
    await begun(scene);
    await goesOn(scene);
    const local = await scene.apply('--no-wait', '--runner=local');
    assert.equal(local.code, 2);
  });

  // R7.4
  it('--timeout: exit 7, and the run goes on', async () => {
    const scene = await heldScene('timeout');
    // --timeout counts from the command's start, and on a busy machine creating the Job takes a part of it.
    const { code, stdout, stderr } = await scene.apply('--timeout=10s');
    assert.deepEqual([code, stdout], [7, '']);
    assert.match(stderr, /^error: stopped following: --timeout is over; the run goes on$/m);
    assert.match(
      stderr,
      new RegExp(`^hint: see it with: kubectl restorehooks status ${scene.name} -n ${velero} -w$`, 'm'),
    );
    await begun(scene);
    await goesOn(scene);
  });

  const leave = async (title: string, go: (plugin: Started) => void): Promise<[Scene, Awaited<Started['done']>]> => {
    const scene = await heldScene(title);
    const plugin = e2e.plugin.start('apply', scene.name, ...at);
    await plugin.says(/^run +\w+: Job \S+ created$/m);
    await begun(scene);
    go(plugin);
    return [scene, await plugin.done];
  };

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // R7.4
    it(`${signal}: exit 130, and the run goes on`, async () => {
      const [scene, { code, stdout, stderr }] = await leave(signal.toLowerCase(), (plugin) => plugin.kill(signal));
      assert.deepEqual([code, stdout], [130, '']);
      assert.match(stderr, /^error: stopped following; the run goes on$/m);
      assert.match(stderr, new RegExp(`^hint: .*restorehooks status ${scene.name} -n ${velero} -w$`, 'm'));
      for (const [command, more] of [
        ['cancel', ''],
        ['logs', ' -f'],
      ]) {
        assert.match(stderr, new RegExp(`: +kubectl restorehooks ${command} ${scene.name} -n ${velero}${more}$`, 'm'));
      }
      await goesOn(scene);
    });
  }

  it('a terminal that is closed: the run goes on', async () => {
    const [scene] = await leave('closed', ({ child, kill }) => {
      child.stdout?.destroy();
      child.stderr?.destroy();
      kill('SIGHUP');
    });
    await goesOn(scene);
  });

  it('killed: the run goes on', async () => {
    const [scene, { code }] = await leave('killed', (plugin) => plugin.kill('SIGKILL'));
    assert.equal(code, null);
    await goesOn(scene);
  });

  it('stdout that nobody reads is no failure', async () => {
    const scene = await heldScene('head');
    const apply = e2e.plugin.start('apply', scene.name, ...at);
    apply.child.stdout?.destroy();
    await begun(scene);
    await letGo(scene);
    const { code, stderr } = await apply.done;
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stderr, /bug|EPIPE/);
    for (const args of [['plan'], ['status'], ['status', '-w'], ['status', '-o', 'json']]) {
      const [command = '', ...more] = args;
      const plugin = e2e.plugin.start(command, scene.name, ...at, ...more);
      plugin.child.stdout?.destroy();
      const ran = await plugin.done;
      assert.deepEqual([ran.code, ran.stderr], [0, ''], args.join(' '));
    }
  });
});

describe('status', () => {
  // R7.8
  it('no run yet: says so, without a phase', async () => {
    const scene = await e2e.scene('no-run');
    await scene.restore({ hooks: [entry(exec(mark('a')))] });
    const { code, json } = await scene.status();
    assert.equal(code, 0);
    assert.deepEqual([json().kind, json().hooks, 'phase' in json()], ['RestoreHookRun', [], false]);
    const human = await e2e.plugin('status', scene.name, ...at);
    assert.deepEqual([human.code, human.stdout], [0, `no run of Restore ${velero}/${scene.name} yet\n`]);
    assert.equal((await scene.status('-w')).code, 0);
    await assertUntouched(e2e, scene);
  });

  // R7.10
  it('-w ends with the code of the run, also of one that has ended', async () => {
    const scene = await e2e.scene('watch');
    await scene.pod('web-0');
    const script = 'echo started >> marks; while [ ! -e go ]; do sleep 0.1; done; exit 9';
    await scene.restore({ hooks: [entry(exec(sh(script), { onError: 'Fail' }))], status: { phase: 'Completed' } });
    assert.equal((await scene.apply('--no-wait')).code, 0);
    await begun(scene);
    const watcher = e2e.plugin.start('status', scene.name, ...at, '-w', '-o', 'json');
    const interrupted = e2e.plugin.start('status', scene.name, ...at, '-w');
    await watcher.says(/Running/);
    await interrupted.says(/Running/);
    interrupted.kill('SIGINT');
    assert.equal((await interrupted.done).code, 130);
    await letGo(scene);
    const { code, json, stderr } = await watcher.done;
    assert.deepEqual([code, json().phase, json().hooks[0].exitCode], [3, 'PartiallyFailed', 9], stderr);
    assert.equal((await scene.status('-w')).code, 3);
    assert.equal((await scene.status()).code, 0, 'it could answer');
    assert.equal((await scene.current()).status.phase, 'PartiallyFailed');
  });

  // R7.9
  it('says for what a hook waits, and until when', async () => {
    const scene = await e2e.scene('waits');
    await scene.pod('web-0');
    await scene.pod('stuck-0', { containers: [{ name: 'main', image: 'no-such.invalid/image:1' }], wait: false });
    await scene.restore({
      hooks: [
        entry([exec(held, { execTimeout: '5m', waitTimeout: '10m' }), exec(mark('next'), { waitTimeout: '10m' })]),
      ],
      status: { phase: 'Completed' },
    });
    assert.equal((await scene.apply('--no-wait')).code, 0);
    await begun(scene);
    const rows = await waitFor('the report', async () => {
      const { hooks } = (await scene.status()).json();
      const waiting = hooks
        .filter(({ state }: Loose) => state === 'Waiting')
        .map(({ message }: Loose) => message ?? '');
      return waiting.some((text: string) => /ErrImagePull|ImagePullBackOff/.test(text)) && hooks;
    });
    const messageOf = (pod: string, index: number): string =>
      rows.find((row: Loose) => row.pod === pod && row.index === index).message;
    const until = /, until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
    assert.match(messageOf('stuck-0', 0), /^waiting for container main to run \((ErrImagePull|ImagePullBackOff)\b/);
    assert.match(messageOf('stuck-0', 1), new RegExp(`^waiting for hook ${scene.namespace}/stuck-0/main/e2e/0`));
    assert.match(messageOf('web-0', 1), new RegExp(`^waiting for hook ${scene.namespace}/web-0/main/e2e/0`));
    for (const [pod, index] of [
      ['stuck-0', 0],
      ['stuck-0', 1],
      ['web-0', 1],
    ] as const)
      assert.match(messageOf(pod, index), until);
    const human = await e2e.plugin('status', scene.name, ...at);
    assert.match(human.stdout, /^progress +\d\/4 done, 1 running, 3 waiting$/m);
    await cluster.remove('restores', velero, scene.name);
  });
});

describe('a Restore that is deleted in mid-run', () => {
  // R5.2
  it('stops the run, and takes all that belongs to it along', async () => {
    const scene = await heldScene('deleted');
    const follower = e2e.plugin.start('apply', scene.name, ...at);
    await begun(scene);
    const label = `restorehooks.io/restore=${scene.name}`;
    const [pod] = await cluster.list('pods', velero, label);
    await cluster.remove('restores', velero, scene.name);
    const { code, stderr } = await follower.done;
    assert.equal(code, 10, stderr);
    assert.match(stderr, new RegExp(`^error: Restore ${scene.name} in namespace ${velero} was deleted`, 'm'));
    await waitFor('the runner to hear of it', async () =>
      /asked to end|the Restore was deleted|is being deleted/.test(await cluster.log(velero, pod.metadata.name)),
    );
    await letGo(scene);
    await waitFor('the garbage collector', async () => {
      const left = await Promise.all(['secrets', 'jobs', 'pods'].map((each) => cluster.list(each, velero, label)));
      return left.flat().length === 0;
    });
    assert.ok(!(await scene.marks('web-0')).includes('next'), 'nothing more is started');
  });
});
