import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { Loose, Scene } from './harness.ts';
import { endings, entry, exec, mark, sh, startSuite, waitFor } from './harness.ts';

/** Hooks that are started again when they have failed. */

const e2e = await startSuite();
after(() => e2e.close());
const { velero } = e2e;

/** Fails until the test opens the container's gate. */
const check = sh('echo tried >> marks; test -f gate');

async function sceneWith(title: string, ...hooks: readonly object[]) {
  return started(title, [entry(hooks)]);
}
async function started(title: string, entries: readonly object[], ...flags: string[]) {
  const scene = await e2e.scene(title);
  await scene.pod('web-0');
  await scene.restore({ status: { phase: 'Completed' } });
  const file = await scene.hooksFile(entries);
  const argv = ['apply', scene.name, '-n', velero, '-o', 'json', '--hooks', file, ...flags];
  return { scene, argv, run: e2e.plugin.start(...argv) };
}
const tried = (scene: Scene, times: number) =>
  waitFor(`${times} starts`, async () => (await scene.marks('web-0')).length >= times);
/** The first hook in its pause, as `status` shows it. */
const inPause = (scene: Scene): Promise<Loose> =>
  waitFor('a pause', async () => {
    const [hook] = (await scene.status()).json().hooks;
    return /^waiting for attempt/.test(hook?.message ?? '') && hook;
  });

describe('a hook with attempts', { concurrency: true }, () => {
  // R3.54, R3.57
  it('goes on with what is left of them when its runner is killed in a pause', async () => {
    const retry = { attempts: 3, delay: '25s' };
    const { scene, run } = await sceneWith('pause', exec(check, { retry }), exec(mark('next')));
    await tried(scene, 1);
    const { message, attempt } = await inPause(scene);
    assert.match(message, /^waiting for attempt 2 of 3, at \S+: the last one exited with 1$/);
    assert.equal(attempt, 2);
    await scene.killRunner();
    await scene.open('web-0');
    const ran = await run.done;
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    assert.equal(ran.json().hooks[0].attempt, 2);
    assert.deepEqual(await scene.marks('web-0'), ['tried', 'tried', 'next']);
  });

  // R3.51, R3.53, R3.80
  it('that is detached and whose runner is killed within a start has this start counted once', async () => {
    const script = sh(
      'echo tried >> marks; n=$(wc -l < marks); [ $n -lt 2 ] || while [ ! -f gate ]; do sleep 0.1; done; exit $((5 - n))',
    );
    const retry = { attempts: 5, delay: '100ms' };
    const { scene, run } = await sceneWith('start', exec(script, { retry, detach: true, execTimeout: '5m' }));
    await tried(scene, 2);
    await scene.runStatus(({ counts }) => counts.running === 1);
    await scene.killRunner();
    await scene.open('web-0');
    const ran = await run.done;
    assert.deepEqual([ran.code, ran.json().phase, ran.json().hooks[0].attempt], [0, 'Completed', 5], ran.stderr);
    assert.equal((await scene.marks('web-0')).length, 5);
  });

  // R3.56
  it('that is canceled in a pause has the result of its last start', async () => {
    const { scene, run } = await sceneWith(
      'cancel',
      exec(check, { retry: { attempts: 5, delay: '10m', maxDelay: '10m' } }),
    );
    await inPause(scene);
    assert.equal((await e2e.plugin('cancel', scene.name, '-n', velero)).code, 0);
    const ran = await run.done;
    assert.deepEqual([ran.code, endings(ran.json())], [11, { 'web-0 0': 'Failed (exit)' }], ran.stderr);
    assert.match(ran.json().hooks[0].message, /attempt 1 of 5; no further one was made: the run was canceled/);
  });

  // R3.58
  it('that is a gate and is suspended in a pause is left to retry, as the next apply says', async () => {
    const gate = exec(check, { onError: 'Fail', retry: { attempts: 2, delay: '5m', maxDelay: '5m' } });
    const entries = [entry(gate), entry(exec(mark('next')), { name: 'next', wave: 1 })];
    const { scene, argv, run } = await started('suspended', entries, '--runner=local');
    await inPause(scene);
    run.kill('SIGINT');
    assert.equal((await run.done).code, 130);
    const applied = await e2e.plugin(...argv);
    assert.deepEqual([applied.code, applied.json().phase], [10, 'Failed'], applied.stderr);
    assert.match(applied.json().message, /^it was suspended at \S+, and what it left is for retry to run$/);
    const states = applied.json().hooks.map(({ state, reason }: Loose) => `${state} (${reason})`);
    assert.deepEqual(states, ['Failed (exit)', 'NotExecuted (runner-died)']);
    assert.deepEqual((await scene.status()).json().phase, 'Failed');
    await scene.open('web-0');
    const retried = await e2e.plugin('retry', scene.name, '-n', velero, '--runner=local');
    assert.equal(retried.code, 0, retried.stderr);
    assert.deepEqual(await scene.marks('web-0'), ['tried', 'tried', 'next']);
  });

  // R3.52, R3.55
  it('is a gate that closes only when the last of them has failed', async () => {
    const gate = exec(check, { onError: 'Fail', retry: { attempts: 3, delay: '100ms' } });
    const { scene, run } = await sceneWith('gate', gate, exec(mark('next')));
    const ran = await run.done;
    assert.deepEqual([ran.code, ran.json().phase], [3, 'PartiallyFailed'], ran.stderr);
    assert.deepEqual(endings(ran.json()), { 'web-0 0': 'Failed (exit)', 'web-0 1': 'NotExecuted (aborted)' });
    assert.deepEqual(await scene.marks('web-0'), ['tried', 'tried', 'tried']);
  });
});
