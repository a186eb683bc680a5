import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  BatchV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  KubernetesObjectApi,
  PatchStrategy,
  setHeaderOptions,
} from '@kubernetes/client-node';
import { WebSocket } from 'ws';
import type { KubeObject, Pod } from './objects.ts';
import type { EmbeddedCluster } from './server.ts';
import { startEmbeddedCluster } from './server.ts';

type Body = Record<string, unknown> & { metadata: { resourceVersion: string; [key: string]: unknown } };

const configMaps = '/api/v1/namespaces/default/configmaps';
const podsPath = '/api/v1/namespaces/default/pods';

let cluster: EmbeddedCluster;

interface Asked {
  readonly status: number;
  readonly body: Body;
}
async function ask(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Asked> {
  const response = await fetch(cluster.url + path, {
    method,
    headers: { authorization: 'Bearer admin', 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : ({ text } as unknown as Body) };
}
const patch = (path: string, type: string, body: unknown): Promise<Asked> =>
  ask('PATCH', path, body, { 'content-type': `application/${type}` });

const barePod = (name: string, more: object = {}, metadata: object = {}): object => ({
  kind: 'Pod',
  metadata: { name, ...metadata },
  spec: { containers: [{ name: 'c', image: 'busybox' }], ...more },
});
const isReady = (pod: Pod): boolean =>
  pod.status.conditions?.some((each) => each.type === 'Ready' && each.status === 'True') ?? false;
const runningPod = async (name: string, more: object = {}): Promise<Pod> => {
  cluster.create(barePod(name, more));
  return cluster.pods.waitFor('default', name, isReady);
};

async function until<T>(what: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
  for (let left = 200; left > 0; left -= 1) {
    const value = await what();
    if (value !== undefined && value !== false) return value;
    await sleep(50);
  }
  throw new Error('it did not come');
}
const gone = (path: string): Promise<boolean> => until(async () => (await ask('GET', path)).status === 404);

describe('embedded API server: objects', () => {
  before(async () => {
    cluster = await startEmbeddedCluster();
  });
  after(() => cluster.close());

  it('creates, reads, changes and deletes through client-node', async () => {
    const config = new KubeConfig();
    config.loadFromString(cluster.kubeconfig());
    const core = config.makeApiClient(CoreV1Api);
    const made = await core.createNamespacedConfigMap({
      namespace: 'default',
      body: { metadata: { generateName: 'a-', labels: { app: 'x' } }, data: { k: 'v' } },
    });
    const name = made.metadata?.name ?? '';
    assert.match(name, /^a-[a-z0-9]{5}$/);
    const read = await core.readNamespacedConfigMap({ namespace: 'default', name });
    assert.deepEqual(read.data, { k: 'v' });
    assert.ok(read.metadata?.uid && read.metadata.creationTimestamp);
    const patched = await core.patchNamespacedConfigMap(
      { namespace: 'default', name, body: { data: { k: 'w' } } },
      setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch),
    );
    assert.deepEqual(patched.data, { k: 'w' });
    const list = await core.listNamespacedConfigMap({ namespace: 'default', labelSelector: 'app in (x,y),!nope' });
    assert.deepEqual(
      list.items.map((item) => item.metadata?.name),
      [name],
    );
    await core.deleteNamespacedConfigMap({ namespace: 'default', name });
    await assert.rejects(core.readNamespacedConfigMap({ namespace: 'default', name }), { code: 404 });
  });

  it('is found through discovery, custom resources too', async () => {
    const config = new KubeConfig();
    config.loadFromString(cluster.kubeconfig());
    const objects = KubernetesObjectApi.makeApiClient(config);
    const restore = {
      apiVersion: 'velero.io/v1',
      kind: 'Restore',
      metadata: { name: 'r', namespace: 'velero' },
      spec: { backupName: 'b' },
    };
    await objects.create(restore);
    const custom = config.makeApiClient(CustomObjectsApi);
    const where = { group: 'velero.io', version: 'v1', namespace: 'velero', plural: 'restores', name: 'r' };
    const read = await custom.getNamespacedCustomObject(where);
    assert.equal(read.spec.backupName, 'b');
    const found = (await ask('GET', '/apis/velero.io/v1')).body as unknown as { resources: { name: string }[] };
    assert.deepEqual(
      found.resources.map((each) => each.name),
      ['restores', 'backups', 'backupstoragelocations', 'downloadrequests'],
    );
    assert.equal((await ask('GET', '/version')).status, 200);
    assert.deepEqual((await ask('GET', '/readyz')).body, { text: 'ok' });
  });

  it("answers mistakes with the real server's Status", async () => {
    await ask('POST', configMaps, { metadata: { name: 'a' }, data: { x: '1' } });
    const messages = async (answers: Promise<Asked>[]): Promise<unknown[]> =>
      (await Promise.all(answers)).map(({ body }) => [body['code'], body['reason'], body['message']]);
    assert.deepEqual(
      await messages([
        ask('GET', `${configMaps}/nope`),
        ask('POST', '/api/v1/namespaces/nons/configmaps', { metadata: { name: 'a' } }),
        ask('POST', configMaps, { metadata: { name: 'a' } }),
        ask('POST', configMaps, { metadata: {} }),
        ask('PUT', `${configMaps}/a`, { metadata: { name: 'a', resourceVersion: '1' } }),
        ask('PUT', `${configMaps}/zz`, { metadata: { name: 'zz' } }),
        ask('POST', `${configMaps}/a`, {}),
        ask('GET', '/api/v1/nothing'),
        ask('POST', podsPath, { metadata: { name: 'p' }, spec: {} }),
        ask('POST', podsPath, barePod('p', { serviceAccountName: 'nosa' })),
        ask('GET', '/apis/velero.io/v1/namespaces/velero/restores/zz'),
        ask('POST', '/api/v1/namespaces/default/secrets', {
          metadata: { name: 's' },
          data: { a: 'eHh4'.repeat(350_000) },
        }),
        ask('POST', configMaps, { metadata: { name: 'an', annotations: { a: 'x'.repeat(262_144) } } }),
      ]),
      [
        [404, 'NotFound', 'configmaps "nope" not found'],
        [404, 'NotFound', 'namespaces "nons" not found'],
        [409, 'AlreadyExists', 'configmaps "a" already exists'],
        [422, 'Invalid', 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required'],
        [
          409,
          'Conflict',
          'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
        ],
        [404, 'NotFound', 'configmaps "zz" not found'],
        [405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource'],
        [404, 'NotFound', 'the server could not find the requested resource'],
        [422, 'Invalid', 'Pod "p" is invalid: spec.containers: Required value'],
        [
          403,
          'Forbidden',
          'pods "p" is forbidden: error looking up service account default/nosa: serviceaccount "nosa" not found',
        ],
        [404, 'NotFound', 'restores.velero.io "zz" not found'],
        [422, 'Invalid', 'Secret "s" is invalid: data: Too long: may not be more than 1048576 bytes'],
        [
          422,
          'Invalid',
          'ConfigMap "an" is invalid: metadata.annotations: Too long: may not be more than 262144 bytes',
        ],
      ],
    );
  });

  it('takes every kind of patch, refuses a failing test with 422 and a stale version with 409', async () => {
    await ask('POST', configMaps, { metadata: { name: 'p' }, data: { x: '1' } });
    const at = `${configMaps}/p`;
    const test = { op: 'test', path: '/data/x', value: '2' };
    const failed = await patch(at, 'json-patch+json', [test, { op: 'replace', path: '/data/x', value: '3' }]);
    assert.deepEqual(
      [failed.status, failed.body['message']],
      [422, 'the server rejected our request due to an error in our request'],
    );
    const passed = await patch(at, 'json-patch+json', [
      { ...test, value: '1' },
      { op: 'replace', path: '/data/x', value: '3' },
      { op: 'add', path: '/metadata/annotations', value: {} },
      { op: 'add', path: '/metadata/annotations/restorehooks.io~1phase', value: 'Pending' },
    ]);
    assert.deepEqual(passed.body['data'], { x: '3' });
    assert.deepEqual(passed.body.metadata['annotations'], { 'restorehooks.io/phase': 'Pending' });
    const stale = await patch(at, 'merge-patch+json', { metadata: { resourceVersion: '1' }, data: { x: '4' } });
    assert.equal(stale.status, 409);
    const merged = await patch(at, 'merge-patch+json', { data: { x: null, y: '5' } });
    assert.deepEqual(merged.body['data'], { y: '5' });
    const same = await patch(at, 'merge-patch+json', { data: { y: '5' } });
    assert.equal(same.body.metadata.resourceVersion, merged.body.metadata.resourceVersion);
    const applied = await patch(`${configMaps}/new?fieldManager=me`, 'apply-patch+yaml', {
      ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'new' } },
      data: { k: 'v' },
    });
    assert.equal(applied.status, 201);
    const custom = await patch('/apis/velero.io/v1/namespaces/velero/restores/r', 'strategic-merge-patch+json', {});
    assert.equal(custom.status, 415);
  });

  it('changes nothing with dryRun', async () => {
    const made = await ask('POST', `${configMaps}?dryRun=All`, { metadata: { name: 'dry' } });
    assert.equal(made.status, 201);
    assert.equal((await ask('GET', `${configMaps}/dry`)).status, 404);
  });

  it('lists in pages that fit together while objects come and go', async () => {
    for (const name of ['l1', 'l2', 'l3']) {
      await ask('POST', configMaps, { metadata: { name, labels: { list: 'yes' } } });
    }
    const query = `${configMaps}?labelSelector=list=yes&limit=2`;
    const first = (await ask('GET', query)).body as Body & { items: KubeObject[] };
    await ask('DELETE', `${configMaps}/l3`);
    const token = encodeURIComponent(String(first.metadata['continue']));
    const second = (await ask('GET', `${query}&continue=${token}`)).body as Body & { items: KubeObject[] };
    assert.deepEqual(
      [...first.items, ...second.items].map((item) => item.metadata.name),
      ['l1', 'l2', 'l3'],
    );
    assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion);
    cluster.compact();
    assert.equal((await ask('GET', `${query}&continue=${token}`)).body['reason'], 'Expired');
  });

  it('deletes only under the preconditions, and what was owned with its owner', async () => {
    const owner = (await ask('POST', configMaps, { metadata: { name: 'owner' } })).body;
    const uid = String(owner.metadata['uid']);
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid }];
    await ask('POST', configMaps, { metadata: { name: 'owned', ownerReferences } });
    const refused = await ask('DELETE', `${configMaps}/owner`, { preconditions: { uid: 'x' } });
    assert.equal(refused.status, 409);
    await ask('DELETE', `${configMaps}/owner`, { preconditions: { uid } });
    await gone(`${configMaps}/owned`);
  });

  it('records every request', async () => {
    const from = cluster.audit.length;
    await ask('GET', `${configMaps}/a`, undefined, { 'user-agent': 'probe' });
    const [entry] = cluster.audit.slice(from);
    assert.deepEqual(
      [entry?.verb, entry?.resource, entry?.namespace, entry?.name, entry?.user, entry?.userAgent, entry?.status],
      ['get', 'configmaps', 'default', 'a', 'admin', 'probe', 200],
    );
  });

  it('answers, delays and drops as a test says', async () => {
    const headers = { 'Retry-After': '1' };
    const stop = cluster.intercept(({ name }) =>
      name === 'busy' ? { status: 429, headers } : name === 'cut' ? { drop: 'before' } : undefined,
    );
    assert.equal((await ask('GET', `${configMaps}/busy`)).status, 429);
    await assert.rejects(ask('GET', `${configMaps}/cut`));
    stop();
    assert.equal((await ask('GET', `${configMaps}/busy`)).status, 404);
  });
});

interface WatchEvent {
  readonly type: string;
  readonly object: {
    readonly metadata: { readonly name?: string; readonly resourceVersion: string };
    readonly code?: number;
  };
}
async function watch(query: string): Promise<WatchEvent[]> {
  const response = await fetch(`${cluster.url}${configMaps}?watch=1&${query}`, {
    headers: { authorization: 'Bearer admin' },
  });
  const text = await response.text();
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
const seen = (watched: readonly WatchEvent[]): string[] =>
  watched.map(({ type, object }) => `${type} ${object.metadata.name ?? object.code ?? ''}`.trim());

describe('embedded API server: watches', () => {
  before(async () => {
    cluster = await startEmbeddedCluster();
  });
  after(() => cluster.close());

  it('sends what changed since a version, then a bookmark at its end', async () => {
    const { body } = await ask('GET', configMaps);
    await ask('POST', configMaps, { metadata: { name: 'w', labels: { a: 'b' } } });
    const watching = watch(
      `resourceVersion=${body.metadata.resourceVersion}&timeoutSeconds=1&allowWatchBookmarks=true&labelSelector=a=b`,
    );
    await sleep(50);
    await patch(`${configMaps}/w`, 'merge-patch+json', { data: { x: '1' } });
    await patch(`${configMaps}/w`, 'merge-patch+json', { metadata: { labels: { a: null } } });
    assert.deepEqual(seen(await watching), ['ADDED w', 'MODIFIED w', 'DELETED w', 'BOOKMARK']);
  });

  it('answers 410 from before a compaction, and ends when broken', async () => {
    const { body } = await ask('GET', configMaps);
    await ask('POST', configMaps, { metadata: { name: 'x' } });
    cluster.compact();
    assert.deepEqual(seen(await watch(`resourceVersion=${body.metadata.resourceVersion}`)), ['ERROR 410']);
    const { length } = cluster.audit;
    const watching = watch('');
    await until(() => cluster.audit[length]);
    await sleep(50);
    cluster.breakWatches();
    assert.deepEqual(seen(await watching), ['ADDED kube-root-ca.crt', 'ADDED w', 'ADDED x']);
  });
});

describe('embedded API server: rights', () => {
  const as = { authorization: 'Bearer bob' };
  before(async () => {
    cluster = await startEmbeddedCluster({ users: [{ name: 'bob', groups: ['team'] }] });
  });
  after(() => cluster.close());

  it('refuses in the words of the real one', async () => {
    const message = async (path: string): Promise<unknown> => (await ask('GET', path, undefined, as)).body['message'];
    assert.equal(
      await message(`${podsPath}/p/log`),
      'pods "p" is forbidden: User "bob" cannot get resource "pods/log" in API group "" in the namespace "default"',
    );
    assert.equal(
      await message('/apis/batch/v1/jobs'),
      'jobs.batch is forbidden: User "bob" cannot list resource "jobs" in API group "batch" at the cluster scope',
    );
    assert.equal(
      (await ask('GET', podsPath, undefined, { authorization: 'Bearer nobody' })).body['message'],
      'Unauthorized',
    );
    assert.equal(await message('/apis'), undefined);
  });

  it('allows what a binding grants: verb, subresource and name', async () => {
    const rbac = 'rbac.authorization.k8s.io';
    cluster.create({
      kind: 'Role',
      metadata: { name: 'r' },
      rules: [
        { apiGroups: [''], resources: ['configmaps'], resourceNames: ['mine'], verbs: ['get'] },
        { apiGroups: [''], resources: ['pods/exec'], verbs: ['get'] },
      ],
    });
    cluster.create({
      kind: 'RoleBinding',
      metadata: { name: 'b' },
      roleRef: { apiGroup: rbac, kind: 'Role', name: 'r' },
      subjects: [{ apiGroup: rbac, kind: 'Group', name: 'team' }],
    });
    assert.equal((await ask('GET', `${configMaps}/mine`, undefined, as)).status, 404);
    assert.equal((await ask('GET', `${configMaps}/other`, undefined, as)).status, 403);
    assert.equal((await ask('GET', `${podsPath}/p`, undefined, as)).status, 403);
    const review = (verb: string) =>
      ask(
        'POST',
        '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
        { spec: { resourceAttributes: { verb, resource: 'pods', subresource: 'exec', namespace: 'default' } } },
        as,
      );
    assert.deepEqual((await review('get')).body['status'], {
      allowed: true,
      reason: 'RBAC: allowed by RoleBinding "b/default" of Role "r" to Group "team"',
    });
    assert.deepEqual((await review('create')).body['status'], { allowed: false });
    const impersonating = await ask('GET', podsPath, undefined, { 'impersonate-user': 'bob' });
    assert.equal(impersonating.status, 403);
  });
});

interface Streamed {
  readonly http?: { status: number; body: string };
  readonly stdout: string;
  readonly stderr: string;
  readonly firstFrame: number[];
  readonly status: Body | undefined;
  readonly code: number;
}

function exec(
  pod: string,
  command: readonly string[],
  protocol = 'v4.channel.k8s.io',
  container = 'c',
): Promise<Streamed> {
  const query = new URLSearchParams([
    ['container', container],
    ['stdout', 'true'],
    ['stderr', 'true'],
    ...command.map((each): [string, string] => ['command', each]),
  ]);
  const url = `${cluster.url.replace('http', 'ws')}${podsPath}/${pod}/exec?${query}`;
  const socket = new WebSocket(url, protocol, { headers: { authorization: 'Bearer admin' } });
  const frames: Buffer[] = [];
  const text = (channel: number): string =>
    Buffer.concat(frames.filter((frame) => frame[0] === channel).map((frame) => frame.subarray(1))).toString();
  return new Promise((resolve) => {
    const done = (code: number, http?: { status: number; body: string }): void =>
      resolve({
        stdout: text(1),
        stderr: text(2),
        firstFrame: [...(frames[0] ?? [])],
        status: text(3) === '' ? undefined : JSON.parse(text(3)),
        code,
        ...(http === undefined ? {} : { http }),
      });
    socket.on('message', (data: Buffer) => frames.push(data));
    socket.on('close', (code) => done(code));
    socket.on('error', () => {});
    socket.on('unexpected-response', (_, response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => done(0, { status: response.statusCode ?? 0, body }));
    });
  });
}

describe('embedded API server: exec', () => {
  beforeEach(async () => {
    cluster = await startEmbeddedCluster();
  });
  afterEach(() => cluster.close());

  it('runs real commands and tells their output and exit code', async () => {
    await runningPod('p');
    const good = await exec('p', ['sh', '-c', 'echo hi; echo err >&2']);
    assert.deepEqual([good.firstFrame, good.stdout, good.stderr, good.code], [[1], 'hi\n', 'err\n', 1000]);
    assert.deepEqual(good.status, { metadata: {}, status: 'Success' });
    const bad = await exec('p', ['sh', '-c', 'exit 3']);
    assert.deepEqual(bad.status, {
      metadata: {},
      status: 'Failure',
      message: 'command terminated with non-zero exit code: error executing command [sh -c exit 3], exit code 3',
      reason: 'NonZeroExitCode',
      details: { causes: [{ reason: 'ExitCode', message: '3' }] },
    });
    const missing = await exec('p', ['/no/such']);
    assert.equal(missing.status?.['reason'], 'InternalError');
    assert.match(
      String(missing.status?.['message']),
      /exec: "\/no\/such": stat \/no\/such: no such file or directory: unknown$/,
    );
    const killed = await exec('p', ['sh', '-c', 'kill -9 $$']);
    assert.deepEqual(killed.status?.['details'], { causes: [{ reason: 'ExitCode', message: '137' }] });
  });

  it('answers in HTTP what fails before the start', async () => {
    cluster.create(barePod('waiting', { containers: [{ name: 'c', image: 'no-such/image' }] }));
    const waiting = await exec('waiting', ['true']);
    assert.deepEqual(waiting.http, { status: 500, body: 'container not found ("c")' });
    const absent = await exec('nope', ['true']);
    assert.equal(absent.http?.status, 404);
    const container = await exec('waiting', ['true'], 'v4.channel.k8s.io', 'zz');
    assert.equal(container.http?.status, 400);
    assert.match(container.http?.body ?? '', /container zz is not valid for pod waiting/);
    const five = await exec('waiting', ['true'], 'v5.channel.k8s.io');
    assert.equal(
      five.status?.['message'],
      'Internal error occurred: unable to upgrade connection: container not found ("c")',
    );
  });

  it('plays scripts: a hang, a drop, a runtime that dies', async () => {
    await runningPod('p');
    cluster.onExec(({ command }) => ({
      output: [{ stream: 'stdout', data: 'part' }],
      end: { kind: command[0] === 'lost' ? 'runtime-lost' : command[0] === 'drop' ? 'drop' : 'hang' },
    }));
    const drop = await exec('p', ['drop']);
    assert.deepEqual([drop.stdout, drop.status, drop.code], ['part', undefined, 1006]);
    const four = await exec('p', ['lost']);
    assert.deepEqual([four.status, four.code], [undefined, 1006]);
    const five = await exec('p', ['lost'], 'v5.channel.k8s.io');
    assert.deepEqual([five.status?.['status'], five.code], ['Success', 1000]);
    const hang = await Promise.race([exec('p', ['hang']), sleep(150, 'hangs')]);
    assert.equal(hang, 'hangs');
  });

  it('ends the command with its pod, with 137', async () => {
    await runningPod('p');
    const { length } = cluster.audit;
    const running = exec('p', ['sleep', '60']);
    await until(() => cluster.audit.slice(length).find(({ subresource }) => subresource === 'exec'));
    await sleep(100);
    await ask('DELETE', `${podsPath}/p`);
    assert.deepEqual((await running).status?.['details'], { causes: [{ reason: 'ExitCode', message: '137' }] });
  });

  it('refuses v4 when told to', async () => {
    await cluster.close();
    cluster = await startEmbeddedCluster({ execProtocols: ['v5.channel.k8s.io'] });
    await runningPod('p');
    assert.equal((await exec('p', ['true'])).http?.status, 403);
    assert.equal((await exec('p', ['true'], 'v5.channel.k8s.io')).status?.['status'], 'Success');
  });
});

describe('embedded API server: pods', () => {
  before(async () => {
    cluster = await startEmbeddedCluster({ crashBackoff: 100 });
  });
  after(() => cluster.close());

  it('come up, with init containers first and native sidecars beside them', async () => {
    const pod = await runningPod('full', {
      initContainers: [
        { name: 'init', image: 'busybox', command: ['true'] },
        { name: 'sidecar', image: 'busybox', restartPolicy: 'Always' },
      ],
    });
    const [init, sidecar] = pod.status.initContainerStatuses ?? [];
    assert.equal(init?.state.terminated?.exitCode, 0);
    assert.ok(sidecar?.state.running);
    assert.equal(pod.status.phase, 'Running');
  });

  it('wait for an image that cannot be pulled', async () => {
    cluster.create(barePod('pull', { containers: [{ name: 'c', image: 'no-such/image' }] }));
    const reasonIs = (reason: string) => (pod: Pod) =>
      pod.status.containerStatuses?.[0]?.state.waiting?.reason === reason;
    await cluster.pods.waitFor('default', 'pull', reasonIs('ErrImagePull'));
    await cluster.pods.waitFor('default', 'pull', reasonIs('ImagePullBackOff'));
  });

  it('become ready when their probe succeeds', async () => {
    const readinessProbe = { exec: { command: ['test', '-e', 'ok'] }, periodSeconds: 0.05 };
    cluster.create(barePod('probe', { containers: [{ name: 'c', image: 'busybox', readinessProbe }] }));
    const pod = await cluster.pods.waitFor('default', 'probe', (each) => each.status.phase === 'Running');
    assert.equal(isReady(pod), false);
    await exec('probe', ['touch', 'ok']);
    await cluster.pods.waitFor('default', 'probe', isReady);
  });

  it('finish, or crash and back off, as their command does', async () => {
    const containers = [{ name: 'c', image: 'busybox', command: ['sh', '-c', 'echo out; exit 4'] }];
    cluster.create(barePod('failed', { restartPolicy: 'Never', containers }));
    const failed = await cluster.pods.waitFor('default', 'failed', (each) => each.status.phase === 'Failed');
    assert.equal(failed.status.containerStatuses?.[0]?.state.terminated?.exitCode, 4);
    assert.deepEqual((await ask('GET', `${podsPath}/failed/log`)).body, { text: 'out\n' });
    cluster.create(barePod('crashing', { containers }));
    const waits = (pod: Pod) => pod.status.containerStatuses?.[0]?.state.waiting?.reason === 'CrashLoopBackOff';
    const crashing = await cluster.pods.waitFor('default', 'crashing', waits);
    assert.equal(crashing.status.containerStatuses?.[0]?.lastState.terminated?.exitCode, 4);
  });

  it('obey the test: a status of its own, an ended container', async () => {
    await runningPod('mine');
    cluster.pods.endContainer('default', 'mine', 'c', 9);
    await cluster.pods.waitFor(
      'default',
      'mine',
      (pod) => pod.status.containerStatuses?.[0]?.restartCount === 1 && isReady(pod),
    );
    cluster.pods.setStatus('default', 'mine', { phase: 'Unknown' });
    const { body } = await ask('GET', `${podsPath}/mine`);
    assert.equal((body['status'] as { phase: string }).phase, 'Unknown');
  });

  it('go in two steps: marked, then gone', async () => {
    await runningPod('going');
    const { status, body } = await ask('DELETE', `${podsPath}/going`);
    assert.equal(status, 200);
    assert.equal(body.metadata['deletionGracePeriodSeconds'], 30);
    await gone(`${podsPath}/going`);
  });
});

describe('embedded API server: TLS', () => {
  it('is trusted by its own kubeconfig, and by nothing else', async () => {
    cluster = await startEmbeddedCluster({ tls: true });
    try {
      const config = new KubeConfig();
      config.loadFromFile(cluster.kubeconfigPath);
      const namespaces = await config.makeApiClient(CoreV1Api).listNamespace();
      assert.deepEqual(
        namespaces.items.map((item) => item.metadata?.name),
        ['default', 'kube-system', 'velero'],
      );
      await assert.rejects(fetch(`${cluster.url}/version`));
    } finally {
      await cluster.close();
    }
  });
});

describe('embedded API server: jobs', () => {
  const image = 'restorehooks/runner:test';
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'restorehooks-stand-in-'));
    const script = join(folder, 'runner.mjs');
    await writeFile(
      script,
      `import { readFileSync } from 'node:fs';
       const plan = readFileSync(process.argv[2], 'utf8');
       const config = JSON.parse(readFileSync(process.env.KUBECONFIG, 'utf8'));
       const headers = { authorization: 'Bearer ' + config.users[0].user.token };
       process.removeAllListeners('warning');
       process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
       const answer = await fetch(config.clusters[0].cluster.server + '/api/v1/namespaces/velero/pods', { headers });
       console.log(plan, process.env.POD_NAME, answer.status, (await answer.json()).message ?? '');
       if (plan === 'wait') setInterval(() => {}, 1000);
       process.on('SIGTERM', () => process.exit(7));
       process.exitCode = Number(process.argv[3] ?? 0);\n`,
    );
    cluster = await startEmbeddedCluster({
      runner: { image, entrypoint: [process.execPath, script] },
      jobPodBackoff: 50,
    });
    cluster.create({ kind: 'ServiceAccount', metadata: { name: 'restorehooks', namespace: 'velero' } });
  });
  after(async () => {
    await cluster.close();
    await rm(folder, { recursive: true });
  });

  const job = (name: string, secretName: string, args: string[] = [], spec: object = {}, pod: object = {}): object => ({
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: 'velero' },
    spec: {
      backoffLimit: 0,
      ...spec,
      template: {
        spec: {
          restartPolicy: 'Never',
          serviceAccountName: 'restorehooks',
          volumes: [{ name: 'plan', secret: { secretName } }],
          containers: [
            {
              name: 'runner',
              image,
              args: ['/plan/plan.txt', ...args],
              env: [{ name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
              volumeMounts: [{ name: 'plan', mountPath: '/plan' }],
            },
          ],
          ...pod,
        },
      },
    },
  });
  const conditionOf = (name: string) => {
    const status = cluster.get('jobs', 'velero', name)?.['status'] as
      | { conditions?: { type: string; reason: string }[] }
      | undefined;
    return status?.conditions?.at(-1);
  };
  const podOf = (name: string): Pod | undefined =>
    cluster.list('pods', 'velero').find((pod) => pod.metadata.labels?.['job-name'] === name) as Pod | undefined;
  const eventsOf = (name: string): unknown[] =>
    cluster
      .list('events', 'velero')
      .filter((event) => (event['involvedObject'] as { name: string }).name === name)
      .map((event) => event['reason']);

  it('run the runner as their ServiceAccount with the plan mounted', async () => {
    cluster.create({
      kind: 'Secret',
      metadata: { name: 'plan', namespace: 'velero' },
      stringData: { 'plan.txt': 'the-plan' },
    });
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfigPath);
    await config.makeApiClient(BatchV1Api).createNamespacedJob({ namespace: 'velero', body: job('good', 'plan') });
    assert.equal((await until(() => conditionOf('good'))).type, 'Complete');
    const pod = podOf('good');
    const log = await config
      .makeApiClient(CoreV1Api)
      .readNamespacedPodLog({ namespace: 'velero', name: pod?.metadata.name ?? '' });
    assert.equal(
      log,
      `the-plan ${pod?.metadata.name} 403 pods is forbidden: User "system:serviceaccount:velero:restorehooks" cannot list resource "pods" in API group "" in the namespace "velero"\n`,
    );
    assert.equal(pod?.status.phase, 'Succeeded');
  });

  it('fail with the exit code, after as many pods as the limit allows', async () => {
    cluster.create(job('bad', 'plan', ['3'], { backoffLimit: 1 }));
    assert.equal((await until(() => conditionOf('bad'))).reason, 'BackoffLimitExceeded');
    const codes = cluster
      .list('pods', 'velero')
      .filter((pod) => pod.metadata.labels?.['job-name'] === 'bad')
      .map((pod) => (pod as Pod).status.containerStatuses?.[0]?.state.terminated?.exitCode);
    assert.deepEqual(codes, [3, 3]);
  });

  it('fail at once where a podFailurePolicy says so', async () => {
    const onExitCodes = { operator: 'NotIn', values: [0] };
    const podFailurePolicy = { rules: [{ action: 'FailJob', onExitCodes }] };
    cluster.create(job('policy', 'plan', ['10'], { backoffLimit: 3, podFailurePolicy }));
    assert.equal((await until(() => conditionOf('policy'))).reason, 'PodFailurePolicy');
  });

  it('say why no pod comes or none starts', async () => {
    cluster.create(job('no-account', 'plan', [], {}, { serviceAccountName: 'nosa' }));
    await until(() => eventsOf('no-account').includes('FailedCreate'));
    assert.equal(podOf('no-account'), undefined);
    cluster.create(job('no-secret', 'nosec'));
    await until(() => podOf('no-secret') && eventsOf(podOf('no-secret')?.metadata.name ?? '').includes('FailedMount'));
    assert.equal(podOf('no-secret')?.status.containerStatuses?.[0]?.state.waiting?.reason, 'ContainerCreating');
    cluster.create(job('no-image', 'plan', [], {}, { containers: [{ name: 'c', image: 'other:1' }] }));
    await until(() => podOf('no-image')?.status.containerStatuses?.[0]?.state.waiting?.reason === 'ErrImagePull');
  });

  it('end their runner when they are deleted', async () => {
    cluster.create({
      kind: 'Secret',
      metadata: { name: 'wait', namespace: 'velero' },
      stringData: { 'plan.txt': 'wait' },
    });
    cluster.create(job('long', 'wait'));
    await until(() => podOf('long')?.status.phase === 'Running');
    cluster.delete('jobs', 'velero', 'long', { propagationPolicy: 'Background' });
    await until(() => podOf('long') === undefined);
  });
});
