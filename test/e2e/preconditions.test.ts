import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Plugin, Rule, Scene } from './harness.ts';
import { entry, exec, isReal, mark, startSuite } from './harness.ts';
import { assertUntouched } from './untouched.ts';

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;
const at = ['-n', velero];

const rule = (apiGroup: string, resource: string, verbs: readonly string[], namespace?: string): Rule => ({
  apiGroups: [apiGroup],
  resources: [resource],
  verbs,
  ...(namespace !== undefined && { namespace }),
});

/** The rights of a user who may launch runs but not ask for the runner's rights. */
const launcher: readonly Rule[] = [
  rule('velero.io', 'restores', ['get', 'patch'], velero),
  rule('', 'secrets', ['create', 'patch', 'get'], velero),
  rule('batch', 'jobs', ['create', 'get', 'delete'], velero),
  rule('', 'pods', ['list']),
];

const without = (resource: string, verb: string): Rule[] =>
  launcher.map((each) =>
    each.resources.includes(resource) ? { ...each, verbs: each.verbs.filter((one) => one !== verb) } : each,
  );

async function oneHook(title: string): Promise<Scene> {
  const scene = await e2e.scene(title);
  await scene.pod('web-0');
  await scene.restore({ hooks: [entry(exec(mark('warm')))], status: { phase: 'Completed' } });
  return scene;
}

describe('apply without rights', () => {
  let scene: Scene;
  before(async () => {
    scene = await oneHook('rights');
  });
  const apply = (plugin: Plugin, ...more: string[]) => plugin('apply', scene.name, ...at, ...more);

  for (const [resource, verb, right] of [
    ['restores', 'patch', 'patch restores.velero.io'],
    ['jobs', 'create', 'create jobs.batch'],
    ['secrets', 'create', 'create secrets'],
    ['secrets', 'get', 'get secrets'],
  ] as const) {
    it(`names the right to ${verb} ${resource}, and changes nothing`, async () => {
      const { code, stdout, stderr } = await apply(await e2e.userWith(without(resource, verb)));
      assert.deepEqual([code, stdout], [5, '']);
      assert.match(stderr, new RegExp(`^error: user \\S+ may not ${right} in namespace ${velero}$`, 'm'));
      assert.match(stderr, /^hint: nothing has been changed; an administrator can grant this: kubectl create role /m);
      await assertUntouched(e2e, scene, 'web-0');
    });
  }

  // R7.16
  it('names every right that is missing at once', async () => {
    const plugin = await e2e.userWith([rule('velero.io', 'restores', ['get'], velero)]);
    const { code, stderr } = await apply(plugin);
    assert.equal(code, 5);
    for (const right of ['patch restores.velero.io', 'create, patch, get secrets', 'create, get, delete jobs.batch']) {
      assert.ok(stderr.includes(`${right} in namespace ${velero}`), stderr);
    }
    assert.ok(stderr.includes('list pods in the whole cluster'), stderr);
    await assertUntouched(e2e, scene, 'web-0');
  });

  it('names pods that may be listed in one namespace only', async () => {
    const narrow = launcher.filter(({ resources }) => !resources.includes('pods'));
    const plugin = await e2e.userWith([...narrow, rule('', 'pods', ['list'], velero)]);
    const { code, stderr } = await apply(plugin);
    assert.equal(code, 5, stderr);
    assert.match(stderr, /^error: user \S+ may not list pods in the whole cluster$/m);
    await assertUntouched(e2e, scene, 'web-0');
    const chosen = await e2e.userWith([
      ...narrow,
      rule('', 'pods', ['list'], velero),
      rule('', 'pods', ['list'], scene.namespace),
    ]);
    const planned = await chosen(
      'plan',
      scene.name,
      ...at,
      '-l',
      'app=web',
      '--pod-namespace',
      scene.namespace,
      '-o',
      'name',
    );
    assert.deepEqual([planned.code, planned.stdout], [0, `${scene.namespace}/web-0/main/e2e/0\n`], planned.stderr);
  });

  it('names the Restore that may not be read', async () => {
    const { code, stderr } = await apply(await e2e.userWith([]));
    assert.equal(code, 5);
    assert.match(stderr, /restores/);
  });

  it('with --runner=local needs rights of its own', async () => {
    const { code, stderr } = await apply(await e2e.userWith(launcher), '--runner=local');
    assert.equal(code, 5, stderr);
    assert.match(stderr, /get, create pods\/exec in the whole cluster/);
    await assertUntouched(e2e, scene, 'web-0');
  });

  // R7.17
  it("says that the runner's rights are unchecked where they may not be asked for, and goes on", async () => {
    const { code, stderr } = await apply(await e2e.userWith(launcher));
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^rights .*unchecked$/m);
    assert.deepEqual(await scene.marks('web-0'), ['warm']);
  });
});

describe('apply where something is missing', () => {
  it('no such Restore', async () => {
    const { code, stdout, stderr } = await e2e.plugin('apply', 'nightlx', ...at);
    assert.deepEqual([code, stdout], [4, '']);
    assert.equal(
      stderr,
      `error: there is no Restore nightlx in namespace ${velero}\nhint: list them: kubectl get restores.velero.io -n ${velero}\n`,
    );
    for (const command of ['plan', 'status']) assert.equal((await e2e.plugin(command, 'nightlx', ...at)).code, 4);
  });

  it('no Velero', { skip: isReal && 'would take the CRD from everybody' }, async () => {
    const groups = { kind: 'APIGroupList', apiVersion: 'v1', groups: [{ name: 'apps' }] };
    const undo = cluster.embedded?.intercept(({ path }) => {
      if (path === '/apis') return { status: 200, body: groups };
      return path.startsWith('/apis/velero.io/') ? { status: 404, body: '404 page not found\n' } : undefined;
    });
    try {
      const { code, stderr } = await e2e.plugin('apply', 'nightly', ...at);
      assert.equal(code, 4);
      assert.equal(
        stderr,
        "error: this cluster doesn't know restores.velero.io\nhint: Velero isn't installed here; check --context\n",
      );
    } finally {
      undo?.();
    }
  });

  it('a 404 that a proxy gives for the Restore is no Restore that is missing', {
    skip: isReal && 'only the embedded server can be scripted',
  }, async () => {
    const undo = cluster.embedded?.intercept(({ path }) =>
      path.startsWith('/apis/velero.io/') ? { status: 404, body: '404 page not found\n' } : undefined,
    );
    try {
      const { code, stderr } = await e2e.plugin('apply', 'nightly', ...at);
      assert.equal(code, 6);
      assert.match(
        stderr,
        /^error: .* answered GET \/apis\/velero.io\/.* with HTTP 404\nhint: check that .* \(a proxy, a login page\)/,
      );
    } finally {
      undo?.();
    }
  });

  it('no API server', async () => {
    const kubeconfig = join(cluster.folder, 'nowhere.kubeconfig');
    await writeFile(
      kubeconfig,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'nowhere',
        clusters: [{ name: 'nowhere', cluster: { server: 'https://127.0.0.1:1' } }],
        users: [{ name: 'somebody', user: { token: 't' } }],
        contexts: [{ name: 'nowhere', context: { cluster: 'nowhere', user: 'somebody' } }],
      }),
    );
    const nowhere = e2e.plugin.with({ kubeconfig });
    for (const command of ['apply', 'plan', 'status']) {
      const { code, stdout, stderr } = await nowhere(command, 'nightly', ...at);
      assert.deepEqual([code, stdout], [6, ''], stderr);
      assert.match(stderr, /127\.0\.0\.1:1\b/);
    }
  });

  it('no ServiceAccount: the hint is a command that makes it', async () => {
    const scene = await oneHook('account');
    const { code, stdout, stderr } = await e2e.plugin('apply', scene.name, ...at, '--service-account', 'hooks');
    assert.deepEqual([code, stdout], [10, '']);
    assert.match(stderr, new RegExp(`^error: there is no ServiceAccount hooks in namespace ${velero}$`, 'm'));
    const hint = /^hint: .*kubectl restorehooks (setup .*)$/m.exec(stderr)?.[1] ?? '';
    assert.equal(hint, `setup --apply -n ${velero} --service-account hooks`);
    await assertUntouched(e2e, scene, 'web-0');
    await cluster.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'hooks', namespace: velero } });
    const refused = await e2e.plugin('apply', scene.name, ...at, '--service-account', 'hooks');
    assert.equal(refused.code, 5);
    assert.match(refused.stderr, /^error: ServiceAccount hooks may not .*create pods\/exec in the whole cluster/m);
    await assertUntouched(e2e, scene, 'web-0');
    const setup = await e2e.plugin(...hint.split(' '));
    assert.equal(setup.code, 0, setup.stderr);
    const { code: now, stderr: told } = await e2e.plugin('apply', scene.name, ...at, '--service-account', 'hooks');
    assert.equal(now, 0, told);
    assert.deepEqual(await scene.marks('web-0'), ['warm']);
  });
});
