import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { runnerRules, setupManifests } from '../../shared/core/manifests/rbac.ts';
import type { Loose, Scene } from './harness.ts';
import { exec, hooksOf, isReal, mark, sh, startSuite, waitFor } from './harness.ts';

const e2e = await startSuite();
after(() => e2e.close());

/** The Events that the scene's Restore has, as `kubectl describe` looks for them, in the order of the run. */
async function eventsOf(scene: Scene): Promise<Loose[]> {
  const { uid } = (await scene.current()).metadata;
  const fieldSelector = `involvedObject.name=${scene.name},involvedObject.kind=Restore,involvedObject.uid=${uid}`;
  const { items } = await e2e.cluster.client.listAll(`/api/v1/namespaces/${e2e.velero}/events`, { fieldSelector });
  const order = ['started', 'hook-failed', 'ended'];
  const place = ({ metadata }: Loose) => order.indexOf(metadata.name.split('.').at(-1));
  return (items as Loose[]).sort((one, other) => place(one) - place(other));
}

async function failing(title: string): Promise<Scene> {
  const scene = await e2e.scene(title);
  await scene.pod('web-0', { labels: { app: 'web' } });
  await scene.pod('db-0', { labels: { app: 'db' } });
  await scene.restore({
    hooks: [
      hooksOf('web', exec(mark('warm'))),
      hooksOf('db', exec(sh('echo hunter2 >&2; exit 3'), { onError: 'Fail' }), exec(mark('never'))),
    ],
  });
  return scene;
}

// R5.23
describe('the Events of a Restore', () => {
  for (const runner of ['job', 'local']) {
    it(`tell the start, the first failure and the end of a run (--runner=${runner})`, async () => {
      const scene = await failing(`events-${runner}`);
      assert.equal((await scene.apply(`--runner=${runner}`)).code, 3);
      // A runner writes the last Event once the status tells the end, so apply may be over before.
      const events = await waitFor('the Event of the end', async () => {
        const found = await eventsOf(scene);
        return found.length > 2 && found;
      });
      const { runID } = await scene.runStatus();
      const hook = `${scene.namespace}/db-0/main/db/0`;
      assert.deepEqual(
        events.map(({ type, reason, message, source }) => [type, reason, message, source.component]),
        [
          ['Normal', 'RestoreHooksStarted', `run ${runID} (attempt 1) has started: 3 hooks in 2 pods`],
          [
            'Warning',
            'RestoreHooksHookFailed',
            `run ${runID}: hook ${hook} did not succeed and has onError: Fail; no further hook is started`,
          ],
          [
            'Warning',
            'RestoreHooksPartiallyFailed',
            `run ${runID} has ended: 3/3 done, 1 failed, 1 not executed; the first failure is hook ${hook}: Failed (exit 3)`,
          ],
        ].map((event) => [...event, 'restorehooks']),
      );
      assert.ok(!JSON.stringify(events).includes('hunter2'));
    });
  }

  // R5.24
  it('are missing if the runner lacks the right, which apply says before, and the log once', async () => {
    const scene = await failing('events-no-right');
    const serviceAccount = `no-events-${scene.name}`;
    const rules = runnerRules().filter(({ optional }) => !optional);
    const place = { namespace: e2e.velero, podNamespaces: [scene.namespace] };
    const manifests = setupManifests({ ...place, serviceAccount }, rules);
    for (const manifest of manifests) await e2e.cluster.create(manifest);
    const ran = await scene.apply('--service-account', serviceAccount);
    assert.deepEqual([ran.code, ran.json().phase], [3, 'PartiallyFailed'], ran.stderr);
    assert.match(
      ran.stderr,
      new RegExp(
        `^rights +the runner may not create events in namespace ${e2e.velero}: kubectl restorehooks setup --apply -n ${e2e.velero} --service-account ${serviceAccount} --namespaces ${scene.namespace}$`,
        'm',
      ),
    );
    assert.deepEqual(await eventsOf(scene), []);
    const [job] = await scene.jobs();
    const [pod] = await e2e.cluster.list('pods', e2e.velero, `batch.kubernetes.io/job-name=${job.metadata.name}`);
    const log = await e2e.cluster.log(e2e.velero, pod.metadata.name);
    assert.equal(log.split('\n').filter((line) => line.includes('no event could be written')).length, 1, log);
  });

  it('are shown by kubectl describe', { skip: !isReal && 'needs kubectl' }, async () => {
    const { execFileSync } = await import('node:child_process');
    const scene = await failing('events-described');
    await scene.apply();
    const args = ['describe', 'restores.velero.io', scene.name, '-n', e2e.velero];
    const told = execFileSync('kubectl', args, { encoding: 'utf8' });
    for (const line of ['Normal +RestoreHooksStarted', 'Warning +RestoreHooksPartiallyFailed']) {
      assert.match(told, new RegExp(`^Events:\\n[\\s\\S]*^ +${line} +\\S+ +restorehooks +run `, 'm'));
    }
  });
});
