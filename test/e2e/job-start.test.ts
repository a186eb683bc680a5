import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import type { Loose, Ran, Scene, Started, Suite } from './harness.ts';
import { entry, exec, isReal, mark, startSuite, waitFor } from './harness.ts';

/** Jobs whose pod doesn't start: reported at once, given up if waiting can't help, and started anew (R7.18, R7.19). */

const onlyReal = !isReal && 'needs a real cluster';
const e2e = await startSuite();
after(() => e2e.close());

/** A suite with its own namespace for Restores, so that only this test's Job is kept from starting. */
async function ownSuite(): Promise<Suite> {
  const suite = await startSuite();
  after(() => suite.close());
  return suite;
}

async function oneHook(suite: Suite, title: string): Promise<Scene> {
  const scene = await suite.scene(title);
  await scene.pod('web-0');
  await scene.restore({ hooks: [entry(exec(mark('warm')))] });
  return scene;
}

const start = (suite: Suite, scene: Scene, ...args: string[]): Started =>
  suite.plugin.start('apply', scene.name, '-n', suite.velero, '-o', 'json', ...args);

/** The reason is printed while the run is still pending and not given up. */
async function assertTold(scene: Scene, run: Started, line: RegExp): Promise<void> {
  await run.says(line);
  assert.equal((await scene.annotations())['phase'], 'Pending');
}

/** The run was given up: exit 10, phase Failed with the reason, no hook run, and only the annotations left. */
async function assertGivenUp({ cluster, velero }: Suite, scene: Scene, ran: Ran, reason: RegExp): Promise<void> {
  assert.equal(ran.code, 10, ran.stderr);
  const run = ran.json();
  assert.equal(run.phase, 'Failed');
  assert.match(run.message, reason);
  assert.deepEqual([run.counts.planned, run.counts.notExecuted, run.counts.waiting], [1, 1, 0]);
  const { phase, progress } = await scene.annotations();
  assert.deepEqual([phase, progress], ['Failed', '1/1 done, 1 not executed']);
  const left = async () => [
    ...(await scene.jobs()),
    ...(await cluster.list('pods', velero, `restorehooks.io/run-id=${run.runID}`)),
    ...(await cluster.list('secrets', velero, `restorehooks.io/run-id=${run.runID}`)),
  ];
  await waitFor('the Job to go, with what is its own', async () => (await left()).length === 0);
  assert.deepEqual(await scene.marks('web-0'), []);
  const shown = await scene.status();
  assert.deepEqual([shown.code, shown.json().phase], [0, 'Failed']);
}

/** The next `apply` starts anew, and everything runs. */
async function assertBeginsAnew(scene: Scene): Promise<void> {
  const again = await scene.apply();
  assert.deepEqual([again.code, again.json().phase, again.json().attempt], [0, 'Completed', 2], again.stderr);
  assert.deepEqual(await scene.marks('web-0'), ['warm']);
}

const RUNNER_POD = 'batch.kubernetes.io/job-name';

describe('a Job that does not start', { concurrency: true }, () => {
  // R7.18
  it('an image that can not be pulled', async () => {
    const scene = await oneHook(e2e, 'no-image');
    const run = start(e2e, scene, '--image', 'no.such.host.invalid/x:1');
    const line = /^warning: the runner doesn't start: (ErrImagePull|ImagePullBackOff): .*no\.such\.host\.invalid\/x:1/m;
    await assertTold(scene, run, line);
    await assertGivenUp(e2e, scene, await run.done, /ErrImagePull|ImagePullBackOff/);
    // R7.86
    const fieldSelector = `involvedObject.name=${scene.name},involvedObject.kind=Restore`;
    const events = await e2e.cluster.client.listAll(paths.events(e2e.velero), { fieldSelector });
    assert.deepEqual(
      (events.items as Loose[]).map(({ reason, message }) => [reason, /doesn't start: \w+/.test(message)]),
      [['RestoreHooksFailed', true]],
    );
    await assertBeginsAnew(scene);
  });

  it('an image that can not be pulled, with a pull secret that is not there', async () => {
    const scene = await oneHook(e2e, 'no-secret');
    const run = start(e2e, scene, '--image', 'no.such.host.invalid/x:1', '--image-pull-secret', 'no-such-secret');
    await assertTold(scene, run, /^warning: the runner doesn't start: (ErrImagePull|ImagePullBackOff)/m);
    const [job] = await scene.jobs();
    assert.deepEqual(job.spec.template.spec.imagePullSecrets, [{ name: 'no-such-secret' }]);
    await assertGivenUp(e2e, scene, await run.done, /ErrImagePull|ImagePullBackOff/);
    await assertBeginsAnew(scene);
  });

  it('an image whose name is none', { skip: onlyReal }, async () => {
    const scene = await oneHook(e2e, 'bad-name');
    const run = start(e2e, scene, '--image', 'Not/An:Image:At:All');
    await assertTold(scene, run, /^warning: the runner doesn't start: InvalidImageName: /m);
    await assertGivenUp(e2e, scene, await run.done, /InvalidImageName/);
    await assertBeginsAnew(scene);
  });

  // R8.4
  it('an image that is no runner: over at once, nothing run', { skip: onlyReal }, async () => {
    const scene = await oneHook(e2e, 'no-runner');
    const ran = await scene.apply('--image', 'testbed.local/busybox:1');
    assert.deepEqual([ran.code, ran.json().phase], [10, 'Failed'], ran.stderr);
    assert.deepEqual([ran.json().counts.notExecuted, ran.json().counts.waiting], [1, 0], ran.stdout);
    assert.deepEqual(await scene.marks('web-0'), []);
    await assertBeginsAnew(scene);
  });

  // A real kubelet accepts our Job's configuration with any image, so the embedded one is told to refuse it.
  it('a container that can not be configured', {
    skip: isReal && 'needs a cluster that does as it is told',
  }, async () => {
    const scene = await oneHook(e2e, 'no-config');
    const run = start(e2e, scene, '--image', 'no.such.host.invalid/x:1');
    const pod = await waitFor('the runner', async () => {
      const [job] = await scene.jobs();
      if (job === undefined) return undefined;
      return (await e2e.cluster.list('pods', e2e.velero, `${RUNNER_POD}=${job.metadata.name}`))[0];
    });
    const waiting = { reason: 'CreateContainerConfigError', message: 'secret "nowhere" not found' };
    const status = {
      name: 'runner',
      image: 'x',
      imageID: '',
      ready: false,
      restartCount: 0,
      started: false,
      state: { waiting },
      lastState: {},
    };
    e2e.cluster.embedded?.pods.setStatus(e2e.velero, pod.metadata.name, { containerStatuses: [status] });
    await assertTold(scene, run, /^warning: .*: CreateContainerConfigError: secret "nowhere" not found$/m);
    await assertGivenUp(e2e, scene, await run.done, /CreateContainerConfigError/);
    await assertBeginsAnew(scene);
  });

  it('a run that is given up is followed by a second apply, which ends alike', async () => {
    const scene = await oneHook(e2e, 'two');
    const first = start(e2e, scene, '--image', 'no.such.host.invalid/x:1');
    await first.says(/Job .* created/);
    const second = start(e2e, scene);
    await second.says(/is going already; following it/);
    assert.deepEqual([(await first.done).code, (await second.done).code], [10, 10]);
    await assertBeginsAnew(scene);
  });

  // PodSecurity `restricted` admits our Job, so these are other refusals of a pod.
  for (const [title, manifest, reason] of [
    ['a quota', { kind: 'ResourceQuota', spec: { hard: { pods: '0' } } }, /exceeded quota: refuses/],
    [
      'an admission rule',
      { kind: 'LimitRange', spec: { limits: [{ type: 'Container', max: { memory: '16Mi' } }] } },
      /memory/,
    ],
  ] as const) {
    it(`${title} that refuses the pod`, { skip: onlyReal }, async () => {
      const suite = await ownSuite();
      const { client } = suite.cluster;
      const scene = await oneHook(suite, 'refused');
      const path = `${paths.namespaces(suite.velero)}/${manifest.kind.toLowerCase()}s`;
      await client.create(path, { apiVersion: 'v1', metadata: { name: 'refuses' }, ...manifest });
      const run = start(suite, scene);
      await assertTold(scene, run, new RegExp(`^warning: .*: FailedCreate: .*${reason.source}`, 'm'));
      await assertGivenUp(suite, scene, await run.done, reason);
      await client.delete(`${path}/refuses`);
      await assertBeginsAnew(scene);
    });
  }

  // R7.19
  it('a pod that finds no node is waited for', { skip: onlyReal }, async () => {
    const suite = await ownSuite();
    const { client } = suite.cluster;
    const scene = await oneHook(suite, 'no-node');
    const resource = `restorehooks.test/${suite.velero}`;
    const spec = { limits: [{ type: 'Container', default: { [resource]: '1' }, defaultRequest: { [resource]: '1' } }] };
    const limitRange = { apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'asks' }, spec };
    await client.create(`${paths.namespaces(suite.velero)}/limitranges`, limitRange);
    const [node] = (await client.listAll('/api/v1/nodes')).items as Loose[];
    const capacity = (value: string | null) =>
      client.patch(
        `/api/v1/nodes/${node.metadata.name}/status`,
        { status: { capacity: { [resource]: value } } },
        'merge',
      );

    const run = start(suite, scene);
    await assertTold(scene, run, /^warning: .*: Unschedulable: .*Insufficient restorehooks\.test\//m);
    // Longer than the 30 seconds after which a Job is given up that can't start by itself.
    await delay(33_000);
    assert.equal((await scene.annotations())['phase'], 'Pending');
    await capacity('1');
    const ran = await run.done;
    await capacity(null);
    assert.deepEqual([ran.code, ran.json().phase, ran.json().attempt], [0, 'Completed', 1], ran.stderr);
    assert.deepEqual(await scene.marks('web-0'), ['warm']);
  });
});

describe('a Job that could not start, after a run that did something', () => {
  it('leaves the hooks that succeeded before as they are', async () => {
    const scene = await oneHook(e2e, 'kept');
    assert.equal((await scene.apply()).code, 0);
    await scene.pod('web-1');
    assert.equal((await scene.apply('--image', 'no.such.host.invalid/x:1')).code, 10);
    const ran = await scene.apply();
    assert.deepEqual([ran.code, ran.json().phase, ran.json().attempt], [0, 'Completed', 3], ran.stderr);
    for (const pod of ['web-0', 'web-1']) assert.deepEqual(await scene.marks(pod), ['warm']);
  });
});
