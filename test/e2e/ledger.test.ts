import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { Loose, Scene } from './harness.ts';
import { entry, exec, gated, hooksOf, isReal, mark, sh, startSuite, waitFor } from './harness.ts';

/** What is known of a Restore comes from all its runs: no hook runs twice, and none that is left counts as done. */

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;

const retry = (scene: Scene, ...args: string[]) => e2e.plugin('retry', scene.name, '-n', velero, '-o', 'json', ...args);
const endings = ({ hooks }: Loose): string[] =>
  hooks.map(({ pod, state, reason }: Loose) => [pod, state, reason].filter(Boolean).join(' '));
const setHooks = (scene: Scene, resources: readonly object[]) =>
  cluster.patch('restores', velero, scene.name, { spec: { hooks: { resources } } });
const phaseOf = async (scene: Scene): Promise<string> => (await scene.current()).status.phase;
const labelled = (scene: Scene) => `restorehooks.io/restore=${scene.name}`;
const reportsOf = async (scene: Scene): Promise<Loose[]> =>
  (await cluster.list('secrets', velero, labelled(scene))).filter(({ type }) => type === 'restorehooks.io/report');
const local = '--runner=local';

/** Pods a-0 and b-0, each with hooks of its own. */
async function twoPods(title: string, a: readonly object[], b: readonly object[]): Promise<Scene> {
  const scene = await e2e.scene(title);
  await Promise.all([scene.pod('a-0'), scene.pod('b-0')]);
  await scene.restore({ hooks: [hooksOf('a', ...a), hooksOf('b', ...b)], status: { phase: 'Completed' } });
  return scene;
}
async function takeAnnotations(scene: Scene): Promise<void> {
  const annotations = Object.keys((await scene.current()).metadata.annotations ?? {});
  const none = Object.fromEntries(annotations.map((key) => [key, null]));
  await cluster.patch('restores', velero, scene.name, { metadata: { annotations: none } });
}
async function takeReports(scene: Scene): Promise<void> {
  const reports = await reportsOf(scene);
  assert.ok(reports.length > 0);
  await Promise.all(reports.map(({ metadata }) => cluster.remove('secrets', velero, metadata.name)));
}

describe('what succeeded', { concurrency: 4 }, () => {
  it('in any run with --only is not run again by apply', async () => {
    const scene = await twoPods('only', [exec(mark('ran'))], [exec(mark('ran'))]);
    for (const pod of ['a-0', 'b-0']) assert.equal((await scene.apply(local, '--only', pod)).json().phase, 'Completed');
    const all = await scene.apply();
    assert.deepEqual([all.code, endings(all.json())], [0, ['a-0 Succeeded', 'b-0 Succeeded']], all.stderr);
    assert.match(all.stderr, /^kept {6}2 hooks of earlier runs: not run again$/m);
    for (const pod of ['a-0', 'b-0']) assert.deepEqual(await scene.marks(pod), ['ran']);
  });

  // R3.60, R3.61, R3.63
  it('with runOn stands where its pod was replaced; what failed there is left to retry', async () => {
    const scene = await e2e.scene('run-on');
    await Promise.all(['a-0', 'a-1', 'a-2'].map((pod) => scene.pod(pod)));
    await scene.restore();
    const migrate = (command: readonly string[]) => entry(exec(command), { name: 'migrate', runOn: 'one' });
    const hooks = [migrate(mark('migrated')), { ...migrate(sh('echo tried >> tries; exit 3')), name: 'fails' }];
    const file = await scene.hooksFile([...hooks, entry(exec(mark('warm')), { name: 'warm' })]);
    const first = await scene.apply(local, '--hooks', file);
    const names = ({ hooks: all }: Loose) =>
      all.map(({ id, state }: Loose) => `${id.split('/').slice(1).join('/')} ${state}`);
    assert.deepEqual(names(first.json()), [
      'a-0/main/migrate/0 Succeeded',
      'a-0/main/fails/0 Failed',
      'a-0/main/warm/0 Succeeded',
      'a-1/main/warm/0 Succeeded',
      'a-2/main/warm/0 Succeeded',
    ]);
    await scene.removePod('a-0');
    const second = await scene.apply(local, '--hooks', file, '--skip', 'a-2');
    assert.deepEqual(
      names(second.json()),
      ['a-1/main/migrate/0 Succeeded', 'a-1/main/fails/0 Failed', 'a-1/main/warm/0 Succeeded'],
      second.stderr,
    );
    assert.match(second.stderr, /^\s*~ \S+\/a-1\/main\/migrate\/0 \(Succeeded in \S+\/a-0\)$/m);
    assert.deepEqual([await scene.marks('a-1'), await scene.marks('a-1', 'main', 'tries')], [['warm'], []]);
    const third = await retry(scene, local, '--skip', 'warm');
    assert.deepEqual(names(third.json())[1], 'a-1/main/fails/0 Failed', third.stderr);
    assert.deepEqual([await scene.marks('a-1'), await scene.marks('a-1', 'main', 'tries')], [['warm'], ['tried']]);
  });

  // R6.1.2
  it('is not run again where the annotations were taken away, and status still tells the run', async () => {
    const scene = await twoPods('replaced', [exec(mark('ran'))], [exec(sh('echo ran >> marks; exit 3'))]);
    const first = await scene.apply('--fail-on=any');
    assert.deepEqual([first.code, first.json().phase], [3, 'CompletedWithFailures'], first.stderr);
    await takeAnnotations(scene);
    const shown = await scene.status();
    const { phase, runID, hooks } = first.json();
    assert.deepEqual([shown.code, shown.json().phase, shown.json().runID], [0, phase, runID], shown.stderr);
    assert.deepEqual(shown.json().hooks, hooks);
    const same = await scene.apply();
    assert.deepEqual([same.code, same.json().runID], [3, runID], same.stderr);
    const more = [
      hooksOf('a', exec(mark('ran'))),
      hooksOf('b', exec(sh('echo ran >> marks; exit 3')), exec(mark('new'))),
    ];
    await setHooks(scene, more);
    const second = await scene.apply();
    assert.deepEqual([second.code, second.json().attempt], [0, 2], second.stderr);
    assert.deepEqual([await scene.marks('a-0'), await scene.marks('b-0')], [['ran'], ['ran', 'new']]);
  });

  // R6.26, R6.1.2
  it('is not run again where the reports were cleaned away: the journals tell it, or it is said what is missing', async () => {
    const scene = await twoPods('cleaned', [exec(mark('ran'))], [exec(sh('echo tried >> marks; test -e gate'))]);
    assert.equal((await scene.apply()).json().phase, 'CompletedWithFailures');
    await takeReports(scene);
    const shown = await scene.status();
    assert.deepEqual([shown.code, shown.json().counts.failed], [0, 1]);
    assert.match(shown.stderr, /^warning: the report can't be read/m);
    await scene.open('b-0');
    const retried = await retry(scene);
    assert.deepEqual([retried.code, retried.json().phase], [0, 'Completed'], retried.stderr);
    assert.match(retried.stderr, /^warning: run \w+: \d of the \d Secrets \S+-report-<n> of its report are gone$/m);
    assert.deepEqual([await scene.marks('a-0'), await scene.marks('b-0')], [['ran'], ['tried', 'tried']]);
    await takeReports(scene);
    await setHooks(scene, [hooksOf('a', exec(mark('ran'))), hooksOf('b', exec(mark('other')))]);
    const refused = await scene.apply();
    assert.deepEqual([refused.code, refused.stdout], [10, ''], refused.stderr);
    assert.match(refused.stderr, /^error: what run \w+ did isn't known: .* are gone.*; nothing is started$/m);
    assert.match(refused.stderr, /^hint: .*--again$/m);
    const again = await scene.apply('--again');
    assert.deepEqual([again.code, again.json().phase], [0, 'Completed'], again.stderr);
    assert.deepEqual(
      [await scene.marks('a-0'), await scene.marks('b-0')],
      [
        ['ran', 'ran'],
        ['tried', 'tried', 'other'],
      ],
    );
    assert.equal((await scene.apply()).json().runID, again.json().runID);
  });

  // R6.1.3
  it("of a Restore isn't that of its copy, or of the one that is created after it", async () => {
    const scene = await twoPods('copied', [exec(mark('ran'))], [exec(mark('ran'))]);
    assert.equal((await scene.apply()).code, 0);
    const { metadata, spec, status } = await scene.current();
    const made = async (name: string) => {
      const { annotations, labels } = metadata;
      const copy = {
        apiVersion: 'velero.io/v1',
        kind: 'Restore',
        metadata: { name, namespace: velero, annotations, labels },
      };
      await cluster.create({ ...copy, spec, status });
    };
    await cluster.remove('restores', velero, scene.name);
    await waitFor('the Restore to go', async () => !(await cluster.exists('restores', velero, scene.name)));
    await made(scene.name);
    const shown = await scene.status();
    assert.deepEqual([shown.code, shown.json().phase, shown.json().hooks], [0, undefined, []], shown.stderr);
    const none = await retry(scene);
    assert.equal(none.code, 2, none.stderr);
    assert.match(none.stderr, /^error: there has been no run of Restore/m);
    // The pods are older than the new Restore.
    const ran = await scene.apply('--include-existing');
    assert.deepEqual([ran.code, ran.json().attempt, ran.json().phase], [0, 1, 'Completed'], ran.stderr);
    for (const pod of ['a-0', 'b-0']) assert.deepEqual(await scene.marks(pod), ['ran', 'ran']);
    const other = `${scene.name}-2`;
    await made(other);
    const copied = await e2e.plugin('status', other, '-n', velero, '-o', 'json');
    assert.deepEqual([copied.code, copied.json().phase], [0, undefined], copied.stderr);
  });
});

describe('old runs', () => {
  // R6.1.7, R6.1.8
  it('are removed by prune, and beyond the last ten by the next run, but what the ledger needs', async () => {
    const scene = await twoPods('old', [exec(mark('ran'))], [exec(mark('ran'))]);
    const objects = async (): Promise<Set<string>> => {
      const found = await Promise.all(
        ['secrets', 'configMaps', 'jobs'].map((kind) => cluster.list(kind, velero, labelled(scene))),
      );
      return new Set(found.flat().map(({ metadata }) => metadata.labels['restorehooks.io/run-id']));
    };
    const first = await scene.apply('--only', 'a-0');
    assert.equal(first.code, 0, first.stderr);
    for (let runs = 0; runs < 10; runs += 1) {
      const ran = await scene.apply(local, '--again', '--only', 'b-0');
      assert.equal(ran.code, 0, ran.stderr);
    }
    const standing = await objects();
    assert.equal(standing.size, 11, 'ten, and the one with the last result of a-0');
    assert.ok(standing.has(first.json().runID));
    const next = await scene.apply(local, '--again', '--only', 'b-0');
    assert.deepEqual([next.code, (await objects()).size], [0, 11], next.stderr);
    const before = await objects();
    const dry = await e2e.plugin('prune', scene.name, '-n', velero, '--dry-run');
    assert.match(dry.stdout, /^would remove 9 runs: (\w{6}, ){8}\w{6}; 2 runs stay: /, dry.stderr);
    assert.deepEqual(await objects(), before);
    const pruned = await e2e.plugin('prune', scene.name, '-n', velero);
    assert.match(pruned.stdout, /^removed 9 runs \(\d+ objects\); 2 runs stay: /, pruned.stderr);
    assert.deepEqual(await objects(), new Set([first.json().runID, next.json().runID]));
    const all = await scene.apply(local);
    assert.deepEqual([all.code, await scene.marks('a-0')], [0, ['ran']], all.stderr);
    const limited = await e2e.userWith([
      { apiGroups: ['velero.io'], resources: ['restores'], verbs: ['get'], namespace: velero },
    ]);
    const denied = await limited('prune', scene.name, '-n', velero);
    assert.deepEqual([denied.code, denied.stdout], [5, ''], denied.stderr);
  });
});

describe('what is left', { concurrency: 4 }, () => {
  const fails = exec(sh('echo tried >> marks; test -e gate'), { onError: 'Fail' });
  const aborted = exec(mark('ran'), { onError: 'Fail' });

  // R6.1.5
  it('of Fail hooks keeps a run from being called done, and the Restore from being put back', async () => {
    const scene = await twoPods('aborted', [fails], [aborted]);
    const first = await scene.apply('--max-concurrent=1');
    assert.deepEqual(endings(first.json()), ['a-0 Failed exit', 'b-0 NotExecuted aborted'], first.stderr);
    await scene.open('a-0');
    const some = await retry(scene, '--only', 'a-0', local);
    assert.deepEqual([some.code, some.json().phase], [3, 'PartiallyFailed'], some.stderr);
    assert.deepEqual([await phaseOf(scene), await scene.marks('b-0')], ['PartiallyFailed', []]);
    const rest = await retry(scene);
    assert.deepEqual([rest.code, rest.json().phase], [0, 'Completed'], rest.stderr);
    assert.deepEqual([await phaseOf(scene), await scene.marks('b-0')], ['Completed', ['ran']]);
    assert.deepEqual(await scene.marks('a-0'), ['tried', 'tried']);
  });

  it('is run by apply once its cause is mended, also after a run of --only, which puts nothing back', async () => {
    const scene = await twoPods('mended', [fails], [aborted]);
    assert.equal((await scene.apply('--max-concurrent=1')).code, 3);
    await setHooks(scene, [hooksOf('a', exec(mark('mended'), { onError: 'Fail' })), hooksOf('b', aborted)]);
    const only = await scene.apply('--only', 'a-0', local);
    assert.deepEqual([only.code, await phaseOf(scene)], [0, 'PartiallyFailed'], only.stderr);
    const all = await scene.apply();
    assert.deepEqual([all.code, all.json().phase], [0, 'Completed'], all.stderr);
    assert.deepEqual([await scene.marks('a-0'), await scene.marks('b-0')], [['tried', 'mended'], ['ran']]);
    assert.equal(await phaseOf(scene), 'Completed');
  });

  it('of a runner that was killed may be running: its pod stays quiet though the plan has the hook no more', async () => {
    const scene = await e2e.scene('lost');
    await scene.pod('a-0');
    const limit = isReal ? 20 : 8;
    const endless = sh('date +%s >> begun; echo begun >> marks; sleep 600');
    await scene.restore({
      hooks: [entry(exec(endless, { execTimeout: `${limit}s` }))],
      status: { phase: 'Completed' },
    });
    const run = e2e.plugin.start('apply', scene.name, '-n', velero, '-o', 'json', local);
    await waitFor('it to begin', async () => (await scene.marks('a-0')).includes('begun'));
    run.kill('SIGKILL');
    await run.done;
    await setHooks(scene, [entry(exec(['sh', '-c', 'date +%s >> marks']), { name: 'other' })]);
    const next = await scene.apply();
    assert.deepEqual([next.code, next.json().phase], [0, 'Completed'], next.stderr);
    const [since, first] = [...(await scene.marks('a-0', 'main', 'begun')), (await scene.marks('a-0')).at(-1)];
    assert.ok(Number(first) - Number(since) >= limit - 1, `${first} is too soon after ${since}`);
  });

  it('of a run that goes on is canceled, also where its annotations were just taken away', async () => {
    const scene = await e2e.scene('wiped');
    await scene.pod('a-0');
    await scene.restore({ hooks: [entry([exec(gated()), exec(mark('second'))])] });
    await scene.apply('--no-wait');
    await scene.runStatus(({ counts }) => counts.running === 1);
    await takeAnnotations(scene);
    const canceled = await e2e.plugin('cancel', scene.name, '-n', velero);
    assert.match(canceled.stdout, /^run \w+ is asked to stop/, canceled.stderr);
    await scene.runStatus(({ counts }) => counts.notExecuted === 1);
    await scene.open('a-0');
    assert.equal((await scene.status('-w')).json().phase, 'Canceled');
    assert.deepEqual(await scene.marks('a-0'), ['begun', 'ended']);
  });

  it('of a command that cancel dropped may be running: nothing starts beside it', async () => {
    const scene = await e2e.scene('dropped');
    await scene.pod('a-0');
    const command = sh('echo begun >> marks; sleep 8; echo ended >> marks');
    await scene.restore({ hooks: [entry([exec(command, { execTimeout: '12s' }), exec(mark('second'))])] });
    await scene.apply('--no-wait');
    await scene.runStatus(({ counts }) => counts.running === 1);
    await e2e.plugin('cancel', scene.name, '-n', velero, '--grace=0s');
    assert.equal((await scene.status('-w')).json().phase, 'Canceled');
    await scene.apply('--only', (await scene.status()).json().hooks[1].id);
    assert.deepEqual(await scene.marks('a-0'), ['begun', 'ended', 'second']);
  });

  it('of a run is told although there is nothing to run any more', async () => {
    const scene = await twoPods('denied', [fails], [aborted]);
    const first = await scene.apply('--max-concurrent=1');
    for (const pod of ['a-0', 'b-0']) {
      await cluster.patch('pods', scene.namespace, pod, { metadata: { labels: { 'velero.io/restore-name': null } } });
    }
    const shown = await scene.apply();
    assert.deepEqual([shown.code, shown.json().runID], [3, first.json().runID], shown.stderr);
  });
});
