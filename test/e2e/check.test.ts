import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { Loose, Ran, Rule, Scene } from './harness.ts';
import { entry, exec, gated, isReal, mark, NO_IMAGE, startSuite, waitFor } from './harness.ts';

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero, plugin } = e2e;

const schema = join(import.meta.dirname, '../../docs/schemas/RestoreHookCheck.json');
const validate = new Ajv2020().compile(JSON.parse(readFileSync(schema, 'utf8')));

const check = (...args: string[]) => plugin('check', '-n', velero, '-o', 'json', ...args);
/** State, message and what to do of one check. */
function found(ran: Ran, id: string): string {
  assert.ok(validate(ran.json()), JSON.stringify(validate.errors));
  const one = ran.json().checks.find((each: Loose) => each.id === id);
  assert.ok(one, `${id} in ${ran.stdout}`);
  return [one.state, one.message, ...(one.whatToDo ? [one.whatToDo] : [])].join(': ');
}

/** Every object that a check could have changed, with its version; a pod, which changes by itself, by its UID. */
async function everything(...namespaces: string[]): Promise<string[]> {
  const kinds = ['restores', 'secrets', 'configMaps', 'leases', 'jobs', 'serviceAccounts', 'roles', 'roleBindings'];
  const all = namespaces.flatMap((namespace) =>
    [...kinds, 'pods', 'events'].map(async (kind) =>
      (await cluster.list(kind, namespace)).map(({ metadata: { name, uid, resourceVersion } }) =>
        [kind, namespace, name, uid, kind === 'pods' || kind === 'events' ? '' : resourceVersion].join(' '),
      ),
    ),
  );
  return (await Promise.all(all)).flat();
}

async function oneHook(title: string, status: object = { phase: 'Completed' }): Promise<Scene> {
  const scene = await e2e.scene(title);
  await scene.pod('web-0');
  await scene.restore({ hooks: [entry(exec(mark('warm')))], status });
  return scene;
}

// R7.35
describe('check', () => {
  it('finds nothing that keeps a run from starting, and changes nothing', async () => {
    const scene = await oneHook('check-fine');
    const before = await everything(velero, scene.namespace);
    const ran = await check(scene.name);
    assert.deepEqual([ran.code, ran.stderr, ran.json().canStart], [0, '', true], ran.stdout);
    assert.match(found(ran, 'kubernetes'), /^ok: Kubernetes v1\.\d+/);
    assert.match(found(ran, 'runner-rights'), /^ok: .*for pods in every namespace$/);
    for (const what of ['secret', 'job', 'pod']) assert.match(found(ran, `dry-run-${what}`), /^ok: /);
    assert.match(found(ran, 'restore'), /^ok: .*phase Completed$/);
    assert.match(found(ran, 'earlier-runs'), /^ok: there was no run yet$/);
    assert.match(found(ran, 'plan'), /^ok: apply would run 1 hook in 1 pod of 1 namespace/);
    assert.deepEqual(await everything(velero, scene.namespace), before);
    const table = await plugin('check', scene.name, '-n', velero);
    assert.match(table.stdout, /^STATE +CHECK +FOUND\nok +kubernetes +Kubernetes/);
    assert.match(table.stdout, /\nnothing keeps a run from starting \(\d warnings?, \d unchecked\)\n$/);
  });

  it('without a Restore tells all the same what any run needs', async () => {
    const ran = await check('--service-account', 'nobody');
    assert.equal(ran.code, 10, ran.stderr);
    assert.match(
      found(ran, 'runner-rights'),
      new RegExp(
        `^problem: there is no ServiceAccount nobody in namespace ${velero}: .*setup --apply -n ${velero} --service-account nobody$`,
      ),
    );
    assert.match(found(ran, 'dry-run-pod'), /^problem: .*serviceaccount "nobody" not found/);
    assert.ok(!ran.json().checks.some(({ id }: Loose) => id === 'plan' || id === 'lease'));
  });

  it('shows the rest, and exits with 4, if there is no such Restore', async () => {
    const ran = await check('no-such');
    assert.equal(ran.code, 4);
    assert.match(ran.stderr, /^error: there is no Restore no-such in namespace/);
    assert.match(found(ran, 'runner-rights'), /^ok/);
  });

  it('exits with 6 if there is no API server, and answers though one hangs', async () => {
    const port = await withServer(
      () => undefined,
      async (url) => {
        const ran = await check('--server', url, '--request-timeout', '1s');
        assert.deepEqual([ran.code, ran.stdout], [6, '']);
        return url;
      },
    );
    const gone = await check('--server', port);
    assert.deepEqual([gone.code, gone.stdout], [6, '']);
    await withServer(
      (path) => (path === '/version' ? { gitVersion: 'v1.28.3' } : undefined),
      async (url) => {
        const ran = await check('--server', url, '--request-timeout', '1s');
        assert.equal(ran.code, 0, ran.stderr);
        assert.match(found(ran, 'kubernetes'), /^warning: Kubernetes v1\.28\.3.*before 1\.29/);
        assert.match(found(ran, 'your-rights'), /^unchecked: .*no answer within 1s/);
      },
    );
  });

  it('names the quota and the limit that refuse the Job or its pod', async () => {
    const refused: [title: string, object: Loose, id: string, told: RegExp][] = [
      ['jobs', quota({ 'count/jobs.batch': '0' }), 'dry-run-job', /exceeded quota: q/],
      ['pods', quota({ pods: '0' }), 'dry-run-pod', /exceeded quota: q/],
      [
        'memory',
        {
          kind: 'LimitRange',
          spec: { limits: [{ type: 'Container', max: { memory: '64Mi' }, default: { memory: '64Mi' } }] },
        },
        'dry-run-pod',
        /memory/,
      ],
    ];
    for (const [title, object, id, told] of refused) {
      // Only the real server compares requests with limits.
      if (title === 'memory' && !isReal) continue;
      const namespace = await cluster.namespace(`check-${title}`);
      assert.equal((await plugin('setup', '--apply', '-n', namespace)).code, 0);
      const path = `/api/v1/namespaces/${namespace}/${object.kind.toLowerCase()}s`;
      await cluster.client.create(path, { apiVersion: 'v1', metadata: { name: 'q' }, ...object });
      const ran = await plugin('check', '-n', namespace, '-o', 'json');
      assert.match(found(ran, id), /^problem: the API server would refuse/, title);
      assert.match(found(ran, id), told);
      assert.equal(ran.code, 10);
      await plugin('setup', '--delete', '-n', namespace);
    }
  });

  it('names the Restore that Velero can not read, which is a problem until Velero is done', async () => {
    const namespace = await cluster.namespace('check-stopped');
    const hooks = { resources: [{ name: 'h', postHooks: [{ exec: { command: ['x'], execTimeout: '1d' } }] }] };
    const restore = { apiVersion: 'velero.io/v1', kind: 'Restore' };
    await cluster.create({ ...restore, metadata: { name: 'bad', namespace }, spec: { backupName: 'b', hooks } });
    const spec = { backupName: 'b' };
    await cluster.create({ ...restore, metadata: { name: 'good', namespace }, spec, status: { phase: 'Completed' } });
    const told = /: Velero can't read Restore bad .*kubectl delete restore\.velero\.io bad -n/;
    for (const [args, state] of [
      [[], 'problem'],
      [['good'], 'warning'],
    ] as const) {
      const ran = await plugin('check', ...args, '-n', namespace, '-o', 'json');
      assert.match(found(ran, 'velero-restores'), told);
      assert.match(found(ran, 'velero-restores'), new RegExp(`^${state}`));
    }
  });

  it('says what it may not look at, and names the rights that are missing', async () => {
    const scene = await oneHook('check-rights');
    const rule = (apiGroup: string, resource: string, verbs: string[], namespace?: string): Rule => ({
      apiGroups: [apiGroup],
      resources: [resource],
      verbs,
      ...(namespace !== undefined && { namespace }),
    });
    const launcher = await e2e.userWith([
      rule('velero.io', 'restores', ['get', 'patch'], velero),
      rule('', 'secrets', ['create', 'patch', 'get'], velero),
      rule('batch', 'jobs', ['create', 'get', 'delete'], velero),
      rule('', 'pods', ['list']),
    ]);
    const ran = await launcher('check', scene.name, '-n', velero, '-o', 'json');
    assert.equal(ran.code, 0, ran.stdout);
    assert.match(found(ran, 'runner-rights'), /^unchecked: /);
    assert.match(found(ran, 'dry-run-pod'), /^unchecked: you may not create pods/);
    assert.match(found(ran, 'dry-run-job'), /^ok: /);
    assert.match(found(ran, 'plan'), /^ok: /);
    const reader = await e2e.userWith([rule('velero.io', 'restores', ['get'], velero)]);
    const less = await reader('check', scene.name, '-n', velero, '-o', 'json');
    assert.equal(less.code, 10);
    assert.match(
      found(less, 'your-rights'),
      /^problem: user \S+ may not list pods in the whole cluster; patch restores/,
    );
  });

  it('tells of a Velero at work, and of a run that is going', async () => {
    const busy = await oneHook('check-busy', { phase: 'InProgress' });
    const ran = await check(busy.name);
    assert.equal(ran.code, 10);
    assert.match(found(ran, 'restore'), /^problem: Velero isn't done.*InProgress.*--force/);

    const scene = await e2e.scene('check-going');
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(exec(gated(), { execTimeout: '5m' }))], status: { phase: 'Completed' } });
    const run = plugin.start('apply', scene.name, '-n', velero, '-o', 'json');
    await run.says(/Running/);
    const during = await check(scene.name);
    assert.equal(during.code, 0, during.stdout);
    assert.match(found(during, 'lease'), /^ok: \S+ holds the Lease, for run /);
    assert.match(found(during, 'earlier-runs'), /^ok: 1 run; the last is \w+: InProgress, at work \(job /);
    assert.match(found(during, 'plan'), /is going, and apply would follow it$/);
    await scene.pod('web-1');
    assert.match(found(await check(scene.name), 'plan'), /^problem: run \w+ of this Restore is still going/);
    await scene.open('web-0');
    assert.equal((await run.done).code, 0);
    assert.match(found(await check(scene.name), 'plan'), /^ok: apply would run 2 hooks.*1 of them kept/);
    assert.match(found(await check(scene.name), 'runner-image'), /as its last runner said/);
  });

  it('tells of an image that an earlier runner could not pull, and of a pull secret that is missing', async () => {
    const none = await check('--image', NO_IMAGE, '--image-pull-secret', 'no-such');
    assert.match(found(none, 'image-pull'), /^problem: there is no Secret no-such/);
    assert.match(found(await check('--image', NO_IMAGE), 'image-pull'), /^unchecked: /);
    const scene = await oneHook('check-image');
    const run = plugin.start('apply', scene.name, '-n', velero, '--image', NO_IMAGE);
    await run.says(/ErrImagePull|ImagePullBackOff/);
    // The kubelet tells of it in an Event first, and in the pod's status some moments later.
    const told = /^problem: a runner of this namespace can't pull .*(ErrImagePull|ImagePullBackOff)/;
    await waitFor("the pod's status", async () => told.test(found(await check('--image', NO_IMAGE), 'image-pull')));
    run.kill();
    await run.done;
    await plugin('cancel', scene.name, '-n', velero);
  });
});

const quota = (hard: object): Loose => ({ kind: 'ResourceQuota', spec: { hard } });

/** Serve what `answer` gives for a path over plain HTTP; what it doesn't is never answered. */
async function withServer<T>(
  answer: (path: string) => object | undefined,
  use: (url: string) => Promise<T>,
): Promise<T> {
  const server = createServer((request, response) => {
    const object = answer(request.url ?? '');
    if (object !== undefined) response.setHeader('content-type', 'application/json').end(JSON.stringify(object));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
