import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { Loose } from './harness.ts';
import { entry, exec, gated, mark, NO_IMAGE, startSuite, waitFor } from './harness.ts';

/** Containers that aren't up yet, won't come up, or go away. */

const e2e = await startSuite();
after(() => e2e.close());

const results = ({ hooks }: Loose): string[] =>
  hooks.map(({ pod, state, reason }: Loose) => [pod, state, reason].filter(Boolean).join(' '));
const readyOnFile = { exec: { command: ['test', '-f', 'ready'] }, periodSeconds: 1 };

describe('waiting', { concurrency: 4 }, () => {
  // R3.14
  it('waits until the container is ready, and says so', async () => {
    const scene = await e2e.scene('ready');
    await scene.pod('web-0', { containers: [{ name: 'main', readinessProbe: readyOnFile }] });
    await scene.restore({ hooks: [entry(exec(mark('ready'), { waitForReady: true, waitTimeout: '2m' }))] });
    const going = scene.apply();
    const waiting = await waitFor('the row', async () => {
      const { hooks } = (await scene.status()).json();
      return hooks.find(({ message = '' }: Loose) => /ready/i.test(message));
    });
    assert.equal(waiting.state, 'Waiting');
    assert.deepEqual(await scene.marks('web-0'), []);
    await scene.open('web-0', 'main', 'ready');
    const ran = await going;
    assert.deepEqual([ran.code, results(ran.json())], [0, ['web-0 Succeeded']], ran.stderr);
    assert.deepEqual(await scene.marks('web-0'), ['ready']);
  });

  // R3.17
  it('never runs a hook past its waitTimeout', async () => {
    const scene = await e2e.scene('unready');
    await scene.pod('web-0', { containers: [{ name: 'main', readinessProbe: readyOnFile }] });
    await scene.restore({
      hooks: [
        entry([exec(mark('late'), { waitForReady: true, waitTimeout: '1s' }), exec(mark('next'))], { name: 'web' }),
      ],
    });
    const ran = await scene.apply();
    assert.deepEqual([ran.code, ran.json().phase], [0, 'CompletedWithFailures'], ran.stderr);
    assert.deepEqual(results(ran.json()), ['web-0 TimedOut waiting', 'web-0 Succeeded']);
    await scene.open('web-0', 'main', 'ready');
    assert.deepEqual(await scene.marks('web-0'), ['next']);
  });

  it("gives up at waitTimeout where an image can't be pulled, and there alone", async () => {
    const scene = await e2e.scene('image');
    await scene.pod('bad-0', { containers: [{ name: 'main', image: NO_IMAGE }], wait: false });
    await scene.pod('good-0');
    await scene.restore({ hooks: [entry(exec(mark('warm'), { waitTimeout: '4s' }))] });
    const ran = await scene.apply();
    assert.deepEqual([ran.code, ran.json().phase], [0, 'CompletedWithFailures'], ran.stderr);
    assert.deepEqual(results(ran.json()), ['bad-0 TimedOut waiting', 'good-0 Succeeded']);
    assert.deepEqual(await scene.marks('good-0'), ['warm']);
  });

  it("runs other pods' hooks meanwhile, says what is waited for, and ends with the pod", async () => {
    const scene = await e2e.scene('deleted');
    await scene.pod('bad-0', { containers: [{ name: 'main', image: NO_IMAGE }], wait: false });
    await scene.pod('good-0');
    await scene.restore({ hooks: [entry(exec(mark('warm')))] });
    const going = scene.apply();
    await waitFor('the good pod', async () => (await scene.marks('good-0')).length === 1);
    await waitFor('what is waited for', async () => {
      const { hooks } = (await scene.status()).json();
      return hooks.some(({ pod, message = '' }: Loose) => pod === 'bad-0' && /ImagePull/.test(message));
    });
    await scene.removePod('bad-0');
    const ran = await going;
    assert.deepEqual([ran.code, ran.json().phase], [0, 'CompletedWithFailures'], ran.stderr);
    assert.deepEqual(results(ran.json()), ['bad-0 NotExecuted pod-deleted', 'good-0 Succeeded']);
  });

  it('runs nothing in a container that crashes again and again', async () => {
    const scene = await e2e.scene('crash');
    await scene.restore({ hooks: [entry(exec(mark('warm'), { waitTimeout: '3s' }))] });
    const crashing = scene.podManifest('bad-0', { containers: [{ name: 'main', command: ['sh', '-c', 'exit 1'] }] });
    await e2e.cluster.create(crashing);
    await waitFor('CrashLoopBackOff', async () => {
      const { status } = await e2e.cluster.get('pods', scene.namespace, 'bad-0');
      return status.containerStatuses?.[0]?.state.waiting?.reason === 'CrashLoopBackOff';
    });
    await scene.pod('good-0');
    const ran = await scene.apply('--fail-on', 'any');
    assert.deepEqual([ran.code, ran.json().phase], [3, 'CompletedWithFailures'], ran.stderr);
    assert.deepEqual(results(ran.json()), ['bad-0 TimedOut waiting', 'good-0 Succeeded']);
  });

  // R3.24
  it('plans a pod that has finished, and runs nothing in it', async () => {
    const scene = await e2e.scene('finished');
    const containers = [{ name: 'main', command: ['sh', '-c', 'exit 0'] }];
    await scene.pod('job-0', { containers, spec: { restartPolicy: 'Never' }, wait: false });
    await waitFor('the end of the pod', async () => {
      const { status } = await e2e.cluster.get('pods', scene.namespace, 'job-0');
      return status.phase === 'Succeeded';
    });
    await scene.restore({ hooks: [entry(exec(mark('never'), { onError: 'Fail' }))] });
    assert.equal((await scene.plan()).json().hooks.length, 1);
    const ran = await scene.apply();
    assert.deepEqual([ran.code, ran.json().phase], [3, 'PartiallyFailed'], ran.stderr);
    assert.deepEqual(results(ran.json()), ['job-0 NotExecuted pod-finished']);
  });

  // R3.25
  it('runs nothing in a pod that came back under the name of the planned one', async () => {
    const scene = await e2e.scene('replaced');
    await scene.pod('a-0');
    await scene.pod('b-0');
    await scene.restore({ hooks: [entry(exec(gated()))] });
    const going = scene.apply('--max-concurrent', '1');
    await waitFor('the first pod', async () => (await scene.marks('a-0')).length === 1);
    await scene.removePod('b-0');
    await scene.pod('b-0');
    await scene.open('a-0');
    const ran = await going;
    assert.deepEqual([ran.code, ran.json().phase], [0, 'CompletedWithFailures'], ran.stderr);
    const [first, second] = results(ran.json());
    assert.equal(first, 'a-0 Succeeded');
    assert.match(second ?? '', /^b-0 NotExecuted pod-(deleted|replaced)$/);
    assert.deepEqual(await scene.marks('b-0'), []);
  });

  it('runs the hook of a replaced pod in the next apply, and keeps the others', async () => {
    const scene = await e2e.scene('renewed');
    await scene.pod('a-0');
    await scene.pod('b-0');
    await scene.restore({ hooks: [entry(exec(mark('warm')))] });
    assert.equal((await scene.apply()).code, 0);
    await scene.removePod('b-0');
    await scene.pod('b-0');
    const ran = await scene.apply();
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stderr, /another pod/);
    assert.deepEqual(
      ran.json().hooks.map(({ pod, run, attempt }: Loose) => `${pod} ${run} ${attempt}`),
      ['a-0 1 1', 'b-0 2 1'],
    );
    assert.deepEqual([await scene.marks('a-0'), await scene.marks('b-0')], [['warm'], ['warm']]);
  });
});
