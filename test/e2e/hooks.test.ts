import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { Loose } from './harness.ts';
import {
  entry,
  exec,
  gated,
  hookAnnotations,
  IMAGE,
  isReal,
  mark,
  OWN,
  sh,
  startSuite,
  VELERO,
  waitFor,
} from './harness.ts';

/** Which hooks are run, where, and in what order. */

const e2e = await startSuite();
after(() => e2e.close());

const WORKED_ON = { phase: 'Completed', startTimestamp: '2026-01-01T00:00:00Z' };

/** Rows by pod, container and hook, in report order. */
const placesOf = ({ hooks }: Loose): string[] =>
  hooks.map(({ pod, container, name, index }: Loose) => `${pod}/${container}/${name}/${index}`);

const noticesOf = ({ notices }: Loose): string[] => notices.map(({ code }: Loose) => code).sort();

/** In the order in which they were started; fails if two of them overlap. */
function inTurn(hooks: Loose[]): string[] {
  const started = hooks.toSorted((one, other) => (one.startedAt < other.startedAt ? -1 : 1));
  for (const [at, hook] of started.entries()) {
    const next = started[at + 1];
    if (next !== undefined) assert.ok(hook.finishedAt <= next.startedAt, `${hook.id} and ${next.id} overlap`);
  }
  return started.map(({ pod, container, index }) => `${pod}/${container}/${index}`);
}

describe('where hooks come from', { concurrency: 3 }, () => {
  it("runs the Restore's hooks in the bare pods that they select", async () => {
    const scene = await e2e.scene('bare');
    for (const pod of ['db-0', 'web-0', 'web-1']) await scene.pod(pod);
    await scene.pod('other-0', { labels: { 'velero.io/restore-name': 'another' } });
    await scene.restore({
      hooks: [
        entry([exec(mark('one')), exec(mark('two'))], { name: 'web', labelSelector: { matchLabels: { app: 'web' } } }),
        entry(exec(mark('elsewhere')), { includedNamespaces: ['elsewhere-*'] }),
      ],
    });
    const planned = (await scene.plan()).json();
    const ran = await scene.apply();
    const run = ran.json();
    assert.deepEqual([ran.code, run.phase], [0, 'Completed'], ran.stderr);
    assert.deepEqual(placesOf(run), ['web-0/main/web/0', 'web-0/main/web/1', 'web-1/main/web/0', 'web-1/main/web/1']);
    assert.deepEqual(placesOf(planned), placesOf(run));
    assert.equal(run.planDigest, planned.digest);
    assert.deepEqual(await scene.marks('web-0'), ['one', 'two']);
    assert.deepEqual(await scene.marks('web-1'), ['one', 'two']);
    for (const pod of ['db-0', 'other-0']) assert.deepEqual(await scene.marks(pod), []);
    const { phase, progress, status } = await scene.annotations();
    assert.deepEqual([phase, progress], ['Completed', '4/4 done']);
    assert.deepEqual(JSON.parse(status ?? '').counts, run.counts);
  });

  it('runs nothing twice', async () => {
    const scene = await e2e.scene('twice');
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(exec(mark('once')))] });
    const first = await scene.apply();
    const second = await scene.apply();
    assert.deepEqual([first.code, second.code], [0, 0]);
    assert.equal(second.json().runID, first.json().runID);
    assert.match(second.stderr, /nothing is run again/);
    assert.deepEqual(await scene.marks('web-0'), ['once']);
    assert.equal((await scene.jobs()).length, 1);
    const again = (await scene.apply('--again')).json();
    assert.equal(again.attempt, 2);
    assert.deepEqual(await scene.marks('web-0'), ['once', 'once']);
  });

  it("runs hooks in a Deployment's pods", { skip: !isReal && 'needs a real cluster' }, async () => {
    const scene = await e2e.scene('deployment');
    await scene.restore({ hooks: [entry(exec(mark('warm')))] });
    const { metadata, spec } = scene.podManifest('web');
    const { labels } = metadata;
    await e2e.cluster.create({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: scene.namespace },
      spec: { replicas: 2, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
    });
    const pods = await waitFor('two pods to run', async () => {
      const found = await e2e.cluster.list('pods', scene.namespace);
      const running = found.filter(({ status }) => status.containerStatuses?.[0]?.state.running !== undefined);
      return running.length === 2 && running;
    });
    const ran = await scene.apply();
    assert.deepEqual([ran.code, ran.json().counts.succeeded], [0, 2], ran.stderr);
    for (const pod of pods) assert.deepEqual(await scene.marks(pod.metadata.name), ['warm']);
  });

  it("lets a pod's annotation hide the spec's hooks, in that pod alone", async () => {
    const scene = await e2e.scene('annotation');
    const containers = [{ name: 'main' }, { name: 'aide' }];
    await scene.pod('db-0', {
      containers,
      annotations: hookAnnotations(VELERO, mark('annotated'), { container: 'aide', 'exec-timeout': '1m30s' }),
    });
    // One string is one element of argv, not a command line.
    await scene.pod('one-0', { annotations: hookAnnotations(VELERO, 'pwd') });
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(exec(mark('spec')))] });
    const planned = (await scene.plan()).json();
    const ran = await scene.apply();
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual(placesOf(ran.json()), [
      'db-0/aide/<from-annotation>/0',
      'one-0/main/<from-annotation>/0',
      'web-0/main/e2e/0',
    ]);
    assert.deepEqual([planned.hooks[0].source, planned.hooks[0].execTimeout], ['annotation', '1m30s']);
    assert.deepEqual(noticesOf(planned), ['annotation-hides-hooks', 'annotation-hides-hooks', 'restore-without-phase']);
    assert.deepEqual(await scene.marks('db-0'), []);
    assert.deepEqual(await scene.marks('db-0', 'aide'), ['annotated']);
    assert.deepEqual(await scene.marks('web-0'), ['spec']);
  });

  it('runs our own annotations, and nothing of what Velero has run', async () => {
    const scene = await e2e.scene('own');
    const both = { ...hookAnnotations(VELERO, mark('velero')), ...hookAnnotations(OWN, mark('own')) };
    await scene.pod('db-0', { annotations: both });
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(exec(mark('spec')))], status: WORKED_ON });
    const ran = await scene.apply();
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual(
      ran.json().hooks.map(({ pod, origin }: Loose) => [pod, origin]),
      [['db-0', 'restorehooks']],
    );
    assert.deepEqual([await scene.marks('db-0'), await scene.marks('web-0')], [['own'], []]);
    assert.ok(noticesOf((await scene.plan()).json()).includes('velero-has-run'));
  });

  // R1.21, R1.22
  it('refuses what Velero has run, and runs it with --rerun', async () => {
    const scene = await e2e.scene('rerun');
    await scene.pod('db-0', { annotations: hookAnnotations(VELERO, mark('annotated')) });
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(exec(mark('spec')))], status: WORKED_ON });
    const refused = await scene.apply();
    assert.deepEqual([refused.code, refused.stdout], [9, '']);
    assert.match(refused.stderr, new RegExp(`apply ${scene.name} -n ${e2e.velero} --rerun`));
    assert.deepEqual([await scene.annotations(), await scene.jobs()], [{}, []]);
    const narrowed = await scene.apply('--rerun', '--only', 'web-0');
    assert.deepEqual([narrowed.code, placesOf(narrowed.json())], [0, ['web-0/main/e2e/0']], narrowed.stderr);
    const whole = await scene.apply('--rerun');
    assert.equal(whole.code, 0, whole.stderr);
    // The hook that has already run is kept, so it isn't run again.
    assert.deepEqual([await scene.marks('db-0'), await scene.marks('web-0')], [['annotated'], ['spec']]);
  });

  it("runs the hooks of --hooks FILE instead of the Restore's, whatever Velero has run", async () => {
    const scene = await e2e.scene('file');
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(exec(mark('spec')))], status: WORKED_ON });
    const file = await scene.hooksFile([entry(exec(mark('file')), { name: 'mine' })]);
    const second = await scene.hooksFile([entry(exec(mark('more')), { name: 'more' })]);
    const ran = await scene.apply('--hooks', file, '--hooks', second);
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual(placesOf(ran.json()), ['web-0/main/mine/0', 'web-0/main/more/0']);
    assert.ok(ran.json().hooks.every(({ source }: Loose) => source === 'file'));
    assert.deepEqual(await scene.marks('web-0'), ['file', 'more']);
  });

  it('creates nothing where there are no hooks', async () => {
    const scene = await e2e.scene('none');
    await scene.pod('web-0');
    await scene.restore();
    const before = (await scene.current()).metadata.resourceVersion;
    const ran = await scene.apply();
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual([ran.json().phase, ran.json().hooks], [undefined, []]);
    assert.equal((await scene.current()).metadata.resourceVersion, before);
    const made = `restorehooks.io/restore=${scene.name}`;
    for (const kind of ['jobs', 'secrets']) assert.deepEqual(await e2e.cluster.list(kind, e2e.velero, made), []);
    const shown = await scene.status();
    assert.deepEqual([shown.code, shown.json().phase, shown.json().hooks], [0, undefined, []]);
  });

  // R1.15
  it('says so where no pod matches', async () => {
    const scene = await e2e.scene('nomatch');
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(exec(mark('never')), { labelSelector: { matchLabels: { app: 'db' } } })] });
    const ran = await scene.apply();
    assert.deepEqual([ran.code, ran.stdout], [8, '']);
    assert.match(ran.stderr, /none of them matches a pod/);
    const allowed = await scene.apply('--allow-no-match');
    assert.deepEqual([allowed.code, allowed.json().hooks], [0, []], allowed.stderr);
    assert.deepEqual([await scene.annotations(), await scene.jobs()], [{}, []]);
  });
});

describe('in what order', { concurrency: 3 }, () => {
  // R3.7, R3.8, R3.10
  it('runs one hook at a time in a pod, and one container after the other', async () => {
    const scene = await e2e.scene('order');
    await scene.pod('web-0', { containers: ['one', 'two'].map((name) => ({ name })) });
    // In the spec the containers alternate. In the run all hooks of a container come together.
    const hook = (container: string, line: string) => exec(sh(`echo ${line} >> marks; sleep 0.3`), { container });
    await scene.restore({
      hooks: [entry([hook('one', 'a'), hook('two', 'b'), hook('one', 'c')]), entry([hook('two', 'd')], { name: 'x' })],
    });
    const ran = await scene.apply();
    assert.equal(ran.code, 0, ran.stderr);
    const turns = inTurn(ran.json().hooks).map((turn) => turn.split('/')[1]);
    assert.ok([['one', 'one', 'two', 'two'].join(), ['two', 'two', 'one', 'one'].join()].includes(turns.join()));
    assert.deepEqual(await scene.marks('web-0', 'one'), ['a', 'c']);
    assert.deepEqual(await scene.marks('web-0', 'two'), ['b', 'd']);
  });

  // R3.9
  it('begins with the container that is up first, not the one that is named first', async () => {
    const scene = await e2e.scene('upfirst');
    const readinessProbe = { exec: { command: ['test', '-f', 'ready'] }, periodSeconds: 1 };
    await scene.pod('web-0', { containers: [{ name: 'slow', readinessProbe }, { name: 'quick' }] });
    await scene.restore({
      hooks: [
        entry([
          exec(mark('slow'), { container: 'slow', waitForReady: true }),
          exec(mark('one'), { container: 'quick' }),
          exec(mark('two'), { container: 'quick' }),
        ]),
      ],
    });
    const going = scene.apply();
    await waitFor('the quick container', async () => (await scene.marks('web-0', 'quick')).length === 2);
    assert.deepEqual(await scene.marks('web-0', 'slow'), []);
    await scene.open('web-0', 'slow', 'ready');
    const ran = await going;
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual(inTurn(ran.json().hooks), ['web-0/quick/1', 'web-0/quick/2', 'web-0/slow/0']);
  });

  // R3.11, R3.12
  it('lets --max-concurrent 1 work through the pods in plan order', async () => {
    const scene = await e2e.scene('single');
    for (const pod of ['c-0', 'a-0', 'b-0']) await scene.pod(pod);
    await scene.restore({ hooks: [entry([exec(sh('sleep 0.2; echo one >> marks')), exec(mark('two'))])] });
    const ran = await scene.apply('--max-concurrent', '1');
    assert.equal(ran.code, 0, ran.stderr);
    assert.equal(inTurn(ran.json().hooks)[0], 'a-0/main/0');
    for (const pod of ['a-0', 'b-0', 'c-0']) assert.deepEqual(await scene.marks(pod), ['one', 'two']);
  });

  it('works in many pods at the same time', async () => {
    const scene = await e2e.scene('parallel');
    const pods = ['a-0', 'b-0', 'c-0'];
    for (const pod of pods) await scene.pod(pod);
    await scene.restore({ hooks: [entry(exec(gated()))] });
    const going = scene.apply();
    // All three hooks begin before the first may end.
    await waitFor('all to begin', async () => {
      const marks = await Promise.all(pods.map((pod) => scene.marks(pod)));
      return marks.every((lines) => lines.join() === 'begun');
    });
    await Promise.all(pods.map((pod) => scene.open(pod)));
    assert.equal((await going).code, 0);
  });
});

describe('in which containers', { concurrency: 3 }, () => {
  // R3.15
  it('runs hooks in a native sidecar', async () => {
    const scene = await e2e.scene('sidecar');
    const sidecar = { name: 'side', image: IMAGE, command: ['sleep', '100000'], restartPolicy: 'Always' };
    await scene.pod('web-0', { spec: { initContainers: [sidecar] } });
    await scene.restore({
      hooks: [entry([exec(mark('side'), { container: 'side', waitForReady: true }), exec(mark('main'))])],
    });
    const ran = await scene.apply();
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual(await scene.marks('web-0', 'side'), ['side']);
    assert.deepEqual(await scene.marks('web-0'), ['main']);
  });

  it('ends a hook for a container that the pod lacks, and goes on with the others', async () => {
    const scene = await e2e.scene('lacking');
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry([exec(mark('no'), { container: 'no-such' }), exec(mark('yes'))])] });
    const ran = await scene.apply();
    const run = ran.json();
    assert.deepEqual([ran.code, run.phase], [0, 'CompletedWithFailures'], ran.stderr);
    const { state, reason } = run.hooks.find(({ container }: Loose) => container === 'no-such');
    assert.deepEqual([state, reason], ['NotExecuted', 'no-such-container']);
    assert.deepEqual(await scene.marks('web-0'), ['yes']);
  });

  // R3.18
  it('stops before anything starts where such a hook is onError: Fail', async () => {
    const scene = await e2e.scene('lackingfail');
    await scene.pod('web-0');
    await scene.restore({
      hooks: [entry([exec(mark('yes')), exec(mark('no'), { container: 'no-such', onError: 'Fail' })])],
    });
    const ran = await scene.apply();
    assert.deepEqual([ran.code, ran.json().phase], [3, 'PartiallyFailed'], ran.stderr);
    assert.deepEqual(
      ran
        .json()
        .hooks.map(({ reason }: Loose) => reason)
        .sort(),
      ['aborted', 'no-such-container'],
    );
    assert.deepEqual(await scene.marks('web-0'), []);
  });
});
