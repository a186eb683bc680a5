import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { testbed } from '../cluster/bed.ts';
import type { Loose, Ran, Scene } from '../e2e/harness.ts';
import {
  entry,
  exec,
  gated,
  hooksOf,
  IMAGE,
  isReal,
  mark,
  readyWhenOpen,
  sh,
  startSuite,
  waitFor,
} from '../e2e/harness.ts';

/** `node test/histories/record.ts [NAME…]`, in a bed: records runs of every kind in this folder. */
assert.ok(isReal, 'recorded on a real cluster: RESTOREHOOKS_TEST_CLUSTER=1');
const e2e = await startSuite();
const { cluster, velero } = e2e;

interface Recorder {
  readonly scene: Scene;
  /** A local run, recorded. */
  start(...args: string[]): ReturnType<typeof e2e.plugin.start>;
  /** The log of the run's Job, which stands there until the next pod of it comes. */
  keepLog(): Promise<void>;
}
const job = ['--record'];
const begun = (scene: Scene, pod: string) =>
  waitFor(`the hook in ${pod} to begin`, async () => (await scene.marks(pod)).includes('begun'));
const ended = (ran: Ran, phase: string): void => assert.equal(ran.json().phase, phase, ran.stderr);
const cancel = (scene: Scene, ...args: string[]) => e2e.plugin('cancel', scene.name, '-n', velero, ...args);
const runners = async (scene: Scene): Promise<Loose[]> => {
  const [{ metadata }] = (await scene.jobs()) as [Loose];
  return cluster.list('pods', velero, `batch.kubernetes.io/job-name=${metadata.name}`);
};

const kinds: Readonly<Record<string, (recorder: Recorder) => Promise<void>>> = {
  async completed({ scene, keepLog }) {
    for (const pod of ['a-0', 'b-0', 'c-0']) await scene.pod(pod);
    await scene.restore({ hooks: [entry([exec(mark('first')), exec(mark('second'))])] });
    ended(await scene.apply(...job, '--max-concurrent=2'), 'Completed');
    await keepLog();
  },
  async 'fail-stops-pods'({ scene, keepLog }) {
    for (const pod of ['a-0', 'b-0', 'c-0']) await scene.pod(pod);
    const fail = exec(sh('exit 3'), { onError: 'Fail' });
    await scene.restore({ hooks: [hooksOf('a', exec(mark('x'))), hooksOf('b', fail), hooksOf('c', exec(mark('x')))] });
    ended(await scene.apply(...job, '--max-concurrent=1'), 'PartiallyFailed');
    await keepLog();
  },
  async timeouts({ scene, start }) {
    await scene.pod('a-0');
    await scene.pod('b-0', { containers: [readyWhenOpen] });
    await scene.restore({
      hooks: [
        hooksOf('a', exec(gated(), { execTimeout: '1s' }), exec(mark('next'))),
        hooksOf('b', exec(mark('x'), { waitForReady: true, waitTimeout: '3s' })),
      ],
    });
    ended(await start().done, 'CompletedWithFailures');
    await scene.open('a-0');
  },
  async 'stream-lost'({ scene, start }) {
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry([exec(gated()), exec(mark('next'))])] });
    const run = start();
    await begun(scene, 'web-0');
    await testbed('kill', 'kubelet');
    await scene.runStatus(({ counts }) => counts.unknown === 1);
    await testbed('start', 'kubelet');
    ended(await run.done, 'CompletedWithFailures');
    await scene.open('web-0');
  },
  async 'killed-and-resumed'({ scene, keepLog }) {
    await scene.pod('web-0');
    await scene.pod('done-0');
    await scene.restore({
      hooks: [
        hooksOf('done', exec(mark('first'))),
        hooksOf('web', exec(gated(), { execTimeout: '20s' }), exec(mark('next'))),
      ],
    });
    const run = e2e.plugin.start('apply', scene.name, '-n', velero, '-o', 'json', ...job);
    await begun(scene, 'web-0');
    await scene.runStatus(({ counts }) => counts.succeeded === 1);
    await keepLog();
    const [pod] = await runners(scene);
    await cluster.client.delete(`/api/v1/namespaces/${velero}/pods/${pod.metadata.name}`, { gracePeriodSeconds: 0 });
    ended(await run.done, 'CompletedWithFailures');
    await keepLog();
    await scene.open('web-0');
  },
  async 'killed-between-waves'({ scene, keepLog }) {
    for (const pod of ['db-0', 'web-0']) await scene.pod(pod);
    await scene.restore();
    const resources = [
      { ...hooksOf('db', exec(sh('exit 3'))), name: 'load' },
      { ...hooksOf('web', exec(gated(), { execTimeout: '20s' })), name: 'warm', wave: 1 },
      { ...hooksOf('db', exec(mark('last'), { waitTimeout: '5m' })), name: 'check', wave: 2 },
    ];
    const file = ['--hooks', await scene.hooksFile(resources)];
    const run = e2e.plugin.start('apply', scene.name, '-n', velero, '-o', 'json', ...job, ...file);
    await begun(scene, 'web-0');
    await scene.runStatus(({ counts }) => counts.failed === 1);
    await keepLog();
    const [pod] = await runners(scene);
    await cluster.client.delete(`/api/v1/namespaces/${velero}/pods/${pod.metadata.name}`, { gracePeriodSeconds: 0 });
    ended(await run.done, 'CompletedWithFailures');
    await keepLog();
    await scene.open('web-0');
  },
  async 'killed-and-rerun'({ scene, keepLog }) {
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(exec(gated(), { execTimeout: '20s' }))] });
    const run = e2e.plugin.start('apply', scene.name, '-n', velero, '-o', 'json', ...job, '--on-unknown=rerun');
    await begun(scene, 'web-0');
    await keepLog();
    const [pod] = await runners(scene);
    await cluster.client.delete(`/api/v1/namespaces/${velero}/pods/${pod.metadata.name}`, { gracePeriodSeconds: 0 });
    await waitFor('it to begin again', async () => (await scene.marks('web-0')).length === 2);
    await scene.open('web-0');
    ended(await run.done, 'Completed');
    await keepLog();
  },
  async canceled({ scene, start }) {
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry([exec(gated()), exec(mark('next'))])] });
    const run = start();
    await begun(scene, 'web-0');
    await cancel(scene, '--grace=1s');
    ended(await run.done, 'Canceled');
    await scene.open('web-0');
  },
  async 'suspended-and-gone-on'({ scene, start }) {
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry([exec(gated()), exec(mark('next'))])] });
    const run = start();
    await begun(scene, 'web-0');
    run.kill('SIGINT');
    await run.says(/stopping/);
    await scene.open('web-0');
    assert.equal((await run.done).code, 130);
    ended(await start().done, 'Completed');
  },
  async 'init-hook'({ scene, start }) {
    const load = { name: 'load', image: IMAGE, command: sh('sleep 3; exit 3') };
    await scene.pod('web-0', {
      spec: { initContainers: [load], restartPolicy: 'Never' },
      wait: false,
    });
    await scene.restore({ hooks: [entry([{ init: { initContainers: [load] } }, exec(mark('x'))])] });
    ended(await start().done, 'CompletedWithFailures');
  },
  async 'pod-recreated'({ scene, start }) {
    await scene.pod('web-0');
    const load = { name: 'load', image: IMAGE, command: sh('echo loaded') };
    await scene.restore({ hooks: [entry([{ init: { initContainers: [load] } }, exec(mark('x'))])] });
    ended(await start('--recreate-pods').done, 'Completed');
  },
  async 'pod-replaced'({ scene, start }) {
    await scene.pod('web-0');
    await scene.pod('db-0', { containers: [readyWhenOpen] });
    await scene.restore({
      hooks: [
        hooksOf('web', exec(gated()), exec(mark('next'))),
        hooksOf('db', exec(mark('x'), { waitForReady: true })),
      ],
    });
    const run = start();
    await begun(scene, 'web-0');
    for (const pod of ['web-0', 'db-0']) await scene.removePod(pod);
    for (const pod of ['web-0', 'db-0']) await scene.pod(pod);
    ended(await run.done, 'CompletedWithFailures');
  },
  async 'no-such-command'({ scene, keepLog }) {
    await scene.pod('web-0');
    const lacking = exec(mark('x'), { container: 'no-such' });
    await scene.restore({ hooks: [entry([exec(['/no/such', 'command']), lacking, exec(mark('last'))])] });
    ended(await scene.apply(...job), 'CompletedWithFailures');
    await keepLog();
  },
};

try {
  for (const [kind, make] of Object.entries(kinds)) {
    if (process.argv.length > 2 && !process.argv.includes(kind)) continue;
    const scene = await e2e.scene(kind);
    const texts: (() => string)[] = [];
    await make({
      scene,
      start(...args) {
        const file = join(cluster.folder, `${kind}-${texts.length}.jsonl`);
        texts.push(() => (existsSync(file) ? readFileSync(file, 'utf8') : ''));
        rmSync(file, { force: true });
        return e2e.plugin.start(
          ...['apply', scene.name, '-n', velero, '-o', 'json', '--runner=local', `--record=${file}`, ...args],
        );
      },
      async keepLog() {
        for (const { metadata } of await runners(scene)) {
          const log = await cluster.log(velero, metadata.name);
          const lines = log.split('\n').filter((line) => line.includes('"msg":"history"'));
          const own = `${lines.join('\n')}\n`;
          texts.push(() => own);
        }
      },
    });
    writeFileSync(join(import.meta.dirname, `${kind}.jsonl`), texts.map((text) => text()).join(''));
    process.stderr.write(`${kind}\n`);
  }
} finally {
  await e2e.close();
}
