import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import type { Loose, Scene } from './harness.ts';
import { entry, exec, gated, hookAnnotations, hooksOf, mark, OWN, sh, startSuite, waitFor } from './harness.ts';

/** Looking at plans and runs: why a pod has its hooks, what has changed, some of the hooks, earlier runs, all runs. */

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;
const local = '--runner=local';
const completed = { status: { phase: 'Completed' } };
const at = ['-n', velero];
const retry = (scene: Scene, ...args: string[]) => e2e.plugin('retry', scene.name, ...at, '-o', 'json', ...args);
const setHooks = (scene: Scene, resources: readonly object[]) =>
  cluster.patch('restores', velero, scene.name, { spec: { hooks: { resources } } });

describe('plan --explain', { concurrency: 4 }, () => {
  // R7.2, R7.50
  it('says in which entry, by which field, and its planned hooks are those of the plan', async () => {
    const scene = await e2e.scene('explain');
    await Promise.all([
      scene.pod('web-0'),
      scene.pod('db-0', { annotations: hookAnnotations(OWN, mark('own'), { 'on-error': 'Fail' }) }),
    ]);
    await scene.restore({ hooks: [hooksOf('web', exec(mark('warm'), { execTimeout: '5m' }))], ...completed });
    const text = await e2e.plugin('plan', scene.name, ...at, '--explain', `${scene.namespace}/web-0`);
    assert.equal(text.code, 0, text.stderr);
    assert.match(text.stdout, /^ +yes {2}spec\.hooks\.resources\[0\]\.labelSelector\.matchLabels\.app: web$/m);
    assert.match(text.stdout, /^ +execTimeout +5m0s \(\.execTimeout\)$/m);
    for (const line of text.stdout.split('\n')) assert.ok(line.length <= 80 || !/\s\S+\s/.test(line.trim()), line);
    const both = await scene.plan('--explain', 'web-0', '--explain', 'pod/db-0');
    const { kind, pods, digest } = both.json();
    const plan = (await scene.plan()).json();
    assert.deepEqual([kind, digest], ['RestoreHookExplanation', plan.digest], both.stderr);
    assert.deepEqual(
      pods.flatMap(({ planned }: Loose) => planned).sort(),
      plan.hooks.map(({ id }: Loose) => id).sort(),
    );
    const values = pods[1].exec[0].entries[0].hooks[0].planned[0].values;
    const onError = values.find(({ name }: Loose) => name === 'onError');
    assert.deepEqual(onError, { name: 'onError', value: 'Fail', from: 'annotation', field: `${OWN}/on-error` });
  });

  // R7.51
  it('finds a pod that the Restore has not restored and says why; one that is not there is exit code 2', async () => {
    const scene = await e2e.scene('explain-other');
    await scene.pod('web-0');
    await scene.pod('web-1', { labels: { 'velero.io/restore-name': 'another' } });
    const elsewhere = await cluster.namespace('e2e-explain-elsewhere');
    const stray = { ...scene.podManifest('stray-0'), metadata: { name: 'stray-0', namespace: elsewhere } };
    await cluster.create(stray);
    await scene.restore({ hooks: [entry(exec(mark('x')))], ...completed });
    const leftOut = async (pod: string) => (await scene.plan('--explain', pod)).json().pods[0].leftOut;
    const other = await leftOut('web-1');
    assert.deepEqual([other.code, other.instead], ['label-of-another-restore', [`${scene.namespace}/web-0`]]);
    assert.match(other.message, /label of Restore another/);
    assert.equal((await leftOut(`${elsewhere}/stray-0`)).code, 'no-restore-label');
    const none = await scene.plan('--explain', 'web-9');
    assert.deepEqual([none.code, none.stdout], [2, '']);
    assert.match(none.stderr, /^error: there is no pod web-9\nhint: did you mean .*web-0/);
    const reader = await e2e.userWith([{ apiGroups: ['velero.io'], resources: ['restores'], verbs: ['get', 'list'] }]);
    assert.equal((await reader('plan', scene.name, ...at, '--explain', 'web-0')).code, 5, 'who may not list pods');
  });
});

// R7.52
describe('plan --diff', { concurrency: 4 }, () => {
  it('tells what is new, gone and changed since a plan was saved, and is exit code 0', async () => {
    const scene = await e2e.scene('diff-file');
    await Promise.all([scene.pod('web-0'), scene.pod('db-0')]);
    const warm = exec(mark('warm'), { waitTimeout: '30s' });
    await scene.restore({
      hooks: [hooksOf('web', warm, exec(mark('same'))), hooksOf('db', exec(mark('db')))],
      ...completed,
    });
    const file = join(cluster.folder, 'saved.json');
    await writeFile(file, (await scene.plan()).stdout);
    await setHooks(scene, [
      hooksOf('web', exec(mark('other'), { waitTimeout: '5m' }), exec(mark('same')), exec(mark('new'))),
    ]);
    const diff = await e2e.plugin('plan', scene.name, ...at, `--diff=${file}`);
    assert.equal(diff.code, 0, diff.stderr);
    const id = (pod: string, index: number) => `${scene.namespace}/${pod}/main/${pod.slice(0, -2)}/${index}`;
    assert.deepEqual(diff.stdout.split('\n').slice(1, 5), [
      `~ ${id('web-0', 0)} (another command, waitTimeout 30s → 5m0s)`,
      `+ ${id('web-0', 2)}`,
      `- ${id('db-0', 0)}`,
      '1 new, 1 changed, 1 gone, 1 unchanged',
    ]);
    const wrong = await e2e.plugin('plan', scene.name, ...at, '--diff', file);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, new RegExp(`hint: write --diff=${file}`));
  });

  it('tells what has changed since the last run, and what would not run again', async () => {
    const scene = await e2e.scene('diff-run');
    await Promise.all([scene.pod('web-0'), scene.pod('db-0')]);
    const hooks = [hooksOf('web', exec(mark('web'))), hooksOf('db', exec(sh('exit 3')))];
    await scene.restore({ hooks, ...completed });
    const first = (await scene.plan('--diff')).json();
    assert.deepEqual([first.against, first.hooks.map(({ change }: Loose) => change)], [{}, ['new', 'new']]);
    const ran = (await scene.apply(local)).json();
    await scene.removePod('web-0');
    await scene.pod('web-0');
    const { against, hooks: changes } = (await scene.plan('--diff')).json();
    assert.equal(against.runID, ran.runID);
    assert.deepEqual(
      changes.map(({ change, fields, kept }: Loose) => [change, fields.map(({ field }: Loose) => field), kept?.state]),
      [
        ['unchanged', [], 'Failed'],
        ['changed', ['podUID'], undefined],
      ],
    );
  });
});

describe('status', { concurrency: 4 }, () => {
  // R7.53
  it('shows some of the hooks, and counts all of them', async () => {
    const scene = await e2e.scene('rows');
    await Promise.all([scene.pod('a-0'), scene.pod('b-0')]);
    await scene.restore({ hooks: [hooksOf('a', exec(mark('x'))), hooksOf('b', exec(sh('exit 3')))], ...completed });
    assert.equal((await scene.apply(local)).code, 0);
    const failed = (await scene.status('--failed')).json();
    assert.deepEqual([failed.hooks.map(({ pod }: Loose) => pod), failed.counts.planned], [['b-0'], 2]);
    const text = await e2e.plugin('status', scene.name, ...at, '--state', 'Succeeded', '--wide');
    assert.match(text.stdout, /^shown {5}1 of 2 hooks \(--state Succeeded\)$/m);
    assert.match(text.stdout, /ATTEMPT +STARTED/);
    const names = await e2e.plugin('status', scene.name, ...at, '--pod', 'b-0', '-o', 'name');
    assert.equal(names.stdout, `${scene.namespace}/b-0/main/b/0\n`);
    const rows = await e2e.plugin('status', scene.name, ...at, '--no-headers', '--sort-by', 'state');
    assert.match(rows.stdout, /^\S+\/b-0 .*\n\S+\/a-0 .*\n$/);
    const unknown = await scene.status('--pod', 'c-0');
    assert.deepEqual([unknown.code, unknown.stdout], [2, '']);
    const state = await scene.status('--state', 'failed');
    assert.equal(state.code, 2);
    assert.match(state.stderr, /did you mean Failed\?/);
  });

  // R7.54
  it('shows an earlier run with what its hooks printed, and names the runs that there are', async () => {
    const scene = await e2e.scene('earlier');
    await scene.pod('web-0');
    await scene.restore({ hooks: [hooksOf('web', exec(sh('echo said; test -f fixed')))], ...completed });
    const first = (await scene.apply(local)).json();
    await scene.open('web-0', 'main', 'fixed');
    const second = (await retry(scene, local)).json();
    const [before, last] = await Promise.all([scene.status('--run', first.runID), scene.status('--run', second.runID)]);
    assert.deepEqual([before.code, before.json().phase], [0, first.phase], before.stderr);
    assert.deepEqual(before.json().hooks, first.hooks);
    assert.equal(before.json().hooks[0].stdout, 'said\n');
    assert.deepEqual([last.json().phase, last.json().hooks[0].state], ['Completed', 'Succeeded']);
    const none = await scene.status('--run', 'nosuch');
    assert.deepEqual([none.code, none.stdout], [2, '']);
    assert.match(none.stderr, new RegExp(`oldest first: ${first.runID} \\(attempt 1, .*${second.runID} \\(attempt 2`));
    const watched = await scene.status('--run', first.runID, '-w');
    assert.equal(watched.code, 2);
  });

  // R7.85
  it('is what logs and report of an earlier run tell', async () => {
    const scene = await e2e.scene('earlier-logs');
    await scene.pod('web-0');
    await scene.restore({ hooks: [hooksOf('web', exec(sh('echo said-$(ls fixed); test -f fixed')))], ...completed });
    const first = (await scene.apply(local)).json();
    await scene.open('web-0', 'main', 'fixed');
    assert.equal((await retry(scene, local)).code, 0);
    const of = (command: string, ...args: string[]) => e2e.plugin(command, scene.name, ...at, ...args);
    const [before, last] = await Promise.all([of('logs', '--run', first.runID), of('logs')]);
    assert.deepEqual([before.code, last.code], [0, 0], before.stderr);
    assert.match(before.stdout, /^said-$/m);
    assert.match(last.stdout, /^said-fixed$/m);
    const report = await of('report', '--run', first.runID, '-o', 'json');
    assert.deepEqual([report.code, report.json().runID, report.json().phase], [0, first.runID, first.phase]);
    const wrong = await of('logs', '--run', first.runID, '--hook', 'nosuch');
    assert.match(wrong.stderr, new RegExp(`status ${scene.name} -n ${velero} --run ${first.runID} -o name`));
    for (const command of ['logs', 'report']) {
      const none = await of(command, '--run', 'nosuch');
      assert.deepEqual([none.code, none.stdout], [2, '']);
      assert.match(none.stderr, /has no run nosuch of which anything is left/);
    }
    assert.equal((await of('logs', '--run', first.runID, '-f')).code, 2);
  });
});

// R7.55
describe('list', { concurrency: 4 }, () => {
  it('shows the Restores with a run, the newest first, to whoever may list them', async () => {
    const scene = await e2e.scene('list');
    await scene.pod('web-0');
    await scene.restore({ hooks: [hooksOf('web', exec(sh('exit 3')))], ...completed });
    const without = await e2e.scene('list-without');
    await without.restore();
    await scene.apply(local);
    const restores = [{ namespace: velero, apiGroups: ['velero.io'], resources: ['restores'], verbs: ['list'] }];
    const reader = await e2e.userWith(restores);
    const named = ({ items }: Loose) => items.map(({ restore }: Loose) => restore.name);
    const listed = (await reader('list', ...at, '-o', 'json')).json();
    assert.equal(listed.kind, 'RestoreHookRunList');
    assert.ok(named(listed).includes(scene.name) && !named(listed).includes(without.name));
    const all = (await reader('list', ...at, '--all', '-o', 'json')).json();
    assert.ok(named(all).includes(without.name));
    const ages = all.items.map(({ restoreCreatedAt }: Loose) => restoreCreatedAt);
    assert.deepEqual(ages, [...ages].sort().reverse());
    const item = all.items.find(({ restore }: Loose) => restore.name === scene.name);
    assert.deepEqual([item.phase, item.counts.failed], ['CompletedWithFailures', 1]);
    const table = await reader('list', ...at);
    assert.match(table.stdout, /^NAME +PHASE +PROGRESS +AGE\n/);
    assert.match(table.stdout, new RegExp(`^${scene.name} +CompletedWithFailures +1/1 done, 1 failed +\\d+s$`, 'm'));
    const names = await e2e.plugin('list', ...at, '-o', 'name');
    assert.ok(names.stdout.split('\n').includes(`restore.velero.io/${scene.name}`));
    const wrong = await reader('list', ...at, '-l', 'a in b');
    assert.deepEqual([wrong.code, wrong.stdout], [2, '']);
    assert.match(wrong.stderr, /^error: invalid argument "a in b" for -l, --selector: /m);
    const denied = await reader('list', '-A');
    assert.equal(denied.code, 5);
    assert.match(denied.stderr, /hint: .*list -n NAMESPACE/);
  });

  it('-w prints a row for each change, also to whoever may list and not watch', async () => {
    const scene = await e2e.scene('list-watch');
    await scene.pod('web-0');
    await scene.restore({ hooks: [hooksOf('web', exec(gated()))], ...completed });
    await cluster.patch('restores', velero, scene.name, { metadata: { labels: { watched: 'yes' } } });
    const restores = (verbs: readonly string[]) =>
      e2e.userWith([{ namespace: velero, apiGroups: ['velero.io'], resources: ['restores'], verbs }]);
    const [lister, watcher] = await Promise.all([restores(['list']), restores(['list', 'watch'])]);
    const started = [lister, watcher].map((user) => user.start('list', ...at, '-l', 'watched=yes', '-w'));
    for (const each of started) await each.says(/no Restore with a run/);
    const ran = scene.apply(local);
    await waitFor('the hook to run', async () => (await scene.marks('web-0')).includes('begun'));
    for (const each of started) await each.says(/InProgress/);
    await scene.open('web-0');
    assert.equal((await ran).code, 0);
    for (const each of started) {
      await each.says(/Completed/);
      each.kill('SIGINT');
      const { code, stdout } = await each.done;
      assert.equal(code, 130);
      assert.match(stdout, /^NAME +PHASE/);
      assert.equal(stdout.match(/NAME/g)?.length, 1);
    }
  });
});
