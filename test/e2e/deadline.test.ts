import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { Loose, Scene } from './harness.ts';
import { endings, entry, exec, gated, isReal, mark, NO_IMAGE, startSuite, waitFor } from './harness.ts';

/** The limit of a whole run (R7.82), and going on after it (R7.83). */

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;
/** The second hook must have begun by then. */
const LONG_ENOUGH = isReal ? '1m0s' : '40s';

async function sceneWith(title: string, hooks: readonly object[]): Promise<Scene> {
  const scene = await e2e.scene(title);
  await scene.pod('web-0');
  await scene.restore({ hooks: [entry(hooks)], status: { phase: 'Completed' } });
  return scene;
}
const start = (scene: Scene, ...args: string[]) =>
  e2e.plugin.start('apply', scene.name, '-n', velero, '-o', 'json', ...args);
const hasPassed = (scene: Scene) =>
  scene.runStatus(({ deadline }: Loose) => deadline !== undefined && Date.now() > Date.parse(deadline));
const events = async (scene: Scene): Promise<Loose[]> => {
  const fieldSelector = `involvedObject.name=${scene.name},involvedObject.kind=Restore`;
  return (await cluster.client.listAll(`/api/v1/namespaces/${velero}/events`, { fieldSelector })).items as Loose[];
};

describe('a run whose deadline passes', { concurrency: true }, () => {
  for (const runner of ['job', 'local']) {
    it(`lets what runs end, starts nothing more, ends Failed, and is gone on with (--runner=${runner})`, async () => {
      const scene = await sceneWith(`late-${runner}`, [
        exec(mark('first')),
        exec(gated(), { execTimeout: '5m' }),
        exec(mark('last')),
      ]);
      const apply = start(scene, `--runner=${runner}`, `--deadline=${LONG_ENOUGH}`);
      await waitFor('the second hook', async () => (await scene.marks('web-0')).includes('begun'));
      await hasPassed(scene);
      await scene.open('web-0');
      const ran = await apply.done;
      assert.deepEqual([ran.code, ran.json().phase], [10, 'Failed'], ran.stderr);
      assert.match(
        ran.json().message,
        new RegExp(`^its deadline \\S+Z \\(${LONG_ENOUGH} after it was begun\\) has passed$`),
      );
      const left = { 'web-0 0': 'Succeeded', 'web-0 1': 'Succeeded', 'web-0 2': 'NotExecuted (runner-died)' };
      assert.deepEqual(endings(ran.json()), left);
      const shown = await scene.status();
      assert.deepEqual([shown.code, shown.json().phase, endings(shown.json())], [0, 'Failed', left]);
      assert.deepEqual([shown.json().deadline, shown.json().counts.notExecuted], [ran.json().deadline, 1]);
      const told = await waitFor('the Event', async () =>
        (await events(scene)).find(({ reason }) => reason === 'RestoreHooksFailed'),
      );
      assert.match(told.message, /its deadline .* has passed/);
      const again =
        runner === 'job' ? await scene.apply() : await e2e.plugin('retry', scene.name, '-n', velero, '-o', 'json');
      assert.deepEqual([again.code, again.json().phase], [0, 'Completed'], again.stderr);
      assert.deepEqual(await scene.marks('web-0'), ['first', 'begun', 'ended', 'last']);
    });
  }

  it('is over for the next runner too, which starts nothing, and for whoever follows', async () => {
    const scene = await sceneWith('late-next', [exec(gated(), { execTimeout: '5m' }), exec(mark('last'))]);
    const apply = start(scene, `--deadline=${LONG_ENOUGH}`);
    await waitFor('the first hook', async () => (await scene.marks('web-0')).includes('begun'));
    await scene.killRunner();
    const ran = await apply.done;
    assert.deepEqual([ran.code, ran.json().phase], [10, 'Failed'], ran.stderr);
    assert.match(ran.json().message, /its deadline/);
    assert.deepEqual(endings(ran.json()), {
      'web-0 0': 'Unknown (runner-died)',
      'web-0 1': 'NotExecuted (runner-died)',
    });
    assert.deepEqual(await scene.marks('web-0'), ['begun']);
    await scene.open('web-0');
  });

  it('before its runner is up is given up by who follows it, and the next apply starts anew', async () => {
    const scene = await sceneWith('late-image', [exec(mark('warm'))]);
    const ran = await scene.apply('--image', NO_IMAGE, '--deadline=6s');
    assert.deepEqual([ran.code, ran.json().phase], [10, 'Failed'], ran.stderr);
    assert.match(
      ran.json().message,
      /^its deadline \S+ \(6s after it was begun\) has passed; the runner doesn't start: /,
    );
    assert.deepEqual(await scene.jobs(), []);
    const again = await scene.apply();
    assert.deepEqual([again.code, again.json().phase], [0, 'Completed'], again.stderr);
    assert.deepEqual(await scene.marks('web-0'), ['warm']);
  });

  it('has no effect on one that ends in time; a deadline that is none is exit 2', async () => {
    const scene = await sceneWith('in-time', [exec(mark('warm'))]);
    for (const wrong of ['0', '-1s', '5', 'soon']) {
      const refused = await scene.apply(`--deadline=${wrong}`);
      assert.equal(refused.code, 2, refused.stderr);
      assert.match(refused.stderr, /for --deadline: expected a duration above 0, such as 30s or 1m30s/);
    }
    const ran = await scene.apply('--deadline=10m');
    assert.deepEqual([ran.code, ran.json().phase, ran.json().message], [0, 'Completed', undefined], ran.stderr);
  });
});
