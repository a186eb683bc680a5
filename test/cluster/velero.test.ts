import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { paths } from '../../shared/kubernetes/api/paths.ts';
import type { Loose, Scene } from '../e2e/harness.ts';
import {
  endings,
  entry,
  exec,
  gated,
  hookAnnotations,
  hooksOf,
  IMAGE,
  isReal,
  mark,
  OWN,
  readyWhenOpen,
  sh,
  VELERO,
  waitFor,
} from '../e2e/harness.ts';
import { assertUntouched } from '../e2e/untouched.ts';
import { testbed } from './bed.ts';
import type { Backup, Restored, World } from './velero/world.ts';
import { startWorld } from './velero/world.ts';

const VELERO_INIT = 'init.hook.restore.velero.io';

/** Compares a real Velero with this tool: what each does with hooks, where they differ (docs/contract.md, section 10). */

const skip = !isReal && 'needs a cluster with a Velero of its own: npm run test:cluster';

describe('beside a real Velero', { skip }, () => {
  let world: World;
  before(async () => {
    world = await startWorld();
  });
  after(() => world?.close());

  /** The plan of a backup (given as an archive or by name) for a Restore as it was before Velero saw it. */
  async function planOfBackup(restore: Loose, ...backup: string[]): Promise<Loose> {
    const file = join(world.cluster.folder, `${restore.metadata.name}.json`);
    await writeFile(file, JSON.stringify(restore));
    const ran = await world.plugin('plan', '-f', file, ...backup, '-o', 'json');
    assert.equal(ran.code, 0, ran.stderr);
    return ran.json();
  }
  const planOfArchive = ({ archive }: Backup, restore: Loose) => planOfBackup(restore, '--backup-archive', archive);

  /** The lines that a plan's hooks would write, by pod and container, in order. */
  function planned({ hooks }: Loose): Record<string, string[]> {
    const lines: Record<string, string[]> = {};
    for (const { kind, pod, container, command } of hooks) {
      const line = /^echo (\S+) >> marks$/.exec(command?.[2])?.[1];
      assert.ok(kind === 'exec' && line, `${pod}: a hook that leaves no line`);
      lines[`${pod}/${container}`] = [...(lines[`${pod}/${container}`] ?? []), line];
    }
    return lines;
  }

  /** The lines that hooks have written, by pod and container, in all pods of the Restore. */
  async function left(scene: Scene): Promise<Record<string, string[]>> {
    const lines: Record<string, string[]> = {};
    for (const { metadata, spec } of await world.cluster.list('pods', scene.namespace)) {
      for (const { name } of spec.containers) {
        const marks = await scene.marks(metadata.name, name);
        if (marks.length > 0) lines[`${metadata.name}/${name}`] = marks;
      }
    }
    return lines;
  }

  const finalizing = (scene: Restored) =>
    waitFor(`${scene.name} to be finalized`, async () => (await scene.current()).status?.phase === 'Finalizing');
  const lineIn = (scene: Scene, pod: string, line: string, container = 'main') =>
    waitFor(`${line} in ${pod}`, async () => {
      const { status } = await world.cluster.get('pods', scene.namespace, pod);
      return status.phase === 'Running' && (await scene.marks(pod, container)).includes(line);
    });

  describe('our plan of the archive is what Velero does', () => {
    let backup: Backup;
    let source: Scene;
    before(async () => {
      source = await world.scene('shop');
      const { metadata, spec } = source.podManifest('web', {
        labels: { tier: 'front' },
        containers: [{ name: 'main' }, { name: 'log' }],
      });
      const labels = { app: 'web', tier: 'front' };
      await world.cluster.create({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'web', namespace: source.namespace, labels },
        spec: { replicas: 2, selector: { matchLabels: { app: 'web' } }, template: { metadata: { labels }, spec } },
      });
      assert.equal(metadata.namespace, source.namespace);
      await world.workload(source, 'db-0', {
        containers: [{ name: 'main' }, { name: 'db' }],
        annotations: hookAnnotations(VELERO, mark('annotated'), {
          container: 'db',
          'on-error': 'Fail',
          'exec-timeout': '20s',
          'wait-timeout': '1m',
        }),
      });
      await world.workload(source, 'worker-0', { labels: { tier: 'back' }, annotations: { 'example.com/x': 'y' } });
      // Finished: Velero doesn't restore it.
      await world.workload(source, 'migrate-0', {
        containers: [{ name: 'main', command: ['true'] }],
        spec: { restartPolicy: 'Never' },
      });
      await waitFor('the finished pod', async () => {
        const { status } = await world.cluster.get('pods', source.namespace, 'migrate-0');
        return status.phase === 'Succeeded';
      });
      await waitFor('the Deployment', async () => {
        const { status } = await world.cluster.get('deployments', source.namespace, 'web');
        return status.readyReplicas === 2;
      });
      backup = await world.backUp(source);
    });

    /** Lets Velero restore the backup and compares its hooks with the plan. Returns the pods that had hooks. */
    async function agree(scene: Restored, options: object): Promise<string[]> {
      const restore = await scene.begin(options);
      const plan = await planOfArchive(backup, restore);
      assert.deepEqual(await planOfBackup(restore, '--from-backup', backup.name), plan, 'as Velero gives it away');
      assert.equal((await scene.done()).status.phase, 'Completed');
      const expected = planned(plan);
      assert.deepEqual(await left(scene), expected);
      const live = await scene.plan('--rerun');
      assert.equal(live.code, 0, live.stderr);
      const withoutUID = ({ podUID: _, ...hook }: Loose): Loose => hook;
      assert.deepEqual(live.json().hooks.map(withoutUID), plan.hooks.map(withoutUID), 'the plan of the live pods');
      return Object.keys(expected).map((key) => key.replace(/^web-.*\//, 'web/'));
    }

    it('into another namespace: hooks select by the target, Restores by label', async () => {
      const scene = await backup.into('mapped');
      const pods = await agree(scene, {
        spec: { labelSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['web', 'worker'] }] } },
        hooks: [
          entry(exec(mark('target')), { name: 'target', includedNamespaces: [scene.namespace] }),
          entry(exec(mark('source')), { name: 'source', includedNamespaces: [source.namespace] }),
          entry(exec(mark('not-target')), { name: 'not-target', excludedNamespaces: [scene.namespace] }),
        ],
      });
      assert.deepEqual(pods, ['web/main', 'web/main', 'worker-0/main']);
    });

    it('pods alone, of one label or another, under a name of more than 63 characters', async () => {
      const scene = await backup.into('pods', `${backup.name}-${'0123456789'.repeat(6)}`);
      const selectors = ['worker', 'db'].map((app) => ({ matchLabels: { app } }));
      const pods = await agree(scene, {
        spec: { includedResources: ['pods'], orLabelSelectors: selectors },
        hooks: [entry([exec(mark('one')), exec(mark('two'))], { includedResources: ['pods'] })],
      });
      assert.deepEqual(pods, ['db-0/db', 'worker-0/main']);
    });

    it('into the namespace that it came from: annotations, containers, selectors, resources', async () => {
      const scene = await backup.back();
      const web = { labelSelector: { matchLabels: { app: 'web' } } };
      const pods = await agree(scene, {
        hooks: [
          entry([exec(mark('web-1')), exec(mark('web-log'), { container: 'log' })], { name: 'web', ...web }),
          entry(exec(mark('web-2'), { container: 'main', waitForReady: true, waitTimeout: '1m' }), {
            name: 'web-again',
            ...web,
          }),
          entry(exec(mark('tier')), {
            name: 'tier',
            includedNamespaces: ['e2e-shop-*'],
            labelSelector: { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['front'] }] },
          }),
          entry(exec(mark('every'), { onError: 'Fail' }), { name: 'every', includedResources: ['pods'] }),
        ],
      });
      assert.deepEqual(pods, ['db-0/db', 'web/main', 'web/log', 'web/main', 'web/log', 'worker-0/main']);
    });
  });

  describe('where Velero breaks a promise, we keep it', () => {
    let backup: Backup;
    before(async () => {
      const source = await world.scene('promises');
      await world.workload(source, 'bad-0');
      await world.workload(source, 'late-0', { containers: [readyWhenOpen] });
      await world.workload(source, 'never-0', { containers: [readyWhenOpen] });
      await world.workload(source, 'entry-0', {
        annotations: {
          'init.hook.restore.velero.io/container-image': 'testbed.local/busybox:1',
          'init.hook.restore.velero.io/container-name': 'first',
        },
      });
      backup = await world.backUp(source);
    });
    const late = hooksOf('late', exec(mark('late'), { waitForReady: true, waitTimeout: '5m' }));
    const only = (...apps: string[]) => ({ orLabelSelectors: apps.map((app) => ({ matchLabels: { app } })) });

    it('a Continue hook that fails: Velero cancels the hooks of other pods, we run them', async () => {
      const scene = await backup.into('continue');
      const restored = await scene.run({
        spec: only('bad', 'late'),
        hooks: [hooksOf('bad', exec(sh('exit 3'))), late],
      });
      assert.equal(restored.status.phase, 'PartiallyFailed');
      await scene.open('late-0');
      const ran = await scene.apply('--rerun');
      assert.deepEqual([ran.code, ran.json().phase], [0, 'CompletedWithFailures'], ran.stderr);
      assert.deepEqual(endings(ran.json()), { 'bad-0 0': 'Failed (exit)', 'late-0 0': 'Succeeded' });
      assert.deepEqual(await scene.marks('late-0'), ['late'], 'ours alone');
    });

    it('a Continue hook that waits in vain: Velero cancels the hooks of other pods, we run them', async () => {
      const scene = await backup.into('timeout');
      const vain = hooksOf('never', exec(mark('never'), { waitForReady: true, waitTimeout: '2s' }));
      const restored = await scene.run({ spec: only('never', 'late'), hooks: [vain, late] });
      assert.equal(restored.status.phase, 'PartiallyFailed');
      await scene.open('late-0');
      const ran = await scene.apply('--rerun');
      assert.deepEqual(endings(ran.json()), { 'late-0 0': 'Succeeded', 'never-0 0': 'TimedOut (waiting)' });
      assert.deepEqual([await scene.marks('late-0'), await scene.marks('never-0')], [['late'], []]);
    });

    it('a Continue hook past its wait timeout: Velero counts it as failed and runs it, we never do', async () => {
      const scene = await backup.into('expired');
      const slow = exec(sh('echo slow >> marks; sleep 2'));
      const hooks = [hooksOf('bad', slow, exec(mark('expired'), { waitTimeout: '1s' }))];
      const restored = await scene.run({ spec: only('bad'), hooks });
      assert.equal(restored.status.phase, 'PartiallyFailed');
      assert.deepEqual(await scene.marks('bad-0'), ['slow', 'expired']);
      const ran = await scene.apply('--rerun');
      assert.deepEqual(endings(ran.json()), { 'bad-0 0': 'Succeeded', 'bad-0 1': 'TimedOut (waiting)' });
      assert.deepEqual(await scene.marks('bad-0'), ['slow', 'expired', 'slow']);
    });

    it('a Fail hook that fails stops the others, there and here', async () => {
      const scene = await backup.into('fail');
      const bad = hooksOf('bad', exec(sh('exit 3'), { onError: 'Fail' }));
      const restored = await scene.run({ spec: only('bad', 'late'), hooks: [bad, late] });
      assert.equal(restored.status.phase, 'PartiallyFailed');
      const ran = await scene.apply('--rerun');
      assert.deepEqual([ran.code, ran.json().phase], [3, 'PartiallyFailed'], ran.stderr);
      assert.deepEqual(endings(ran.json()), { 'bad-0 0': 'Failed (exit)', 'late-0 0': 'NotExecuted (aborted)' });
      assert.deepEqual(await scene.marks('late-0'), []);
    });

    it('a hook for a container that is not there: Velero gives up, and another runs on; we run nothing beside it', async () => {
      const scene = await backup.into('missing');
      const hooks = [
        hooksOf('bad', exec(mark('lost'), { container: 'nope' }), exec(mark('found'))),
        hooksOf('late', exec(gated(), { execTimeout: '5m', waitTimeout: '1m' })),
      ];
      const { status } = await scene.run({ spec: only('bad', 'late'), hooks });
      assert.deepEqual([status.phase, status.hookStatus], ['PartiallyFailed', undefined]);
      assert.deepEqual([await scene.marks('bad-0'), await scene.marks('late-0')], [['found'], ['begun']]);
      const file = await scene.hooksFile([entry(exec(mark('file')))]);
      const { metadata } = await world.cluster.get('pods', scene.namespace, 'late-0');
      const until = new Date(Date.parse(metadata.creationTimestamp) + 6 * 60_000).toISOString();
      for (const args of [[], ['--rerun'], ['--hooks', file], ['--rerun', '--only', 'late-0']]) {
        const refused = await scene.apply(...args);
        assert.deepEqual([refused.code, refused.stdout], [9, ''], refused.stderr);
        assert.match(refused.stderr, /^error: Velero has given up waiting/);
        assert.match(refused.stderr, new RegExp(`late-0: .*late \\(0\\), .* until ${until}$`, 'm'));
      }
      await assertUntouched(world, scene);
      await scene.open('late-0');
      await lineIn(scene, 'late-0', 'ended');
      assert.deepEqual(await scene.marks('late-0'), ['begun', 'ended'], "Velero's, once");
      const ran = await scene.apply('--rerun', '--force', '--only', 'bad-0');
      assert.deepEqual(endings(ran.json()), { 'bad-0 0': 'NotExecuted (no-such-container)', 'bad-0 1': 'Succeeded' });
      assert.deepEqual(await scene.marks('bad-0'), ['found', 'found']);
    });

    it('an entry for other resources than pods: Velero reads no resources and runs its hooks, we plan none', async () => {
      const scene = await backup.into('resources');
      const restore = await scene.begin({
        spec: only('bad'),
        hooks: [
          entry(exec(mark('excluded')), { name: 'excluded', excludedResources: ['pods'] }),
          entry(exec(mark('included')), { name: 'included', includedResources: ['deployments'] }),
          entry(exec(mark('all')), { name: 'all' }),
        ],
      });
      const plan = await planOfArchive(backup, restore);
      assert.equal((await scene.done()).status.phase, 'Completed');
      assert.deepEqual(planned(plan), { 'bad-0/main': ['all'] });
      assert.deepEqual(await left(scene), { 'bad-0/main': ['excluded', 'included', 'all'] });
    });

    it('an init hook annotation without a command: Velero restores no pod, we plan the ENTRYPOINT', async () => {
      const scene = await backup.into('entrypoint');
      const restore = await scene.begin({ spec: only('entry') });
      const { hooks } = await planOfArchive(backup, restore);
      assert.deepEqual(
        hooks.map(({ kind, pod, container, command }: Loose) => [kind, pod, container, command]),
        [['init', 'entry-0', 'first', undefined]],
      );
      assert.equal((await scene.done()).status.phase, 'PartiallyFailed');
      assert.deepEqual(await world.cluster.list('pods', scene.namespace), []);
    });
  });

  describe('after Velero, apply', () => {
    let backup: Backup;
    before(async () => {
      const source = await world.scene('after');
      await world.workload(source, 'own-0', { annotations: hookAnnotations(OWN, mark('own')) });
      await world.workload(source, 'db-0', { annotations: hookAnnotations(VELERO, mark('db')) });
      await world.workload(source, 'fail-0', {
        annotations: hookAnnotations(OWN, sh('test -f gate && echo mended >> marks'), { 'on-error': 'Fail' }),
      });
      await world.workload(source, 'job-0');
      backup = await world.backUp(source);
    });
    const apps = (...values: string[]) => ({
      labelSelector: { matchExpressions: [{ key: 'app', operator: 'In', values }] },
    });

    it("runs our own annotations, and of Velero's nothing", async () => {
      const scene = await backup.into('own');
      const { status } = await scene.run({
        spec: apps('own', 'db', 'job'),
        hooks: [hooksOf('job', exec(mark('job')))],
      });
      assert.equal(status.phase, 'Completed');
      assert.deepEqual(await left(scene), { 'db-0/main': ['db'], 'job-0/main': ['job'] }, 'Velero');
      const ran = await scene.apply();
      assert.deepEqual([ran.code, ran.json().phase, ran.json().counts.planned], [0, 'Completed', 1], ran.stderr);
      assert.match(ran.stderr, /^notice: .*\/db-0: .*\(velero-has-run\)$/m);
      assert.deepEqual(await left(scene), { 'db-0/main': ['db'], 'job-0/main': ['job'], 'own-0/main': ['own'] });
      const again = await scene.apply();
      assert.equal(again.code, 0, again.stderr);
      assert.deepEqual(await scene.marks('own-0'), ['own'], 'nothing twice');
    });

    it("runs Velero's own only with --rerun, and names the commands without", async () => {
      const scene = await backup.into('again');
      await scene.run({ spec: apps('db', 'job'), hooks: [hooksOf('job', exec(mark('job')))] });
      const refused = await scene.apply();
      assert.equal(refused.code, 9);
      assert.equal(
        refused.stderr,
        `error: Velero has worked on Restore ${scene.name} and may have run its 2 hooks\n` +
          `hint: see them: kubectl restorehooks plan ${scene.name} -n velero --rerun\n` +
          `run them again: kubectl restorehooks apply ${scene.name} -n velero --rerun [--only HOOK|POD]\n`,
      );
      await assertUntouched(world, scene);
      assert.deepEqual(await left(scene), { 'db-0/main': ['db'], 'job-0/main': ['job'] });
      const ran = await scene.apply('--rerun', '--only', 'db-0');
      assert.deepEqual([ran.code, ran.json().counts.planned], [0, 1], ran.stderr);
      assert.deepEqual(await left(scene), { 'db-0/main': ['db', 'db'], 'job-0/main': ['job'] });
    });

    it('is refused while Velero finalizes, and changes nothing', async () => {
      const scene = await backup.into('busy');
      await scene.begin({ spec: apps('own', 'job'), hooks: [hooksOf('job', exec(gated(), { execTimeout: '1m' }))] });
      await finalizing(scene);
      await lineIn(scene, 'job-0', 'begun');
      const before = await scene.current();
      for (const args of [[], ['--rerun'], ['--runner=local', '--rerun'], ['--only', 'own-0']]) {
        const refused = await scene.apply(...args);
        assert.deepEqual([refused.code, refused.stdout], [9, ''], refused.stderr);
        assert.match(refused.stderr, /^error: Velero isn't done with Restore .*: its phase is Finalizing\n/);
      }
      assert.deepEqual(await scene.current(), before);
      await assertUntouched(world, scene, 'own-0');
      await scene.open('job-0');
      assert.equal((await scene.done()).status.phase, 'Completed');
      assert.deepEqual(await scene.marks('job-0'), ['begun', 'ended']);
      const ran = await scene.apply();
      assert.equal(ran.code, 0, ran.stderr);
      assert.deepEqual(await scene.marks('own-0'), ['own']);
    });

    it('sets the phase of a Restore that Velero completed, leaves all else of it, and puts it back', async () => {
      const scene = await backup.into('mended');
      const before = await scene.run({ spec: apps('fail') });
      assert.equal(before.status.phase, 'Completed');
      const failed = await scene.apply();
      assert.deepEqual([failed.code, failed.json().phase], [3, 'PartiallyFailed'], failed.stderr);
      const changed = await scene.current();
      assert.equal(changed.status.phase, 'PartiallyFailed');
      assert.equal((await scene.annotations())['former-phase'], 'Completed');
      assert.deepEqual(withoutOurs(changed, 'Completed'), withoutOurs(before, 'Completed'));
      await scene.open('fail-0');
      const mended = await scene.apply('--again');
      assert.deepEqual([mended.code, mended.json().phase], [0, 'Completed'], mended.stderr);
      assert.deepEqual(await scene.marks('fail-0'), ['mended']);
      assert.deepEqual(withoutOurs(await scene.current()), withoutOurs(before));
      assert.equal((await scene.annotations())['former-phase'], undefined);
    });

    it('is forgotten with its Restore, which Velero deletes', async () => {
      const scene = await backup.into('deleted');
      await scene.run({ spec: apps('own') });
      assert.equal((await scene.apply()).code, 0);
      assert.equal((await scene.jobs()).length, 1);
      await world.cluster.remove('restores', world.velero, scene.name);
      const label = `restorehooks.io/restore=${scene.name}`;
      await waitFor(
        'the Restore to go',
        async () => !(await world.cluster.exists('restores', world.velero, scene.name)),
      );
      await waitFor('Job and Secrets to go', async () => {
        const secrets = await world.cluster.list('secrets', world.velero, label);
        return secrets.length === 0 && (await scene.jobs()).length === 0;
      });
    });
  });

  describe('pods and Restores that have changed since', { concurrency: 3 }, () => {
    const own = (script: string[], more: object = {}) => ({ annotations: hookAnnotations(OWN, script, more) });
    const deployment = (source: Scene, name: string, script: string[]) => {
      const { spec } = source.podManifest(name);
      const labels = { app: name };
      return world.cluster.create({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name, namespace: source.namespace },
        spec: {
          replicas: 2,
          selector: { matchLabels: labels },
          template: { metadata: { labels, ...own(script) }, spec },
        },
      });
    };
    const podsOf = (scene: Scene, app: string): Promise<Loose[]> =>
      waitFor(`the pods of ${app}`, async () => {
        const pods = await world.cluster.list('pods', scene.namespace, `app=${app}`);
        const there = pods.filter(({ metadata, status }) => !metadata.deletionTimestamp && status.phase === 'Running');
        return there.length === 2 && pods.length === 2 && there;
      });

    it('existingResourcePolicy: update relabels pods that nobody has restored: theirs are left out', async () => {
      const source = await world.scene('live');
      await world.workload(source, 'own-0', own(mark('own')));
      await world.workload(source, 'velero-0', { annotations: hookAnnotations(VELERO, mark('velero')) });
      const scene = await (await world.backUp(source)).over('update');
      const { status } = await scene.run({ spec: { existingResourcePolicy: 'update' } });
      assert.equal(status.phase, 'Completed');
      const { metadata } = await world.cluster.get('pods', scene.namespace, 'own-0');
      assert.equal(metadata.labels['velero.io/restore-name'], scene.name, 'relabelled');
      for (const args of [[], ['--rerun'], ['--rerun', '--runner=local']]) {
        const refused = await scene.apply(...args);
        assert.deepEqual([refused.code, refused.stdout], [8, ''], refused.stderr);
        assert.match(
          refused.stderr,
          /own-0: was there before the Restore .*--include-existing takes them in \(pod-not/,
        );
      }
      await assertUntouched(world, scene, 'own-0', 'velero-0');
      const taken = await scene.apply('--include-existing', '--rerun');
      assert.equal(taken.code, 0, taken.stderr);
      assert.deepEqual(await left(scene), { 'own-0/main': ['own'], 'velero-0/main': ['velero'] });
    });

    it('pods that a controller made anew are told, and run by what the notice says', async () => {
      const source = await world.scene('rollout');
      await deployment(source, 'web', mark('own'));
      await deployment(source, 'api', mark('own'));
      await Promise.all([podsOf(source, 'web'), podsOf(source, 'api')]);
      const scene = await (await world.backUp(source)).into('anew');
      await scene.run();
      const [gone] = await podsOf(scene, 'web');
      await podsOf(scene, 'api');
      await scene.removePod(gone.metadata.name);
      const restarted = { spec: { template: { metadata: { annotations: { restarted: 'now' } } } } };
      await world.cluster.patch('deployments', scene.namespace, 'api', restarted);
      const unlabelled = async (app: string) =>
        (await podsOf(scene, app)).filter(({ metadata }) => metadata.labels['velero.io/restore-name'] === undefined);
      await waitFor('the rollout', async () => (await unlabelled('api')).length === 2);
      const [anew] = await unlabelled('web');
      const ran = await scene.apply();
      assert.deepEqual([ran.code, ran.json().counts.planned], [0, 1], ran.stderr);
      const told = [...ran.stderr.matchAll(/\((Deployment \w+)\); to select them: kubectl restorehooks (.*) \(pods-/g)];
      assert.deepEqual(told.map(([, of]) => of).sort(), ['Deployment api', 'Deployment web'], ran.stderr);
      for (const [, , command = ''] of told) {
        const selected = await world.plugin(...command.split(' ').map((part) => part.replaceAll("'", '')));
        assert.equal(selected.code, 0, selected.stderr);
      }
      assert.deepEqual(await scene.marks(anew.metadata.name), ['own']);
      assert.deepEqual(Object.values(await left(scene)), [['own'], ['own'], ['own'], ['own']]);
    });

    it('a run is shown though a later Restore has taken the labels, and retry runs in the pods that live', async () => {
      const source = await world.scene('taken');
      await world.workload(source, 'db-0', own(sh('echo try >> marks; test -f gate'), { 'on-error': 'Fail' }));
      const backup = await world.backUp(source);
      const scene = await backup.back();
      await scene.run();
      const failed = await scene.apply();
      assert.equal(failed.code, 3, failed.stderr);
      const later = await backup.over('later');
      await later.run({ spec: { existingResourcePolicy: 'update' } });
      const again = await scene.apply();
      assert.deepEqual([again.code, again.json().runID], [3, failed.json().runID], again.stderr);
      assert.equal((await scene.status('-w')).code, 3);
      await scene.open('db-0');
      const retried = await world.plugin('retry', scene.name, '-n', world.velero, '-o', 'json');
      assert.deepEqual(endings(retried.json()), { 'db-0 0': 'Succeeded' }, retried.stderr);
      assert.deepEqual(await scene.marks('db-0'), ['try', 'try']);
    });

    it('an injected init container that a resource modifier has changed is known, and not injected again', async () => {
      const source = await world.scene('modified');
      await world.workload(source, 'web-0');
      const rules = [
        {
          conditions: { groupResource: 'pods' },
          patches: [{ operation: 'replace', path: '/spec/initContainers/0/command/2', value: 'echo modified' }],
        },
      ];
      const name = source.name;
      await world.cluster.create({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, namespace: world.velero },
        data: { 'rules.yaml': JSON.stringify({ version: 'v1', resourceModifierRules: rules }) },
      });
      const backup = await world.backUp(source);
      const scene = await backup.into('modifier');
      const container = { name: 'load', image: IMAGE, command: sh('echo as written') };
      const restore = await scene.begin({
        spec: { resourceModifier: { kind: 'ConfigMap', name } },
        hooks: [entry({ init: { initContainers: [container] } })],
      });
      const offline = await planOfArchive(backup, restore);
      assert.ok(offline.notices.some(({ code }: Loose) => code === 'resource-modifier'));
      assert.equal((await scene.done()).status.phase, 'Completed');
      const { metadata } = await world.cluster.get('pods', scene.namespace, 'web-0');
      const ran = await scene.apply('--recreate-pods', '--rerun', '--runner=local');
      const [row] = ran.json().hooks;
      assert.deepEqual([ran.code, row.state, row.stdout], [0, 'Succeeded', 'modified\n'], ran.stderr);
      assert.match(ran.stderr, /web-0: init container load .* was changed .*\(command\) \(image-differs\)$/m);
      assert.equal((await world.cluster.get('pods', scene.namespace, 'web-0')).metadata.uid, metadata.uid);
    });

    it('what Velero can not create, or loses, is told before', async () => {
      const source = await world.scene('lossy');
      const rules = [{ action: 'Restart', exitCodes: { operator: 'In', values: [9] } }];
      await world.workload(source, 'ruled-0', {
        containers: [{ name: 'main', restartPolicy: 'Never', restartPolicyRules: rules }],
      });
      const debugged = await world.workload(source, 'debugged-0');
      const ephemeralContainers = [{ name: 'debugger', image: IMAGE, command: ['true'] }];
      await world.cluster.client.patch(
        `${paths.pods(source.namespace, debugged.metadata.name)}/ephemeralcontainers`,
        { spec: { ephemeralContainers } },
        'strategic',
      );
      const backup = await world.backUp(source);
      const scene = await backup.into('losses');
      const restore = await scene.begin();
      const { notices } = await planOfArchive(backup, restore);
      const told = notices.filter(({ pod }: Loose) => pod !== undefined).map(({ code, pod }: Loose) => [pod, code]);
      assert.deepEqual(told.sort(), [
        ['debugged-0', 'ephemeral-containers'],
        ['ruled-0', 'restart-policy-rules'],
      ]);
      assert.equal((await scene.done()).status.phase, 'PartiallyFailed');
      const [pod, ...others] = await world.cluster.list('pods', scene.namespace);
      assert.deepEqual(
        [pod.metadata.name, pod.spec.containers[0].restartPolicyRules, others],
        ['ruled-0', undefined, []],
      );
    });

    it('a Restore that Velero refused is told as such, and so are pods that are not there', async () => {
      const scene = await world.scene('refused');
      await scene.restore({ spec: { backupName: 'no-such-backup' } });
      await waitFor('the refusal', async () => (await scene.current()).status?.phase === 'FailedValidation');
      const refused = await scene.apply();
      assert.equal(refused.code, 8, refused.stderr);
      assert.match(refused.stderr, /FailedValidation\) and has restored nothing: .*no-such-backup/);
      assert.match((await scene.status()).stderr, /FailedValidation/);
    });
  });

  it('a Restore that Velero can not read stops the others; both are told, and the command frees them', async () => {
    const source = await world.scene('queue');
    await world.workload(source, 'own-0', { annotations: hookAnnotations(OWN, mark('own')) });
    const backup = await world.backUp(source);
    const bad = await backup.into('one-day');
    const scene = await backup.into('behind');
    await bad.begin({ hooks: [entry(exec(mark('x'), { execTimeout: '1d' }))] });
    try {
      await scene.begin();
      const frees = `delete restore.velero.io ${bad.name} -n ${world.velero}`;
      for (const command of ['plan', 'apply', 'status', 'retry', 'cancel']) {
        for (const name of [bad.name, scene.name]) {
          const { stdout, stderr } = await world.plugin(command, name, '-n', world.velero);
          assert.ok(`${stdout}${stderr}`.includes(`kubectl ${frees}`), `${command} ${name}: ${stdout}${stderr}`);
        }
      }
      assert.equal((await scene.current()).status, undefined, 'Velero has not seen it');
      await testbed('kubectl', ...frees.split(' '));
    } finally {
      await world.cluster.remove('restores', world.velero, bad.name);
    }
    assert.equal((await scene.done()).status.phase, 'Completed');
    assert.equal((await scene.apply()).code, 0);
  });

  it('init hooks that Velero injected are those of our plan, and are watched without --rerun', async () => {
    const source = await world.scene('inits');
    const own = { initContainers: [{ name: 'own', image: IMAGE, command: ['true'] }] };
    const init = (command: string[], more: object = {}) =>
      hookAnnotations(VELERO_INIT, command, { 'container-image': IMAGE, ...more });
    await world.workload(source, 'unnamed-0', { annotations: init(['true']), spec: own });
    await world.workload(source, 'broken-0', {
      annotations: init(sh('echo no such schema; exit 4'), { 'container-name': 'schema' }),
      spec: { restartPolicy: 'Never' },
    });
    await world.workload(source, 'spec-0', { spec: own });
    const backup = await world.backUp(source);
    const scene = await backup.into('injected');
    const containers = ['first', 'second'].map((name) => ({
      name,
      image: IMAGE,
      command: ['true'],
      env: [{ name: 'A', value: 'b' }],
    }));
    const restore = await scene.begin({
      hooks: [hooksOf('spec', { init: { initContainers: containers, timeout: '1m' } }, exec(mark('exec')))],
    });
    const plan = await planOfArchive(backup, restore);
    assert.equal((await scene.done()).status.phase, 'Completed', 'Velero does not look at init containers');
    for (const pod of ['broken-0', 'spec-0', 'unnamed-0']) {
      const { spec } = await world.cluster.get('pods', scene.namespace, pod);
      const ours = plan.hooks.filter((hook: Loose) => hook.kind === 'init' && hook.pod === pod);
      assert.deepEqual(
        spec.initContainers.map(containerOf),
        [...ours.map(containerOf), ...(pod === 'broken-0' ? [] : own.initContainers.map(containerOf))],
        pod,
      );
    }

    const ran = await scene.apply();
    assert.deepEqual([ran.code, ran.json().phase], [0, 'CompletedWithFailures'], ran.stderr);
    assert.match(ran.stderr, /^notice: .*\/spec-0: .*\(velero-has-run\)$/m);
    const { hooks } = (await scene.status()).json();
    assert.deepEqual(
      hooks.map(({ kind, pod, name, state, exitCode }: Loose) => [kind, pod, name, state, exitCode]),
      [
        ['init', 'broken-0', '<from-annotation>', 'Failed', 4],
        ['init', 'spec-0', 'spec', 'Succeeded', 0],
        ['init', 'spec-0', 'spec', 'Succeeded', 0],
        ['init', 'unnamed-0', '<from-annotation>', 'Succeeded', 0],
      ],
    );
    assert.deepEqual(await scene.marks('spec-0'), ['exec'], "Velero's, once");
    const local = await scene.apply('--again', '--runner=local');
    assert.equal(local.json().hooks[0].stdout, 'no such schema\n', local.stderr);
  });

  it('a Velero that is killed in mid-hook says Completed, and --rerun --only runs what it lost', async () => {
    const source = await world.scene('killed');
    // Velero picks containers in random order, so the second one isn't ready until the test says so.
    await world.workload(source, 'ord-0', { containers: [{ name: 'c1' }, { ...readyWhenOpen, name: 'c2' }] });
    const scene = await (await world.backUp(source)).into('lost');
    const hook = (container: string, command: string[], more: object = {}) =>
      exec(command, { container, execTimeout: '1m', ...more });
    const marks = async () => [await scene.marks('ord-0', 'c1'), await scene.marks('ord-0', 'c2')];
    await scene.begin({
      hooks: [
        hooksOf('ord', hook('c1', gated()), hook('c1', mark('two')), hook('c2', mark('three'), { waitForReady: true })),
      ],
    });
    await finalizing(scene);
    await lineIn(scene, 'ord-0', 'begun', 'c1');
    await testbed('velero', 'kill');
    await scene.open('ord-0', 'c1');
    await lineIn(scene, 'ord-0', 'ended', 'c1');
    await testbed('velero', 'start');
    const { status } = await scene.done();
    assert.deepEqual([status.phase, status.errors, status.hookStatus], ['Completed', undefined, {}]);
    const before = await marks();
    assert.deepEqual(before, [['begun', 'ended'], []]);

    const refused = await scene.apply();
    assert.equal(refused.code, 9);
    const { hooks } = (await scene.plan('--rerun')).json();
    await scene.open('ord-0', 'c2');
    const ran = await scene.apply('--rerun', ...hooks.slice(1).flatMap(({ id }: Loose) => ['--only', id]));
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    assert.deepEqual(await marks(), [['begun', 'ended', 'two'], ['three']]);
  });
});

/** An init container of a pod or a plan. The hash in a generated name is cut, as Velero's differs from ours. */
const containerOf = ({ name, container = name, image, command }: Loose): Loose => ({
  container: container.replace(/^(velero-restore-init-)[0-9a-f]{8}$/, '$1…'),
  image,
  command,
});

/** A Restore without our annotations and without the fields that each write changes. */
function withoutOurs({ metadata, status, ...rest }: Loose, phase = status.phase): Loose {
  const { annotations = {}, resourceVersion: _, generation: __, managedFields: ___, ...kept } = metadata;
  const others = Object.entries(annotations).filter(([key]) => !key.startsWith('restorehooks.io/'));
  return { ...rest, metadata: { ...kept, annotations: Object.fromEntries(others) }, status: { ...status, phase } };
}
