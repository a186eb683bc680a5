import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { podKey } from '../../shared/core/model/hook.ts';
import { shardOfPods } from '../../shared/core/model/shard.ts';
import type { Loose, Scene, Started } from './harness.ts';
import { endings, entry, exec, gated, hasNotEnded, IMAGE, mark, sh, startSuite, waitFor } from './harness.ts';

/** Runs that several pods of an Indexed Job carry out together (R8.40 to R8.50). */

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;

const PODS = ['web-0', 'web-1', 'web-2', 'web-3', 'web-4', 'web-5'];
/** Has a run's runners leave it. */
type Leave = (scene: Scene, apply: Started) => Promise<void> | void;

async function sceneWith(
  title: string,
  hooks: readonly object[],
  pods: readonly string[] = PODS,
  name?: string,
): Promise<Scene> {
  const scene = await e2e.scene(title, name);
  await Promise.all(pods.map((pod) => scene.pod(pod, { labels: { called: pod } })));
  await scene.restore({ hooks, status: { phase: 'Completed' } });
  return scene;
}
const start = (scene: Scene, ...args: string[]) =>
  e2e.plugin.start('apply', scene.name, '-n', velero, '-o', 'json', ...args);
async function namespaceOfRuns(title: string): Promise<string> {
  const runs = await cluster.namespace(title, { 'pod-security.kubernetes.io/enforce': 'restricted' });
  const setup = await e2e.plugin('setup', '--apply', '-n', velero, `--run-namespace=${runs}`);
  assert.equal(setup.code, 0, setup.stderr);
  return runs;
}
const kill = async (scene: Scene, index: number): Promise<void> => {
  const runner = (await scene.runners()).find(
    (pod) => pod.metadata.annotations['batch.kubernetes.io/job-completion-index'] === `${index}` && hasNotEnded(pod),
  );
  assert.ok(runner, `a runner of shard ${index}`);
  await scene.killRunner(runner);
};
/** Hooks of one pod. */
const hooksIn = (pod: string, ...hooks: object[]): object =>
  entry(hooks, { name: pod, labelSelector: { matchLabels: { called: pod } } });
/** The pods of each shard, as everybody computes them. */
async function shards(scene: Scene, of: number): Promise<string[][]> {
  const all = await cluster.list('pods', scene.namespace);
  const { namespace } = scene;
  const found = shardOfPods(
    all.map(({ metadata: { name: pod, uid: podUID } }) => ({ namespace, pod, podUID })),
    of,
  );
  return Array.from({ length: of }, (_, index) => PODS.filter((pod) => found.get(podKey(namespace, pod)) === index));
}
const begun = (scene: Scene, pods: readonly string[]) =>
  waitFor(`hooks in ${pods}`, async () => {
    const marks = await Promise.all(pods.map((pod) => scene.marks(pod)));
    return marks.every((each) => each.includes('begun'));
  });

describe('a run in shards', () => {
  // R8.40, R8.41, R8.42, R8.43, R8.45, R8.48
  it('is one run with one plan, one status and one report, and a journal and a Lease for each shard', async () => {
    // Kubernetes makes host names of an Indexed Job's name.
    const name = `whole-${'x'.repeat(57)}`;
    const scene = await sceneWith('whole', [entry([exec(mark('first')), exec(mark('second'))])], PODS, name);
    const ran = await scene.apply('--parallelism=3');
    assert.deepEqual([ran.code, ran.json().phase, ran.json().shards], [0, 'Completed', 3], ran.stderr);
    for (const pod of PODS) assert.deepEqual(await scene.marks(pod), ['first', 'second']);
    // R8.72
    assert.deepEqual(ran.json().metrics.restorehooks_hook_starts_total, [{ value: 12 }]);
    const { counts, runID, reportParts, shards: parts } = await scene.runStatus();
    assert.deepEqual([counts.planned, counts.succeeded], [12, 12]);
    assert.equal(parts.length, 3);
    assert.equal(
      parts.reduce((sum: number, each: number) => sum + each, 0),
      reportParts,
    );
    const [job] = await scene.jobs();
    const { completionMode, completions, parallelism, backoffLimitPerIndex, maxFailedIndexes } = job.spec;
    assert.deepEqual(
      [completionMode, completions, parallelism, backoffLimitPerIndex, maxFailedIndexes],
      ['Indexed', 3, 3, 6, 0],
    );
    const names = (await cluster.list('configmaps', velero, `restorehooks.io/run-id=${runID}`)).map(
      ({ metadata }) => metadata.name,
    );
    const run = job.metadata.name;
    // By their UIDs all pods may belong to the other shards.
    const [, ...others] = await shards(scene, 3);
    const journals = others.flatMap((own, before) => (own.length > 0 ? [`${run}-s${before + 1}-journal-0`] : []));
    assert.deepEqual(names.sort(), [`${run}-journal-0`, ...journals, `${run}-shards`].sort());
    const plan = (await scene.plan()).json();
    const shown = (await scene.status()).json();
    assert.deepEqual(
      shown.hooks.map(({ id }: Loose) => id),
      plan.hooks.map(({ id }: Loose) => id),
      'the rows are in plan order',
    );
    const again = await scene.apply();
    assert.deepEqual([again.code, again.json().runID], [0, runID], 'apply without shards shows that run');
  });

  // R8.48
  it('is shown, retried and removed as one', async () => {
    const pods = PODS.slice(0, 4);
    const tried = (pod: string) => exec(sh(`echo said-${pod}; test -f ok`), { onError: 'Continue' });
    const scene = await sceneWith(
      'one',
      pods.map((pod) => hooksIn(pod, tried(pod))),
      pods,
    );
    const at = [scene.name, '-n', velero];
    const ran = await scene.apply('--parallelism=3');
    assert.equal(ran.json().phase, 'CompletedWithFailures', ran.stderr);
    const { runID } = ran.json();
    const { stdout: logs } = await e2e.plugin('logs', ...at);
    for (const pod of pods) assert.match(logs, new RegExp(`said-${pod}$`, 'm'));
    const { stdout: junit } = await e2e.plugin('report', ...at, '-o', 'junit');
    assert.match(junit, /tests="5" failures="4"/);
    await Promise.all(pods.map((pod) => scene.open(pod, 'main', 'ok')));
    const again = await e2e.plugin('retry', ...at, '-o', 'json', '--parallelism=2');
    assert.deepEqual([again.code, again.json().counts.succeeded], [0, 4], again.stderr);
    const earlier = (await scene.status('--run', runID)).json();
    assert.deepEqual(
      earlier.hooks.map(({ pod, state }: Loose) => `${pod} ${state}`),
      pods.map((pod) => `${pod} Failed`),
    );
    const pruned = await e2e.plugin('prune', ...at);
    assert.equal(pruned.code, 0, pruned.stderr);
    for (const kind of ['configmaps', 'secrets', 'jobs']) {
      // The Job takes the plan's Secret with it, which Kubernetes does in its own time.
      const isGone = async () => (await cluster.list(kind, velero, `restorehooks.io/run-id=${runID}`)).length === 0;
      await waitFor(`the ${kind} to go`, isGone);
    }
    assert.equal((await scene.status()).json().counts.succeeded, 4);
  });

  // R8.48
  it('is followed and canceled as one', async () => {
    const pods = PODS.slice(0, 4);
    const waits = (pod: string) =>
      exec(sh(`echo live-${pod}; echo begun >> marks; until test -f gate; do sleep 0.2; done`));
    const scene = await sceneWith(
      'canceled',
      pods.map((pod) => hooksIn(pod, waits(pod), exec(mark('later')))),
      pods,
    );
    const apply = start(scene, '--parallelism=3');
    await begun(scene, pods);
    await waitFor('the output of all that runs', async () => {
      const { stdout } = await e2e.plugin('logs', scene.name, '-n', velero);
      return pods.every((pod) => stdout.includes(`live-${pod}`));
    });
    const canceled = await e2e.plugin('cancel', scene.name, '-n', velero);
    assert.equal(canceled.code, 0, canceled.stderr);
    await scene.runStatus(({ counts }: Loose) => counts.notExecuted === pods.length);
    for (const pod of pods) await scene.open(pod);
    const ran = await apply.done;
    assert.deepEqual([ran.code, ran.json().phase, ran.json().counts.succeeded], [11, 'Canceled', 4], ran.stderr);
    for (const pod of pods) assert.deepEqual(await scene.marks(pod), ['begun'], pod);
  });

  // R8.40, R8.41, R8.80
  it('may have more shards than pods, and a namespace of its own', async () => {
    const runs = await namespaceOfRuns('apart-runs');
    const scene = await sceneWith('apart', [entry(exec(sh('echo once >> marks; test -f ok')))], PODS.slice(0, 2));
    const ran = await scene.apply('--parallelism=5', `--run-namespace=${runs}`);
    assert.deepEqual([ran.code, ran.json().counts.failed], [0, 2], ran.stderr);
    assert.deepEqual(await cluster.list('configmaps', velero, `restorehooks.io/restore=${scene.name}`), []);
    for (const pod of PODS.slice(0, 2)) await scene.open(pod, 'main', 'ok');
    const again = await e2e.plugin('retry', scene.name, '-n', velero, '-o', 'json', '--parallelism=2');
    assert.deepEqual([again.code, again.json().counts.succeeded], [0, 2], again.stderr);
  });

  // R2.17
  it('keeps the manifest of each pod that it deletes, whichever shard does', async () => {
    const pods = PODS.slice(0, 4);
    const load = { init: { initContainers: [{ name: 'load', image: IMAGE, command: sh('true') }] } };
    await e2e.plugin('setup', '--apply', '--create-pods', '-n', velero);
    const scene = await sceneWith('recreated', [entry([load, exec(mark('ran'))])], pods);
    const ran = await scene.apply('--recreate-pods', '--parallelism=3');
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    const secrets = await cluster.list('secrets', velero, `restorehooks.io/run-id=${ran.json().runID}`);
    const kept = secrets.filter(({ type }) => type === 'restorehooks.io/pod');
    const names = kept.map(({ data }) => JSON.parse(Buffer.from(data['pod.json'], 'base64').toString()).metadata.name);
    assert.deepEqual(names.sort(), pods);
  });

  // R8.45
  it('is canceled although no pod comes up for some of its shards', async () => {
    const runs = await namespaceOfRuns('few-runs');
    const quota = { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'few', namespace: runs } };
    await cluster.create({ ...quota, spec: { hard: { pods: '1' } } });
    const scene = await sceneWith('few', [entry(exec(mark('ran')))]);
    const [up = []] = await shards(scene, 3);
    const apply = start(scene, '--parallelism=3', `--run-namespace=${runs}`);
    await scene.runStatus(({ phase, counts }: Loose) => phase === 'InProgress' && counts.succeeded === up.length);
    const { hooks } = (await scene.status()).json();
    for (const { pod, message } of hooks) {
      if (!up.includes(pod)) assert.match(message, /^waiting for shard [12] of 3 to begin$/, pod);
    }
    assert.equal((await e2e.plugin('cancel', scene.name, '-n', velero)).code, 0);
    const ran = await apply.done;
    const { phase, counts } = ran.json();
    assert.deepEqual([ran.code, phase, counts.notExecuted], [11, 'Canceled', PODS.length - up.length], ran.stderr);
    assert.deepEqual(
      ran.json().hooks.filter(({ state }: Loose) => state === 'NotExecuted').length,
      PODS.length - up.length,
    );
  });

  // R8.46
  it('stops in all shards when a Fail hook in one did not succeed', async () => {
    const scene = await sceneWith('stops', []);
    const [, ...others] = (await shards(scene, 3)).filter((pods) => pods.length > 0);
    const [failing = ''] = (await shards(scene, 3)).find((pods) => pods.length > 0) ?? [];
    const except = { matchExpressions: [{ key: 'called', operator: 'NotIn', values: [failing] }] };
    const hooks = await scene.hooksFile([
      entry(exec(gated('exit 3'), { onError: 'Fail' }), { labelSelector: { matchLabels: { called: failing } } }),
      entry([exec(gated()), exec(mark('later'))], { labelSelector: except }),
    ]);
    const apply = start(scene, '--parallelism=3', '--hooks', hooks);
    await begun(scene, PODS);
    await scene.open(failing);
    // What waits in the other shards is given up, while their first hooks still run.
    await scene.runStatus(({ counts }: Loose) => counts.notExecuted === PODS.length - 1);
    for (const pod of PODS.filter((each) => each !== failing)) await scene.open(pod);
    const ran = await apply.done;
    assert.deepEqual([ran.code, ran.json().phase], [3, 'PartiallyFailed'], ran.stderr);
    for (const pod of PODS) assert.ok(!(await scene.marks(pod)).includes('later'), pod);
    const ends = endings(ran.json());
    assert.equal(ends[`${failing} 0`], 'Failed (exit)');
    for (const pod of others.flat()) assert.equal(ends[`${pod} 1`], 'NotExecuted (aborted)');
  });

  // R8.49
  it('goes on in the other shards while the next pod of a lost one continues it', async () => {
    const scene = await sceneWith('lost', [entry([exec(gated()), exec(mark('second'))])]);
    // A shard without pods may have ended, so its runner can't be killed.
    const parts = [...(await shards(scene, 3)).entries()].filter(([, pods]) => pods.length > 0);
    const [, kept = []] = parts.pop() ?? [];
    const apply = start(scene, '--parallelism=3', '--on-unknown=rerun');
    await begun(scene, PODS);
    for (const [index] of parts) await kill(scene, index);
    for (const pod of kept) await scene.open(pod);
    await waitFor('the shard that was kept to go on', async () => {
      const marks = await Promise.all(kept.map((pod) => scene.marks(pod)));
      return marks.every((each) => each.includes('second'));
    });
    for (const [, pods] of parts) for (const pod of pods) await scene.open(pod);
    const ran = await apply.done;
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    for (const pod of PODS) assert.equal((await scene.marks(pod)).filter((each) => each === 'second').length, 1, pod);
  });

  // R8.47
  it('opens a wave in every shard once all shards have ended the one before', async () => {
    const scene = await sceneWith('waves', []);
    const hooks = await scene.hooksFile([
      { ...entry([exec(gated())]), name: 'w0', wave: 0 },
      { ...entry([exec(mark('next'))]), name: 'w1', wave: 1 },
    ]);
    const parts = (await shards(scene, 3)).filter((pods) => pods.length > 0);
    const apply = start(scene, '--parallelism=3', '--hooks', hooks);
    await begun(scene, PODS);
    const [last = [], ...rest] = parts;
    for (const pod of rest.flat()) await scene.open(pod);
    const { openWave } = await scene.runStatus(({ openWave: wave }: Loose) => wave?.left === last.length);
    assert.deepEqual([openWave.number, openWave.place, openWave.of], [0, 1, 2]);
    for (const pod of PODS) assert.ok(!(await scene.marks(pod)).includes('next'), pod);
    for (const pod of last) await scene.open(pod);
    const ran = await apply.done;
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    for (const pod of PODS) assert.deepEqual(await scene.marks(pod), ['begun', 'ended', 'next']);
  });

  // R8.50
  it('is gone on with by one runner when its Job is gone, and the reverse', async () => {
    const hooks = [exec(mark('first')), exec(gated()), exec(mark('last'))];
    const goneOn = async (title: string, before: readonly string[], after: readonly string[], leave: Leave) => {
      const scene = await sceneWith(title, [entry(hooks)]);
      const apply = start(scene, ...before);
      await begun(scene, PODS);
      await leave(scene, apply);
      for (const pod of PODS) await scene.open(pod);
      await apply.done;
      await waitFor('the runners to go', async () => (await scene.runners()).length === 0);
      const ran = await scene.apply(...after);
      assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
      for (const pod of PODS) assert.deepEqual(await scene.marks(pod), ['first', 'begun', 'ended', 'last'], pod);
      return ran.json().shards;
    };
    const deleteJob: Leave = async (scene) => {
      const [job] = await scene.jobs();
      const path = `/apis/batch/v1/namespaces/${velero}/jobs/${job.metadata.name}`;
      await cluster.client.delete(path, { propagationPolicy: 'Background' });
    };
    const interrupt: Leave = (_, apply) => void apply.child.kill('SIGINT');
    const [alone, three] = await Promise.all([
      goneOn('to-one', ['--parallelism=3'], ['--runner=local'], deleteJob),
      goneOn('to-three', ['--runner=local'], ['--parallelism=3'], interrupt),
    ]);
    assert.deepEqual([alone, three], [undefined, 3]);
  });

  // R8.40
  it('is refused where it can not be', async () => {
    const scene = await sceneWith('refused', [entry([exec(mark('x'))])], ['web-0']);
    const local = await scene.apply('--parallelism=2', '--runner=local');
    assert.deepEqual([local.code, local.stderr.split('\n')[0]], [2, 'error: --parallelism goes with --runner=job']);
    const many = await scene.apply('--parallelism=65');
    assert.deepEqual(
      [many.code, many.stderr.split('\n')[0]],
      [2, 'error: --parallelism 65 is too high: a run has at most 64 runners'],
    );
    const few = await scene.apply('--parallelism=3', '--max-concurrent=2');
    assert.match(few.stderr, /each runner needs one of the 2 slots of --max-concurrent/);
    const dry = await e2e.plugin('apply', scene.name, '-n', velero, '--dry-run=client', '-o', 'yaml');
    assert.doesNotMatch(dry.stdout, /Indexed|parallelism/);
  });
});
