import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { load, loadAll } from 'js-yaml';
import { allCommands } from '../../../../plugin/cli.ts';
import { answers } from '../../../../plugin/completion/main.ts';
import type { EmbeddedCluster, KubeObject } from '../../../embedded/server.ts';
import { claim, playedBackups, RETAINED, SAVED } from './played-backups.ts';

/** What `rehearse` refuses, and that nothing is created then. Velero's part is played: it tells what a Backup holds. */
describe('rehearse', () => {
  let played: Awaited<ReturnType<typeof playedBackups>>;
  let cluster: EmbeddedCluster;
  before(async () => {
    played = await playedBackups();
    cluster = played.cluster;
  });
  after(() => played.close());
  const plugin = (...argv: string[]) => played.plugin(argv);
  const namespaces = () =>
    cluster
      .list('namespaces')
      .map(({ metadata }) => metadata.name)
      .sort();

  // R7.101, R7.102, R7.103, R7.104
  it('refuses what can not be rehearsed, says why and what to do, and creates nothing', async () => {
    const before = namespaces();
    for (const [argv, code, message] of [
      [[], 2, /^error: give either BACKUP or --from-schedule\n/],
      [['nightly-1', '--from-schedule', 'nightly'], 2, /^error: give either BACKUP or --from-schedule\n/],
      [['-n', 'other'], 2, /\nhint: list them: kubectl get backups\.velero\.io -n other\n/],
      [['nightly-1', '--keep', '--cleanup'], 2, /^error: --cleanup doesn't go with --keep\nhint: .*--cleanup ID\n/],
      [
        ['--cleanup', '--from-schedule', 'nightly', '--id', 'x', '--only', 'a/b', '--deadline', '1h', '--yes'],
        2,
        /^error: --cleanup doesn't go with --from-schedule, --id, --only, --deadline\nhint: /,
      ],
      [[''], 2, /^error: the name of the Backup is empty\nhint: give NAME, backup\/NAME or backup.velero.io\/NAME\n/],
      [['..'], 2, /^error: "\.\." is not the name of a Backup\n/],
      [['restore/nightly-1'], 2, /^error: "restore\/nightly-1" is not the name of a Backup\n/],
      [['backups.velero.io/nightly-3'], 2, /^error: Backup nightly-3 can't be rehearsed: InProgress\n/],
      [['--from-schedule', 'a/b'], 2, /^error: .*"a\/b".*expected the name of a Schedule\n/],
      [['nightly-1', '--id', 'A.b'], 2, /^error: "A.b" can't be the id of a rehearsal\n/],
      [['nightly-1', '--deadline', '0'], 2, /deadline/],
      [['nightli-1'], 4, /^error: there is no Backup nightli-1 in namespace velero\nhint: did you mean nightly-1\?\n/],
      [['nightly-3'], 2, /^error: Backup nightly-3 can't be rehearsed: InProgress\nhint: it has to be Completed/],
      [['--from-schedule', 'weekly'], 4, /^error: Schedule weekly has no Backup in namespace velero\n/],
      [['nightly-1', '--include-namespaces', 'shopp'], 2, /holds no namespace shopp\nhint: did you mean shop\?\n/],
      [['nightly-1', '--include-namespaces', 'empty'], 8, /^error: Backup nightly-1 holds no pod in empty\n/],
      [
        ['nightly-1', '--id', 'taken'],
        2,
        /^error: Namespace shop-rehearsal-taken exists already, .*only what it has created\n/,
      ],
      [['nightly-1', '--service-account', 'none'], 10, /ServiceAccount none/],
      [['nightly-1', '--as', 'nobody'], 5, /nobody/],
    ] as const) {
      const ran = await plugin('rehearse', ...argv);
      assert.deepEqual([ran.code, ran.stdout], [code, ''], `${argv.join(' ')}: ${ran.stderr}`);
      assert.match(ran.stderr, message, argv.join(' '));
    }
    assert.deepEqual(namespaces(), before);
    assert.deepEqual(cluster.list('restores', 'velero'), []);
  });

  // R7.104
  it('checks all rights before Velero is asked for anything, and names all that are missing at once', async () => {
    const requests = () => cluster.list('downloadrequests', 'velero').length;
    const before = requests();
    for (const [resource, verbs] of [
      ['backups', ['get', 'list']],
      ['downloadrequests', ['get', 'create']],
    ] as const) {
      const metadata = { name: `reader-${resource}`, namespace: 'velero' };
      const rules = [{ apiGroups: ['velero.io'], resources: [resource], verbs }];
      cluster.create({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata, rules });
      cluster.create({
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata,
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: metadata.name },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'reader' }],
      });
    }
    const lacks = async (...argv: string[]) => {
      const { code, stdout, stderr } = await plugin('rehearse', ...argv);
      assert.deepEqual([code, stdout, requests()], [5, '', before], stderr);
      return /^error: user \S+ may not (.*)$/m.exec(stderr)?.[1] ?? stderr;
    };
    const named = await lacks('nightly-1', '--as', 'reader', '--dry-run');
    for (const each of ['namespaces', 'restores.velero.io', 'secrets', 'jobs.batch', 'pods'])
      assert.match(named, new RegExp(`\\b${each}\\b`), named);
    assert.doesNotMatch(named, /backups|downloadrequests/);
    const all = await lacks('--from-schedule', 'nightly', '--as', 'nobody');
    assert.match(all, /get, list backups\.velero\.io in namespace velero/);
    assert.match(all, /create, get downloadrequests\.velero\.io in namespace velero/);
    assert.match(await lacks('nightly-1', '--as', 'nobody', '--runner', 'local'), /pods\/exec/);
    const account = await plugin('rehearse', 'nightly-1', '--service-account', 'none');
    assert.deepEqual([account.code, requests()], [10, before], account.stderr);
    const elsewhere = await plugin('rehearse', 'nightly-1', '-n', 'shop');
    assert.match(elsewhere.stderr, /^error: there is no Backup nightly-1 in namespace shop\n/);
  });

  // R7.104
  it('asks for no right that the account of examples/rehearsal lacks', async () => {
    const example = new URL('../../../../examples/rehearsal/cronjob.yaml', import.meta.url);
    for (const object of loadAll(await readFile(example, 'utf8')) as KubeObject[])
      if (object.kind !== 'CronJob') cluster.create(object);
    const account = 'system:serviceaccount:velero:restorehooks-rehearsal';
    const argv = ['--from-schedule', 'nightly', '--deny-egress', '--dry-run', '--as', account];
    const ran = await plugin('rehearse', ...argv);
    assert.equal(ran.code, 0, ran.stderr);
    assert.doesNotMatch(ran.stderr, /may not/);
  });

  // R8.24
  it('warns who may not read the defaults, with flags that the command has', async () => {
    const rehearsed = await plugin('rehearse', 'nightly-1', '--as', 'nobody');
    assert.match(rehearsed.stderr, /\(--image, --image-pull-secret, --service-account, --job-patch\)\n/);
    for (const command of ['apply', 'retry']) {
      const { stderr } = await plugin(command, 'r', '--as', 'nobody');
      assert.match(stderr, /\(--image, --image-pull-secret, --service-account, --run-namespace, --job-patch\)\n/);
    }
  });

  it('refuses a runner that may work in some namespaces only, with an account that would do', async () => {
    const limited = await plugin('setup', '--apply', '--namespaces', 'shop', '--service-account', 'limited');
    assert.equal(limited.code, 0, limited.stderr);
    const { code, stderr } = await plugin('rehearse', 'nightly-1', '--service-account', 'limited');
    assert.equal(code, 5, stderr);
    assert.match(
      stderr,
      /^error: ServiceAccount limited may work only in namespaces shop, and a rehearsal makes new ones$/m,
    );
    assert.match(stderr, /setup --apply --service-account restorehooks-rehearsal-runner -n velero/);
  });

  // R7.100
  it('says with --dry-run what it would create and touch, prints it, and creates nothing', async () => {
    const before = namespaces();
    const ran = await plugin('rehearse', '--from-schedule', 'nightly', '--id', 'try', '--deny-egress', '--dry-run');
    assert.equal(ran.code, 0, ran.stderr);
    for (const line of [
      /^backup {4}velero\/nightly-2, of 2026-03-02T00:00:00Z$/m,
      /^ +shop -> shop-rehearsal-try \(2 pods in the backup\)$/m,
      /^left out {2}velero \(--include-namespaces takes them in\)$/m,
      /^egress {4}denied by a NetworkPolicy.*; ports 53 and 5353 of pods stay open for name servers, which may ask outside$/m,
    ]) {
      assert.match(ran.stderr, line);
    }
    const kinds = ran.stdout.split(/^---$/m).map((text) => (load(text) as { kind: string }).kind);
    assert.deepEqual(kinds, ['Namespace', 'NetworkPolicy', 'Namespace', 'NetworkPolicy', 'Restore']);
    assert.deepEqual(namespaces(), before);
  });

  // R7.103
  it('refuses a volume that Velero would restore with the storage of the original, unless volumes are left out', async (t) => {
    t.after(() => {
      played.told.volumes = SAVED;
    });
    const dryRun = ['nightly-1', '--id', 'try', '--dry-run'];
    const saved = await plugin('rehearse', ...dryRun);
    assert.deepEqual([saved.code, / volumes? .*its data|which volumes/.test(saved.stderr)], [0, false], saved.stderr);
    played.told.volumes = [...SAVED, claim('data', { ...RETAINED, skipped: true })];
    const refused = await plugin('rehearse', ...dryRun);
    assert.deepEqual([refused.code, refused.stdout], [2, '']);
    assert.match(
      refused.stderr,
      /^error: Backup nightly-1 holds PersistentVolume pv-data of shop\/data without its data: .*\nhint: .*--exclude-resources persistentvolumes,persistentvolumeclaims/m,
    );
    const without = await plugin('rehearse', ...dryRun, '--exclude-resources', 'pv,pvc');
    assert.equal(without.code, 0, without.stderr);
    played.told.volumes = undefined;
    const unknown = await plugin('rehearse', ...dryRun);
    assert.equal(unknown.code, 0, unknown.stderr);
    assert.match(
      unknown.stderr,
      /^warning: it can't be read which volumes Backup nightly-1 holds without their data; /m,
    );
  });

  // R7.102
  it('refuses an id that a rehearsal has, also one of another Backup', async (t) => {
    const metadata = { name: 'db-rehearsal-kept', labels: { 'restorehooks.io/rehearsal': 'kept' } };
    cluster.create({ apiVersion: 'v1', kind: 'Namespace', metadata });
    t.after(() => cluster.delete('namespaces', undefined, metadata.name));
    const ran = await plugin('rehearse', 'nightly-1', '--id', 'kept');
    assert.equal(ran.code, 2, ran.stderr);
    assert.match(ran.stderr, /^error: Rehearsal kept exists already/m);
  });

  // R7.101
  it('goes on with the namespaces that are named where the object store is out of reach, and only then', async (t) => {
    const there = played.told.url;
    played.told.url = 'http://127.0.0.1:9/list.json.gz';
    t.after(() => {
      played.told.url = there;
    });
    const argv = ['nightly-1', '--id', 'try', '--dry-run'];
    const named = await plugin('rehearse', ...argv, '--include-namespaces', 'shop');
    assert.equal(named.code, 0, named.stderr);
    assert.match(named.stderr, /^warning: the object store .*; going on with the namespaces that are named: shop$/m);
    for (const pattern of [[], ['--include-namespaces', 'sh*']]) {
      const refused = await plugin('rehearse', ...argv, ...pattern);
      assert.deepEqual([refused.code, refused.stdout], [6, ''], refused.stderr);
    }
  });

  // R7.110, R7.111
  it('that fails and can not be removed says both, in whole sentences', async (t) => {
    const status = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'Forbidden', code: 403 };
    const restoreOf = () => cluster.list('restores', 'velero')[0];
    const end = cluster.intercept(({ verb, resource, name = '' }) => {
      if (restoreOf() === undefined) return undefined;
      if (verb === 'get' && resource === 'restores')
        cluster.update('restores', 'velero', name, (current) => ({
          ...current,
          status: { phase: 'FailedValidation' },
        }));
      return verb === 'list' && resource === 'namespaces' ? { status: 403, body: status } : undefined;
    });
    t.after(async () => {
      end();
      await plugin('rehearse', '--cleanup', 'cc');
    });
    const ran = await plugin('rehearse', 'nightly-1', '--id', 'cc', '--yes');
    assert.notEqual(ran.code, 0);
    assert.match(
      ran.stderr,
      /^warning: rehearsal cc is not removed yet: all of it may be left \([^\n]+\); try again, or see what is left: kubectl restorehooks rehearse --cleanup cc -n velero$/m,
    );
    assert.match(ran.stderr, /^error: .*FailedValidation/m);
  });

  // R7.109
  it('--cleanup ID touches nothing that the Velero of another namespace may be at work on', async () => {
    const labels = { 'restorehooks.io/rehearsal': 'other' };
    const annotations = { 'restorehooks.io/rehearsal-velero': 'velero-b' };
    const metadata = { name: 'shop-rehearsal-other', labels, annotations };
    cluster.create({ apiVersion: 'v1', kind: 'Namespace', metadata });
    const ran = await plugin('rehearse', '--cleanup', 'other');
    assert.equal(ran.code, 2);
    assert.match(
      ran.stderr,
      /^error: rehearsal other is of the Velero in namespace velero-b\nhint: remove it there: kubectl restorehooks rehearse --cleanup other -n velero-b$/m,
    );
    assert.ok(namespaces().includes(metadata.name));
    cluster.delete('namespaces', undefined, metadata.name);
    while (namespaces().includes(metadata.name)) await sleep(20);
  });

  it('--cleanup finds nothing where nothing stands, and touches no namespace without the label', async () => {
    const before = namespaces();
    const listed = await plugin('rehearse', '--cleanup');
    assert.deepEqual([listed.code, listed.stdout, listed.stderr], [0, '', 'no rehearsal stands\n']);
    const nothing = await plugin('rehearse', '--cleanup', 'nothing');
    assert.deepEqual([nothing.code, nothing.stderr], [0, 'nothing stands of rehearsal nothing\n']);
    const taken = await plugin('rehearse', '--cleanup', 'taken');
    assert.equal(taken.code, 12, taken.stderr);
    assert.match(taken.stderr, /^Namespace shop-rehearsal-taken lacks our label/m);
    assert.deepEqual(namespaces(), before);
  });

  // R7.109
  it('--cleanup ID --dry-run names what would be removed, and removes nothing; TAB offers the ids', async (t) => {
    const metadata = { name: 'db-rehearsal-old', labels: { 'restorehooks.io/rehearsal': 'old' } };
    cluster.create({ apiVersion: 'v1', kind: 'Namespace', metadata });
    t.after(() => cluster.delete('namespaces', undefined, metadata.name));
    const before = namespaces();
    const ran = await plugin('rehearse', '--cleanup', 'old', '--dry-run');
    assert.deepEqual(ran, { code: 0, stdout: 'would remove Namespace db-rehearsal-old\n', stderr: '' });
    const names = await plugin('rehearse', '--cleanup', 'old', '--dry-run', '-o', 'name');
    assert.deepEqual([names.code, names.stdout], [0, 'namespace/db-rehearsal-old\n'], names.stderr);
    let offered: string[] = [];
    const words = ['rehearse', '--kubeconfig', cluster.kubeconfigPath, '--cleanup', ''];
    await answers(words, allCommands, new AbortController().signal, ({ candidates }) => {
      offered = candidates.map(({ value }) => value);
    });
    assert.deepEqual(offered, ['old']);
    const nothing = await plugin('rehearse', '--cleanup', 'nothing', '--dry-run');
    assert.deepEqual([nothing.code, nothing.stderr], [0, 'nothing stands of rehearsal nothing\n']);
    assert.deepEqual(namespaces(), before);
    const [left] = cluster.list('namespaces').filter((each) => each.metadata.name === metadata.name);
    assert.equal(left?.metadata.deletionTimestamp, undefined);
  });
});
