import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { REHEARSAL_LABEL } from '../../shared/core/rehearsal/rehearsal.ts';
import type { Loose, Ran, Scene, Started } from '../e2e/harness.ts';
import {
  endings,
  entry,
  exec,
  gated,
  hookAnnotations,
  isReal,
  mark,
  OWN,
  sh,
  VELERO,
  waitFor,
} from '../e2e/harness.ts';
import { testbed } from './bed.ts';
import type { World } from './velero/world.ts';
import { startWorld } from './velero/world.ts';

const skip = !isReal && 'needs a cluster with a Velero of its own: npm run test:cluster';

/** Rehearsals with a real Velero: what they run, and what is left of them. */
describe('a rehearsal with a real Velero', { skip, concurrency: 3 }, () => {
  let world: World;
  before(async () => {
    world = await startWorld();
    // Velero gives up hooks whose pods take longer: three rehearsals at a time need more than the bed's 30 s.
    await testbed('velero', 'kill');
    await testbed('velero', 'start', '5m');
  });
  after(() => world?.close());

  /** A backup of one pod for each of the annotations, and of so many ConfigMaps, which Velero restores before. */
  async function backupOf(title: string, pods: Readonly<Record<string, Readonly<Record<string, string>>>>, others = 0) {
    const source = await world.scene(title);
    for (let index = 0; index < others; index += 1) {
      const metadata = { name: `map-${index}`, namespace: source.namespace };
      await world.cluster.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata });
    }
    for (const [pod, annotations] of Object.entries(pods)) await world.workload(source, pod, { annotations });
    const { name } = await world.backUp(source);
    return { source, name };
  }
  const own = (script: string[], more: object = {}) => hookAnnotations(OWN, script, more);
  const argv = (name: string, ...args: string[]) => ['rehearse', name, '-n', world.velero, '-o', 'json', ...args];
  const rehearse = (name: string, ...args: string[]): Promise<Ran> => world.plugin(...argv(name, ...args));
  const begin = (name: string, ...args: string[]): Started => world.plugin.start(...argv(name, ...args));
  const cleanup = (...args: string[]): Promise<Ran> =>
    world.plugin('rehearse', '--cleanup', ...args, '-n', world.velero);
  const target = (source: Scene, id: string): string => `${source.namespace}-rehearsal-${id}`;
  const standing = async (id: string): Promise<string[]> => {
    const label = `${REHEARSAL_LABEL}=${id}`;
    const found = [
      ...(await world.cluster.list('namespaces', undefined, label)),
      ...(await world.cluster.list('restores', world.velero, label)),
    ];
    return found.map(({ metadata }) => metadata.name);
  };
  /** Waits until the hook of a pod in the rehearsal has begun. */
  const begun = (namespace: string, pod: string) =>
    waitFor(`the hook in ${namespace}/${pod}`, async () => {
      const { status } = await world.cluster.get('pods', namespace, pod);
      if (status.phase !== 'Running') return false;
      const { stdout } = await world.cluster.exec(namespace, pod, 'main', sh('cat marks 2>/dev/null || true'));
      return stdout.includes('begun');
    }).catch(async (cause) => {
      const { stdout } = await testbed('kubectl', 'get', 'restores,pods,events', '-A');
      throw new Error(`the hook in ${namespace}/${pod} has not begun:\n${stdout}`, { cause });
    });

  // R7.100, R7.105, R7.106, R7.111
  it('runs our hooks once, tells what Velero ran, leaves the originals alone and nothing behind', async () => {
    const { source, name } = await backupOf('plain', {
      'own-0': own(sh('echo own; echo x >> marks; wc -l < marks')),
      'velero-0': hookAnnotations(VELERO, mark('velero')),
    });
    const file = await source.hooksFile([entry(exec(sh('echo file')), { includedNamespaces: [source.namespace] })]);
    const ran = await rehearse(name, '--id', 'plain', '--hooks', file, '--only', `${source.namespace}/own-0`);
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stderr, /open: pods and hooks may talk to the outside/);
    assert.match(ran.stderr, /^velero {4}ran 1 hook itself, 0 failed$/m);
    const [row, ...others] = ran.json().hooks;
    assert.deepEqual(
      [row.namespace, row.state, row.stdout, others],
      [target(source, 'plain'), 'Succeeded', 'own\n1\n', []],
    );
    assert.deepEqual(await standing('plain'), []);
    assert.deepEqual([await source.marks('own-0'), await source.marks('velero-0')], [[], []]);
    const ofFile = await rehearse(name, '--hooks', file, '--sources', 'file');
    assert.deepEqual(
      ofFile.json().hooks.map(({ pod, stdout }: Loose) => [pod, stdout]),
      [
        ['own-0', 'file\n'],
        ['velero-0', 'file\n'],
      ],
      ofFile.stderr,
    );
  });

  // R7.111
  it('with hooks of Velero alone is as good as they were', async () => {
    const good = await backupOf('veleros', { 'velero-0': hookAnnotations(VELERO, mark('velero')) });
    const ran = await rehearse(good.name);
    assert.deepEqual([ran.code, ran.json().hooks], [0, []], ran.stderr);
    const bad = await backupOf('veleros-bad', { 'velero-0': hookAnnotations(VELERO, sh('exit 7')) });
    const failed = await rehearse(bad.name);
    assert.equal(failed.code, 3, failed.stderr);
    assert.match(failed.stderr, /^velero {4}ran 1 hook itself, 1 failed$/m);
  });

  it('with a hook that fails exits with 3, shows its output, and is removed', async () => {
    const { name } = await backupOf('failing', {
      'db-0': own(sh('echo no such dump; exit 4'), { 'on-error': 'Fail' }),
    });
    const ran = await world.plugin('rehearse', name, '-n', world.velero, '--id', 'failing');
    assert.equal(ran.code, 3, ran.stderr);
    assert.match(ran.stdout, /^Failed \(exit 4\) .*db-0\n {4}.*\n? *\| no such dump$/m);
    assert.doesNotMatch(ran.stdout, /kubectl restorehooks/, 'no command about a Restore that is gone');
    assert.deepEqual(await standing('failing'), []);
  });

  it('under a quota that is too small exits with 10, tells what Velero says, and is removed', async () => {
    const { source, name } = await backupOf('quota', { 'own-0': own(mark('own')), 'own-1': own(mark('own')) });
    const going = begin(name, '--id', 'quota');
    await going.says(/created {3}Namespace/);
    await world.cluster.create({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'small', namespace: target(source, 'quota') },
      spec: { hard: { pods: '1' } },
    });
    const ran = await going.done;
    assert.equal(ran.code, 10, ran.stderr);
    assert.match(ran.stderr, /^velero {4}.*own-\d.*exceeded quota: small/m);
    assert.match(ran.stderr, /^error: Velero could not restore all of Backup .* \(PartiallyFailed\)/m);
    assert.equal(ran.json().hooks.length, 1, 'the hook of the pod that came');
    assert.deepEqual(await standing('quota'), []);
  });

  it('goes on when its runner dies, tells the hook that was running as Unknown, and is removed', async () => {
    const { source, name } = await backupOf('runner', {
      'db-0': own(gated(), { 'exec-timeout': '2m', 'on-error': 'Fail' }),
    });
    const going = begin(name, '--id', 'runner');
    await begun(target(source, 'runner'), 'db-0');
    const [restore] = await world.cluster.list('restores', world.velero, `${REHEARSAL_LABEL}=runner`);
    const ofRun = `restorehooks.io/restore=${restore?.metadata.name}`;
    const [pod] = await world.cluster.list('pods', world.velero, ofRun);
    await world.cluster.client.delete(`/api/v1/namespaces/${world.velero}/pods/${pod?.metadata.name}`, {
      gracePeriodSeconds: 0,
    });
    const ran = await going.done;
    assert.equal(ran.code, 3, ran.stderr);
    assert.deepEqual(endings(ran.json()), { 'db-0 0': 'Unknown (runner-died)' });
    assert.deepEqual(await standing('runner'), []);
  });

  // R7.102, R7.107, R7.109
  it('is kept with --keep, in namespaces that are refused to the next, until --cleanup removes it', async () => {
    const { source, name } = await backupOf('kept', { 'own-0': own(mark('own')) });
    const ran = await rehearse(name, '--id', 'kept', '--keep', '--deny-egress');
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(
      ran.stderr,
      /^kept {6}rehearsal kept; remove it: kubectl restorehooks rehearse --cleanup kept -n velero$/m,
    );
    const namespace = target(source, 'kept');
    const policy = await world.cluster.get('networkPolicies', namespace, 'restorehooks-deny-egress');
    const pod = await world.cluster.get('pods', namespace, 'own-0');
    assert.ok(policy.metadata.creationTimestamp <= pod.metadata.creationTimestamp);
    const again = await rehearse(name, '--id', 'kept');
    assert.deepEqual([again.code, again.stdout], [2, '']);
    assert.match(again.stderr, new RegExp(`^error: Namespace ${namespace} exists already`, 'm'));
    const listed = await cleanup();
    assert.match(listed.stdout, new RegExp(`^kept +${name} +${namespace} `, 'm'));
    const removed = await cleanup('kept');
    assert.equal(removed.code, 0, removed.stderr);
    assert.deepEqual(await standing('kept'), []);
    assert.match((await cleanup('kept')).stderr, /^nothing stands of rehearsal kept$/m);
  });

  // R7.112
  it('is removed on Ctrl-C while a hook runs', async () => {
    const { source, name } = await backupOf('interrupted', { 'db-0': own(gated(), { 'exec-timeout': '5m' }) });
    const going = begin(name, '--id', 'interrupted');
    await begun(target(source, 'interrupted'), 'db-0');
    going.kill('SIGINT');
    const ran = await going.done;
    assert.equal(ran.code, 130, ran.stderr);
    assert.match(ran.stderr, /^removed {3}rehearsal interrupted: nothing of it is left$/m);
    assert.deepEqual(await standing('interrupted'), []);
  });

  // R7.110, R7.112
  it('asks for everything to go on a second Ctrl-C, says what is left, and --cleanup goes on', async () => {
    const { source, name } = await backupOf('twice', { 'db-0': own(gated(), { 'exec-timeout': '5m' }) });
    const going = begin(name, '--id', 'twice');
    const namespace = target(source, 'twice');
    await begun(namespace, 'db-0');
    const stuck = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'stuck', namespace } };
    await world.cluster.create({ ...stuck, metadata: { ...stuck.metadata, finalizers: ['example.com/stuck'] } });
    going.kill('SIGINT');
    await going.says(/^removing/m);
    await waitFor('the namespace to be going', async () => {
      const { metadata } = await world.cluster.get('namespaces', undefined, namespace);
      return metadata.deletionTimestamp !== undefined;
    });
    going.kill('SIGINT');
    const ran = await going.done;
    assert.equal(ran.code, 130, ran.stderr);
    assert.match(ran.stderr, new RegExp(`Namespace ${namespace} is still going.*rehearse --cleanup twice`));
    await world.cluster.patch('configMaps', namespace, 'stuck', { metadata: { finalizers: null } });
    const removed = await cleanup('twice');
    assert.equal(removed.code, 0, removed.stderr);
    assert.deepEqual(await standing('twice'), []);
  });

  // R7.108, R7.112
  it('keeps its label and is left to --cleanup on a second Ctrl-C while Velero restores', async () => {
    const { source, name } = await backupOf('hurry', { 'db-0': own(mark('own')) }, 400);
    const going = begin(name, '--id', 'hurry', '--deny-egress');
    const namespace = target(source, 'hurry');
    await waitFor('Velero to restore', async () => {
      const [restore] = await world.cluster.list('restores', world.velero, `${REHEARSAL_LABEL}=hurry`);
      return restore?.status?.phase === 'InProgress';
    });
    going.kill('SIGINT');
    await going.says(/^waiting until Velero is done/m);
    going.kill('SIGINT');
    const ran = await going.done;
    assert.equal(ran.code, 130, ran.stderr);
    assert.match(ran.stderr, new RegExp(`Namespace ${namespace} stays until Velero is done`));
    assert.deepEqual((await standing('hurry')).includes(namespace), true);
    const removed = await cleanup('hurry');
    assert.equal(removed.code, 0, removed.stderr);
    assert.deepEqual(
      [await standing('hurry'), await world.cluster.exists('namespaces', undefined, namespace)],
      [[], false],
    );
  });

  // R7.103
  it('is refused where a volume would be restored with the storage of the original', async () => {
    const source = await world.scene('volume');
    const volume = `rehearsed-${source.namespace}`;
    const capacity = { accessModes: ['ReadWriteOnce'], storageClassName: '' };
    await world.cluster.create({
      ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: volume } },
      spec: {
        ...capacity,
        capacity: { storage: '1Mi' },
        persistentVolumeReclaimPolicy: 'Retain',
        hostPath: { path: '/var/tmp/restorehooks-rehearsed', type: 'DirectoryOrCreate' },
      },
    });
    await world.cluster.create({
      ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data', namespace: source.namespace } },
      spec: { ...capacity, volumeName: volume, resources: { requests: { storage: '1Mi' } } },
    });
    const volumes = [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }];
    await world.workload(source, 'db-0', { annotations: own(mark('own')), spec: { volumes } });
    const { name } = await world.backUp(source);
    const ran = await rehearse(name, '--id', 'volume');
    assert.deepEqual([ran.code, ran.stdout], [2, ''], ran.stderr);
    assert.match(
      ran.stderr,
      new RegExp(`^error: Backup ${name} holds PersistentVolume ${volume} of ${source.namespace}/data`, 'm'),
    );
    assert.deepEqual(await standing('volume'), []);
    await world.cluster.remove('persistentvolumes', undefined, volume);
  });

  // R7.108, R7.109, R7.110
  it('whose plugin was killed is removed by --cleanup, but not a namespace that has lost the label', async () => {
    const { source, name } = await backupOf('killed', { 'db-0': own(gated(), { 'exec-timeout': '5m' }) });
    const going = begin(name, '--id', 'killed');
    const namespace = target(source, 'killed');
    await begun(namespace, 'db-0');
    going.kill('SIGKILL');
    await going.done;
    assert.deepEqual((await standing('killed')).length, 2);
    await world.cluster.patch('namespaces', undefined, namespace, {
      metadata: { labels: { [REHEARSAL_LABEL]: null } },
    });
    const removed = await cleanup('killed');
    assert.equal(removed.code, 12, removed.stderr);
    assert.match(removed.stderr, new RegExp(`Namespace ${namespace} lacks our label`));
    assert.deepEqual(await standing('killed'), []);
    const { metadata } = await world.cluster.get('namespaces', undefined, namespace);
    assert.equal(metadata.deletionTimestamp, undefined);
    await world.cluster.remove('namespaces', undefined, namespace);
  });

  // R7.112
  it('whose deadline passes is removed, and shows what had not ended', async () => {
    const { name } = await backupOf('deadline', { 'db-0': own(gated(), { 'exec-timeout': '5m' }) }, 400);
    const ran = await rehearse(name, '--id', 'deadline', '--deadline', '1s');
    assert.equal(ran.code, 7, ran.stderr);
    assert.match(ran.stderr, /\(--deadline\)/);
    assert.deepEqual(await standing('deadline'), []);
  });

  // R7.101, R7.104
  it('of examples/rehearsal runs as a CronJob with the rights that the example grants', async () => {
    const { source, name } = await backupOf('weekly', { 'own-0': own(sh('echo own')) });
    const labels = { 'velero.io/schedule-name': 'nightly' };
    await world.cluster.patch('backups', world.velero, name, { metadata: { labels } });
    const example = fileURLToPath(new URL('../../examples/rehearsal/cronjob.yaml', import.meta.url));
    await testbed('kubectl', 'apply', '-f', example);
    try {
      const from = 'cronjob/restorehooks-rehearsal';
      await testbed('kubectl', 'create', 'job', 'weekly-now', `--from=${from}`, '-n', world.velero);
      const isOver = async () => {
        const job = await world.cluster.get('jobs', world.velero, 'weekly-now');
        return (job.status.succeeded || job.status.failed) && job;
      };
      // Its rehearsal shares Velero with two others at a time.
      const { status } = await waitFor('the Job to end', isOver, 300_000);
      const { stdout } = await testbed('kubectl', 'logs', 'job/weekly-now', '-n', world.velero);
      assert.equal(status.succeeded, 1, stdout);
      assert.match(stdout, new RegExp(`^${target(source, 'weekly')}/own-0 .*Succeeded`, 'm'));
      assert.deepEqual(await standing('weekly'), []);
    } finally {
      await testbed('kubectl', 'delete', 'job', 'weekly-now', '-n', world.velero, '--ignore-not-found');
      await testbed('kubectl', 'delete', '-f', example);
    }
  });
});
