import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import {
  optionalRights,
  podNamespacesOf,
  runnerRights,
  runnerRules,
  setupManifests,
} from '../../../../shared/core/manifests/rbac.ts';
import { missingRightsOfServiceAccount } from '../../../../shared/kubernetes/api/access.ts';
import { kubeClient } from '../../../../shared/kubernetes/api/client.ts';
import { loadKubeConfig } from '../../../../shared/kubernetes/connect/kubeconfig.ts';
import type { EmbeddedCluster } from '../../../embedded/server.ts';
import { startEmbeddedCluster } from '../../../embedded/server.ts';
import { run } from '../harness.ts';

const RBAC = '.rbac.authorization.k8s.io';
const HOME = 'restorehooks:restorehooks';
const PODS = 'restorehooks:velero:restorehooks';

describe('kubectl restorehooks setup', () => {
  // R7.12
  it('prints what deploy/rbac.yaml holds, and asks no cluster', async () => {
    const printed = await run(['setup', '--kubeconfig=/nowhere']);
    const file = await readFile(new URL('../../../../deploy/rbac.yaml', import.meta.url), 'utf8');
    assert.deepEqual([printed.code, printed.stdout], [0, file.replace(/^(#.*\n)+/, '')]);
    // R8.87
    assert.match(printed.stderr, /^warning: this lets the runner run commands in the pods of every namespace; /);
  });

  it('prints a List as JSON', async () => {
    const { stdout } = await run(['setup', '-ojson', '-nbackup', '--service-account=sa', '--namespaces=a,b,a']);
    const { kind, items } = JSON.parse(stdout);
    assert.equal(kind, 'List');
    assert.deepEqual(
      items.map((item: { kind: string; metadata: { name: string; namespace?: string } }) =>
        [item.kind, item.metadata.namespace, item.metadata.name].join(' '),
      ),
      [
        'ServiceAccount backup sa',
        'Role backup restorehooks:sa',
        'RoleBinding backup restorehooks:sa',
        'Role a restorehooks:backup:sa',
        'RoleBinding a restorehooks:backup:sa',
        'Role b restorehooks:backup:sa',
        'RoleBinding b restorehooks:backup:sa',
      ],
    );
    assert.deepEqual(podNamespacesOf(items[0]), ['a', 'b']);
  });

  // R1.1
  it('takes the namespace from -n, else from VELERO_NAMESPACE, else velero', async () => {
    const env = { VELERO_NAMESPACE: 'backup' };
    assert.match((await run(['setup', '-n', 'mine'], { env })).stdout, /\n {2}namespace: mine\n/);
    assert.match((await run(['setup'], { env })).stdout, /\n {2}namespace: backup\n/);
    assert.match((await run(['setup'], { env: { VELERO_NAMESPACE: '' } })).stdout, /\n {2}namespace: velero\n/);
  });

  it('refuses what can be no name, and what excludes each other', async () => {
    for (const argv of [
      ['--apply', '--delete'],
      ['--namespaces='],
      ['--namespaces=a,b/c'],
      ['--namespaces=A'],
      ['-n', 'a.b'],
      ['--service-account=a:b'],
    ]) {
      const { code, stdout } = await run(['setup', ...argv]);
      assert.deepEqual([code, stdout], [2, ''], argv.join(' '));
    }
  });
});

describe('kubectl restorehooks setup on a cluster', () => {
  let cluster: EmbeddedCluster;
  before(async () => {
    cluster = await startEmbeddedCluster({
      namespaces: ['a', 'b', 'second', 'runs'],
      users: [{ name: 'nobody' }, { name: 'admin-of-velero-and-a' }],
    });
    for (const namespace of ['velero', 'a']) {
      cluster.create({
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name: 'namespace-admin', namespace },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'admin-of-velero-and-a' }],
      });
    }
  });
  after(() => cluster.close());

  const setup = async (argv: readonly string[], user = 'admin') =>
    run(['setup', ...argv, '--kubeconfig', await cluster.writeKubeconfig(user)]);
  const linesOf = async (...argv: string[]): Promise<string[]> => {
    const { code, stdout, stderr } = await setup(argv);
    const isEverywhere = argv[0] === '--apply' && !argv.some((each) => each.startsWith('--namespaces'));
    assert.equal(code, 0);
    const said = stderr.replace(/^warning: until now [^\n]+\n/gm, '');
    assert.match(said, isEverywhere ? /^warning: this lets the runner [^\n]+\n$/ : /^$/); // R8.87
    return stdout.trimEnd().split('\n');
  };
  /** Asks by access review, as the runner's ServiceAccount. */
  const lacks = (podNamespaces?: readonly string[], namespace = 'velero') => {
    const client = kubeClient(loadKubeConfig({ env: {}, kubeconfig: cluster.kubeconfigPath }));
    const rights = [...runnerRights({ namespace, podNamespaces }), ...optionalRights({ namespace })];
    return missingRightsOfServiceAccount(client, { namespace, name: 'restorehooks' }, rights).finally(client.close);
  };

  it('changes nothing without the rights, and names them', async () => {
    const { code, stdout, stderr } = await setup(['--apply'], 'nobody');
    assert.deepEqual([code, stdout], [5, '']);
    assert.match(
      stderr,
      /^error: you may not get, patch, create serviceaccounts, roles\.rbac\S+, rolebindings\S+ in namespace velero; /,
    );
    assert.match(
      stderr,
      /create clusterroles\S+ clusterrolebindings\.rbac\.authorization\.k8s\.io in the whole cluster; nothing was/,
    );
    assert.equal(cluster.get('serviceaccounts', 'velero', 'restorehooks'), undefined);
  });

  // R7.12
  it('applies exactly what the runner needs, and says what was done', async () => {
    assert.equal((await lacks()).length, runnerRights({ namespace: 'velero' }).length + 1);
    const lines = (change: string) => [
      `serviceaccount/restorehooks ${change} (namespace velero)`,
      `role${RBAC}/${HOME} ${change} (namespace velero)`,
      `rolebinding${RBAC}/${HOME} ${change} (namespace velero)`,
      `clusterrole${RBAC}/${PODS} ${change}`,
      `clusterrolebinding${RBAC}/${PODS} ${change}`,
    ];
    assert.deepEqual(await linesOf('--apply'), lines('created'));
    assert.deepEqual(await linesOf('--apply'), lines('unchanged'));
    assert.deepEqual(await lacks(), []);
    cluster.update('clusterroles', undefined, PODS, (role) => ({ ...role, rules: [] }));
    assert.equal((await linesOf('--apply'))[3], `clusterrole${RBAC}/${PODS} configured`);
    assert.deepEqual(await lacks(), []);
  });

  it('takes cluster-wide rights away when it is limited to namespaces', async () => {
    assert.deepEqual((await linesOf('--apply', '--namespaces=a,b')).slice(1), [
      `role${RBAC}/${HOME} unchanged (namespace velero)`,
      `rolebinding${RBAC}/${HOME} unchanged (namespace velero)`,
      `role${RBAC}/${PODS} created (namespace a)`,
      `rolebinding${RBAC}/${PODS} created (namespace a)`,
      `role${RBAC}/${PODS} created (namespace b)`,
      `rolebinding${RBAC}/${PODS} created (namespace b)`,
      `clusterrolebinding${RBAC}/${PODS} deleted`,
      `clusterrole${RBAC}/${PODS} deleted`,
    ]);
    assert.deepEqual(await lacks(['a', 'b']), []);
    assert.equal((await lacks()).length, 5);
    const account = cluster.get('serviceaccounts', 'velero', 'restorehooks');
    assert.deepEqual(podNamespacesOf(account as Parameters<typeof podNamespacesOf>[0]), ['a', 'b']);
  });

  it('says which flags of the last time are left out', async () => {
    const account = ['--apply', '--service-account=forgetful'];
    assert.equal((await setup([...account, '--namespaces=a,b', '--create-pods'])).stderr, '');
    const warnings = [
      'warning: until now ServiceAccount forgetful was limited; to limit it again: --namespaces a,b',
      'warning: until now ServiceAccount forgetful might create pods, as init hooks need; to let it again: --create-pods',
    ];
    const { code, stderr } = await setup(account);
    assert.deepEqual([code, stderr.split('\n').slice(0, 2)], [0, warnings]);
    assert.match((await setup(account)).stderr, /^warning: this lets the runner [^\n]+\n$/);
    await linesOf('--delete', '--service-account=forgetful');
  });

  it('works for an administrator of namespaces, and says what it could not look at', async () => {
    const { code, stdout, stderr } = await setup(['--apply', '--namespaces=a'], 'admin-of-velero-and-a');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /restorehooks:velero:restorehooks unchanged \(namespace a\)\n$/);
    assert.match(stderr, /^warning: rights that an earlier setup granted elsewhere are not taken away: /);
    assert.ok(cluster.get('roles', 'b', PODS));
  });

  it('keeps two Velero namespaces and two ServiceAccounts apart', async () => {
    await linesOf('--apply', '-n', 'second');
    await linesOf('--apply', '-n', 'second', '--service-account=other');
    assert.deepEqual(await lacks(undefined, 'second'), []);
    assert.deepEqual(await lacks(['a', 'b']), []);
    const gone = await linesOf('--delete', '-n', 'second', '--service-account=other');
    assert.equal(gone.length, 5);
    assert.deepEqual(await lacks(undefined, 'second'), []);
    assert.equal((await linesOf('--delete', '-n', 'second')).length, 5);
    assert.deepEqual(await lacks(['a', 'b']), []);
  });

  it('takes away all that it has made, once, and nothing else', async () => {
    cluster.create({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: {
        name: 'restorehooks:mine',
        namespace: 'velero',
        labels: { 'app.kubernetes.io/name': 'restorehooks' },
      },
      rules: [],
    });
    assert.equal((await setup(['--delete'], 'nobody')).code, 5);
    assert.deepEqual(await linesOf('--delete'), [
      `rolebinding${RBAC}/${PODS} deleted (namespace a)`,
      `rolebinding${RBAC}/${PODS} deleted (namespace b)`,
      `rolebinding${RBAC}/${HOME} deleted (namespace velero)`,
      `role${RBAC}/${PODS} deleted (namespace a)`,
      `role${RBAC}/${PODS} deleted (namespace b)`,
      `role${RBAC}/${HOME} deleted (namespace velero)`,
      'serviceaccount/restorehooks deleted (namespace velero)',
    ]);
    assert.deepEqual(await linesOf('--delete'), ['nothing to take away']);
    assert.ok(cluster.get('roles', 'velero', 'restorehooks:mine'));
  });

  it('lets an administrator of namespaces take away what is there', async () => {
    await linesOf('--apply', '--namespaces=a');
    assert.equal((await setup(['--delete'], 'admin-of-velero-and-a')).code, 5);
    const { code, stdout, stderr } = await setup(['--delete', '--namespaces=a'], 'admin-of-velero-and-a');
    assert.deepEqual([code, stdout.match(/ deleted /g)?.length], [0, 5]);
    assert.match(stderr, /^warning: rights that an earlier setup granted beyond namespaces a stay: .* may not list /);
    assert.deepEqual(await linesOf('--delete'), ['nothing to take away']);
  });

  it('takes away cluster-wide rights also where --delete is limited to namespaces', async () => {
    await linesOf('--apply');
    assert.equal((await linesOf('--delete', '--namespaces=a')).length, 5);
    assert.deepEqual(await linesOf('--delete'), ['nothing to take away']);
  });

  it('says that rights were limited also where their ServiceAccount is gone', async () => {
    await linesOf('--apply', '--namespaces=a,b');
    cluster.delete('serviceaccounts', 'velero', 'restorehooks');
    assert.match(
      (await setup(['--apply'])).stderr,
      /^warning: until now .* limited; to limit it again: --namespaces a,b\n/,
    );
    await linesOf('--delete');
  });

  // R8.84
  it('gives a runner in another namespace its rights on Restores alone beside Velero', async () => {
    const lines = await linesOf('--apply', '--run-namespace=second', '--namespaces=a,velero');
    assert.deepEqual(lines, [
      'serviceaccount/restorehooks created (namespace second)',
      `role${RBAC}/${HOME} created (namespace second)`,
      `rolebinding${RBAC}/${HOME} created (namespace second)`,
      `role${RBAC}/restorehooks:second:restorehooks:restores created (namespace velero)`,
      `rolebinding${RBAC}/restorehooks:second:restorehooks:restores created (namespace velero)`,
      `role${RBAC}/restorehooks:second:restorehooks created (namespace a)`,
      `rolebinding${RBAC}/restorehooks:second:restorehooks created (namespace a)`,
      `role${RBAC}/restorehooks:second:restorehooks created (namespace velero)`,
      `rolebinding${RBAC}/restorehooks:second:restorehooks created (namespace velero)`,
    ]);
    const client = kubeClient(loadKubeConfig({ env: {}, kubeconfig: cluster.kubeconfigPath }));
    const place = { namespace: 'velero', runNamespace: 'second', podNamespaces: ['a', 'velero'] };
    const account = { namespace: 'second', name: 'restorehooks' };
    const beside = { group: '', verb: 'create', namespace: 'velero' };
    const [granted, secrets, jobs] = await Promise.all([
      missingRightsOfServiceAccount(client, account, [...runnerRights(place), ...optionalRights(place)]),
      missingRightsOfServiceAccount(client, account, [{ ...beside, resource: 'secrets' }]),
      missingRightsOfServiceAccount(client, account, [{ ...beside, group: 'batch', resource: 'jobs' }]),
    ]);
    client.close();
    assert.deepEqual([granted.length, secrets.length, jobs.length], [0, 1, 1]);
    assert.equal((await linesOf('--delete', '--run-namespace=second')).length, 9);
    assert.deepEqual(await linesOf('--delete', '--run-namespace=second'), ['nothing to take away']);
  });

  // R8.88
  it('leaves a runner what it needs for the Restores of another namespace, and says so', async () => {
    const apart = ['--run-namespace=runs'];
    const client = kubeClient(loadKubeConfig({ env: {}, kubeconfig: cluster.kubeconfigPath }));
    const lacksAt = (namespace: string, podNamespaces: string[] | undefined, createPods = false) =>
      missingRightsOfServiceAccount(
        client,
        { namespace: 'runs', name: 'restorehooks' },
        runnerRights({ namespace, runNamespace: 'runs', podNamespaces }, runnerRules(createPods)),
      );
    const limits = () =>
      podNamespacesOf(cluster.get('serviceaccounts', 'runs', 'restorehooks') as Parameters<typeof podNamespacesOf>[0]);
    const warning = (other: string, stays: string) =>
      `warning: ServiceAccount restorehooks in namespace runs also runs the hooks of Restores in namespace ${other}: ${stays}\n`;
    const rightsStay = 'rights on pods that it has stay';
    await linesOf('--apply', ...apart, '--namespaces=a', '--create-pods');

    const second = await setup(['--apply', '-n', 'second', ...apart, '--namespaces=b']);
    assert.deepEqual([second.code, second.stderr], [0, warning('velero', rightsStay)]);
    assert.doesNotMatch(second.stdout, /deleted/);
    assert.deepEqual(
      [await lacksAt('velero', ['a'], true), await lacksAt('second', ['a', 'b']), limits()],
      [[], [], ['a', 'b']],
    );
    // The same again changes nothing, and one Velero alone can't be shrunk.
    const again = await setup(['--apply', ...apart, '--namespaces=b']);
    assert.deepEqual([again.code, again.stderr], [0, warning('second', rightsStay)]);
    assert.doesNotMatch(again.stdout, /deleted|configured/);

    const gone = await setup(['--delete', '-n', 'second', ...apart]);
    assert.deepEqual([gone.code, gone.stderr], [0, warning('velero', 'it stays, with its rights on pods')]);
    assert.deepEqual(gone.stdout.trimEnd().split('\n'), [
      `rolebinding${RBAC}/restorehooks:runs:restorehooks:restores deleted (namespace second)`,
      `role${RBAC}/restorehooks:runs:restorehooks:restores deleted (namespace second)`,
    ]);
    assert.deepEqual([await lacksAt('velero', ['a', 'b'], true), limits()], [[], ['a', 'b']]);
    // Now nobody else needs it.
    assert.equal(
      (await linesOf('--apply', ...apart, '--namespaces=a')).filter((line) => line.includes('deleted')).length,
      2,
    );

    // A runner that may reach all pods isn't limited by another Velero's setup.
    await linesOf('--apply', ...apart);
    assert.equal((await setup(['--apply', '-n', 'second', ...apart, '--namespaces=b'])).code, 0);
    assert.deepEqual([await lacksAt('velero', undefined), limits()], [[], undefined]);
    client.close();
    assert.equal((await setup(['--delete', '-n', 'second', ...apart])).code, 0);
    assert.equal((await linesOf('--delete', ...apart)).length, 7);
  });

  // R8.86
  it('limits the rights on pods to where a Restore restores to, and keeps those of the one before', async () => {
    const restore = (name: string, spec: object) =>
      cluster.create({
        apiVersion: 'velero.io/v1',
        kind: 'Restore',
        metadata: { name, namespace: 'velero' },
        spec: { backupName: 'b', ...spec },
      });
    restore('named', {
      includedNamespaces: ['shop', 'old'],
      excludedNamespaces: ['old'],
      namespaceMapping: { shop: 'a' },
    });
    restore('by-pods', { includedNamespaces: ['*'] });
    restore('unknown', {});
    cluster.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web-0', namespace: 'b', labels: { 'velero.io/restore-name': 'by-pods' } },
      spec: { containers: [{ name: 'main', image: 'i' }] },
    });
    const namespacesIn = async (...argv: string[]): Promise<string> => {
      const { code, stdout, stderr } = await setup(argv);
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stdout, /ClusterRole\b|clusterrole\./);
      return /^the rights on pods are limited to namespaces (.*)\n$/.exec(stderr)?.[1] ?? stderr;
    };
    assert.equal(await namespacesIn('named'), 'a');
    assert.equal(await namespacesIn('by-pods', '--namespaces=second'), 'second, b');
    assert.equal(await namespacesIn('named', '--apply'), 'a');
    assert.equal(await namespacesIn('by-pods', '--apply'), 'b, a');
    assert.ok(cluster.get('rolebindings', 'a', PODS) && cluster.get('rolebindings', 'b', PODS));
    const { code, stderr } = await setup(['unknown', '--apply']);
    assert.equal(code, 2);
    assert.match(
      stderr,
      /^error: Restore unknown names no namespaces, and none of its pods is found\nhint: .*--namespaces/,
    );
    assert.equal((await setup(['no-such'])).code, 4);
    assert.equal((await setup(['named', '--delete'])).code, 2);
    await linesOf('--delete');
  });

  it('leaves a ServiceAccount that was there before', async () => {
    const metadata = { name: 'mine', namespace: 'velero', annotations: { role: 'arn' } };
    cluster.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata });
    await linesOf('--apply', '--service-account=mine', '--namespaces=a');
    await linesOf('--delete', '--service-account=mine');
    const left = cluster.get('serviceaccounts', 'velero', 'mine');
    assert.deepEqual(left?.metadata.annotations, { role: 'arn' });
    assert.equal(cluster.get('roles', 'a', 'restorehooks:velero:mine'), undefined);
  });

  it('that widens rights widens where runs look for pods, also if kubectl has applied what limited them', async (t) => {
    const client = kubeClient(loadKubeConfig({ env: { KUBECONFIG: cluster.kubeconfigPath } }));
    t.after(() => client.close());
    const { stdout } = await setup(['-ojson', '--namespaces=a', '--service-account=ofkubectl']);
    const account = JSON.parse(stdout).items.find(({ kind }: { kind: string }) => kind === 'ServiceAccount');
    const path = '/api/v1/namespaces/velero/serviceaccounts/ofkubectl';
    await client.patch(path, account, 'apply', { fieldManager: 'kubectl', force: true });
    await linesOf('--apply', '--service-account=ofkubectl');
    const now = cluster.get('serviceaccounts', 'velero', 'ofkubectl') ?? assert.fail('it is gone');
    assert.equal(podNamespacesOf(now), undefined);
    await linesOf('--delete', '--service-account=ofkubectl');
  });

  // R8.88
  it("leaves a Velero its rights whose namespace is another one's namespace of runs", async () => {
    await linesOf('--apply');
    const rules = () => JSON.stringify(cluster.get('roles', 'velero', HOME)?.['rules']);
    const before = rules();
    for (const way of ['--apply', '--delete']) {
      const { code, stderr } = await setup([way, '--namespace=second', '--run-namespace=velero']);
      assert.equal(code, 0, stderr);
      assert.match(
        stderr,
        /^warning: ServiceAccount restorehooks in namespace velero also runs the hooks of Restores /m,
      );
      assert.equal(rules(), before);
    }
    assert.ok(cluster.get('serviceaccounts', 'velero', 'restorehooks'));
    await linesOf('--delete');
  });

  it('says which namespace is missing, before it changes anything', async () => {
    const { code, stderr } = await setup(['--apply', '--namespaces=a,typo']);
    assert.equal(code, 4);
    assert.match(stderr, /^error: there is no namespace typo\nhint: name the Restore's namespace with -n/);
    assert.equal(cluster.get('serviceaccounts', 'velero', 'restorehooks'), undefined);
  });
});

describe('runnerRules', () => {
  // R8.7
  it('are the rules of the roles and the questions of the access reviews, one by one', () => {
    const rules = runnerRules();
    const verbs = rules.flatMap((rule) => rule.verbs);
    const place = { namespace: 'velero' };
    assert.equal(runnerRights(place, rules).length + optionalRights(place).length, verbs.length);
    for (const rule of rules) {
      const others = rules.filter((each) => each !== rule);
      const written = setupManifests({ namespace: 'velero' }, others).flatMap((each) => each['rules'] ?? []);
      assert.equal(written.length, others.length);
    }
  });
});
