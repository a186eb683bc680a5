import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { asVelero, tarGzOf, VERSION_FILE } from '../archives.ts';
import type { Loose, Scene } from './harness.ts';
import { entry, exec, IMAGE, isReal, mark, NO_IMAGE, sh, startSuite, waitFor } from './harness.ts';

/** Init hooks: added to pods that a run creates, and watched in pods that have them. */

const e2e = await startSuite();
after(() => e2e.close());
before(async () => {
  const { code, stderr } = await e2e.plugin('setup', '--apply', '--create-pods', '-n', e2e.velero);
  assert.equal(code, 0, stderr);
});

const container = (name: string, script: string, more: object = {}) => ({
  name,
  image: IMAGE,
  command: sh(script),
  ...more,
});
const init = (containers: readonly object[], more: object = {}) => ({ init: { initContainers: containers, ...more } });

async function fileOf(...objects: object[]): Promise<string> {
  const file = join(e2e.cluster.folder, `pods-${randomUUID().slice(0, 8)}.json`);
  await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  return file;
}

/** A pod as a backup contains it: with the node, status and owners that it had in another cluster. */
const backedUp = (scene: Scene, name: string, more: object = {}): Loose => {
  const pod = scene.podManifest(name, more);
  const { 'velero.io/restore-name': _, ...labels } = pod.metadata.labels;
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      labels,
      uid: 'a-former-uid',
      resourceVersion: '5',
      creationTimestamp: '2026-01-01T00:00:00Z',
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'gone', uid: 'gone', controller: true }],
    },
    spec: { ...pod.spec, nodeName: 'a-former-node' },
    status: { phase: 'Running' },
  };
};

const rowsOf = ({ hooks }: Loose): unknown[] =>
  hooks.map(({ pod, container: of, state, reason }: Loose) => [pod, of, state, reason]);
const podOf = (scene: Scene, name: string): Promise<Loose> => e2e.cluster.get('pods', scene.namespace, name);
const initNames = ({ spec }: Loose): string[] => (spec.initContainers ?? []).map(({ name }: Loose) => name);

describe('pods of a file', { concurrency: 2 }, () => {
  // R2.12
  it('are created as Velero would, init hooks injected, and their exec hooks run after that', async () => {
    const scene = await e2e.scene('created');
    await scene.restore({
      hooks: [
        entry([init([container('load', 'echo loading'), container('index', 'echo indexed')]), exec(mark('warm'))]),
      ],
    });
    const own = {
      initContainers: [{ name: 'restore-wait', image: IMAGE, command: ['true'] }, container('own', 'true')],
    };
    const file = await fileOf(backedUp(scene, 'web-0', { spec: own }));
    const planned = (await scene.plan('-f', file)).json();
    const ran = await scene.apply('-f', file);
    const run = ran.json();
    assert.deepEqual([ran.code, run.phase], [0, 'Completed'], ran.stderr);
    assert.equal(run.planDigest, planned.digest);
    assert.deepEqual(rowsOf(run), [
      ['web-0', 'load', 'Succeeded', undefined],
      ['web-0', 'index', 'Succeeded', undefined],
      ['web-0', 'main', 'Succeeded', undefined],
    ]);
    assert.deepEqual(
      run.hooks.map(({ stdout }: Loose) => stdout),
      ['loading\n', 'indexed\n', undefined],
    );
    const pod = await podOf(scene, 'web-0');
    assert.deepEqual(initNames(pod), ['restore-wait', 'load', 'index', 'own']);
    assert.deepEqual(
      [pod.metadata.labels['velero.io/restore-name'], pod.metadata.labels['velero.io/backup-name']],
      [scene.name, 'nightly'],
    );
    assert.equal(pod.metadata.ownerReferences, undefined);
    assert.deepEqual(new Set(run.hooks.map(({ podUID }: Loose) => podUID)), new Set([pod.metadata.uid]));
    assert.deepEqual(await scene.marks('web-0'), ['warm']);

    const again = await scene.apply('-f', file);
    assert.deepEqual([again.code, again.json().runID], [0, run.runID], 'nothing is run, and nothing created, twice');
    assert.equal((await podOf(scene, 'web-0')).metadata.uid, pod.metadata.uid);
  });

  it('that the Restore leaves out, or that are there without its label, are not touched', async () => {
    const scene = await e2e.scene('untouched');
    await scene.restore({
      hooks: [entry([init([container('load', 'true')])])],
      spec: { excludedNamespaces: ['left-out'] },
    });
    const { uid } = (await scene.pod('there-0', { labels: { 'velero.io/restore-name': 'another' } })).metadata;
    const elsewhere = backedUp(scene, 'web-1');
    elsewhere.metadata.namespace = 'left-out';
    const file = await fileOf(backedUp(scene, 'there-0'), elsewhere);
    const { hooks, notices, skipped } = (await scene.plan('-f', file)).json();
    assert.deepEqual(hooks, []);
    assert.deepEqual(skipped, [{ namespace: 'left-out', pod: 'web-1', reason: 'namespace-not-included' }]);
    assert.ok(notices.some(({ code, pod }: Loose) => code === 'pod-not-restored' && pod === 'there-0'));
    assert.equal((await scene.apply('-f', file)).code, 8);
    assert.equal((await podOf(scene, 'there-0')).metadata.uid, uid);
  });

  // R2.13
  it('that have only exec hooks are not created, but waited for', async () => {
    const scene = await e2e.scene('awaited');
    await scene.restore({ hooks: [entry(exec(mark('warm'), { waitTimeout: '60s' }))] });
    const file = await fileOf(backedUp(scene, 'web-0'));
    const { hooks, notices } = (await scene.plan('-f', file)).json();
    assert.deepEqual([hooks.length, hooks[0].podUID], [1, undefined]);
    assert.ok(notices.some(({ code }: Loose) => code === 'pod-not-in-cluster'));
    const ran = scene.apply('-f', file);
    await scene.runStatus(({ counts }) => counts.waiting === 1);
    await scene.pod('web-0');
    assert.deepEqual([(await ran).code, (await ran).json().phase], [0, 'Completed']);
    assert.deepEqual(await scene.marks('web-0'), ['warm']);
  });

  // R2.7
  it('may be those of a backup, under the namespaces that the Restore maps theirs to', async () => {
    const scene = await e2e.scene('archived');
    await scene.pod('live-0');
    await scene.restore({
      hooks: [entry([init([container('load', 'echo loaded')]), exec(mark('warm'))])],
      spec: { namespaceMapping: { former: scene.namespace } },
    });
    const pods = ['web-0', 'live-0'].map((name) => {
      const pod = backedUp(scene, name);
      pod.metadata.namespace = 'former';
      return pod;
    });
    const archive = join(e2e.cluster.folder, `${randomUUID().slice(0, 8)}.tar.gz`);
    await writeFile(archive, tarGzOf([VERSION_FILE, ...pods.flatMap(asVelero)]));
    const planned = (await scene.plan('--backup-archive', archive)).json();
    const ran = await scene.apply('--backup-archive', archive);
    assert.deepEqual([ran.code, ran.json().planDigest], [0, planned.digest], ran.stderr);
    assert.deepEqual(rowsOf(ran.json()), [
      ['live-0', 'load', 'NotExecuted', 'not-injected'],
      ['live-0', 'main', 'Succeeded', undefined],
      ['web-0', 'load', 'Succeeded', undefined],
      ['web-0', 'main', 'Succeeded', undefined],
    ]);
    assert.deepEqual(initNames(await podOf(scene, 'web-0')), ['load']);
  });

  // R2.25
  it('that the API server refuses end their hooks with its reason, and no others', async () => {
    const scene = await e2e.scene('refused');
    await scene.restore({ hooks: [entry([init([container('load', 'true')]), exec(mark('warm'))])] });
    const twice = backedUp(scene, 'bad-0', { spec: { initContainers: [container('load', 'false')] } });
    const file = await fileOf(twice, backedUp(scene, 'good-0'));
    const ran = await scene.apply('-f', file);
    assert.deepEqual([ran.code, ran.json().phase], [0, 'CompletedWithFailures'], ran.stderr);
    assert.deepEqual(rowsOf(ran.json()), [
      ['bad-0', 'load', 'NotExecuted', 'not-injected'],
      ['bad-0', 'main', 'NotExecuted', 'pod-deleted'],
      ['good-0', 'load', 'Succeeded', undefined],
      ['good-0', 'main', 'Succeeded', undefined],
    ]);
    assert.match(ran.json().hooks[0].message, /could not be created: .*Duplicate/);
    assert.equal(await e2e.cluster.exists('pods', scene.namespace, 'bad-0'), false);
  });

  it('are created from this process, too', async () => {
    const scene = await e2e.scene('local');
    await scene.restore({ hooks: [entry([init([container('load', 'echo here')])])] });
    const ran = await scene.apply('-f', await fileOf(backedUp(scene, 'web-0')), '--runner=local');
    assert.deepEqual([ran.code, ran.json().phase, ran.json().hooks[0].stdout], [0, 'Completed', 'here\n'], ran.stderr);
  });

  it('are not created once a Fail hook has stopped the run', async () => {
    const scene = await e2e.scene('stopped');
    await scene.pod('a-0');
    await scene.restore({
      hooks: [
        entry(exec(sh('exit 7'), { onError: 'Fail' }), { labelSelector: { matchLabels: { app: 'a' } } }),
        entry([init([container('load', 'true')])], { labelSelector: { matchLabels: { app: 'b' } } }),
      ],
    });
    const file = await fileOf(backedUp(scene, 'b-0'));
    const ran = await scene.apply('-f', file, '--max-concurrent=1');
    assert.deepEqual([ran.code, ran.json().phase], [3, 'PartiallyFailed'], ran.stderr);
    assert.deepEqual(rowsOf(ran.json()), [
      ['a-0', 'main', 'Failed', 'exit'],
      ['b-0', 'load', 'NotExecuted', 'aborted'],
    ]);
    assert.equal(await e2e.cluster.exists('pods', scene.namespace, 'b-0'), false);
  });

  it('need rights of the runner that setup gives only when asked', async () => {
    const scene = await e2e.scene('rights');
    await scene.restore({ hooks: [entry([init([container('load', 'true')])])] });
    await e2e.plugin('setup', '--apply', '-n', e2e.velero, '--service-account', 'plain');
    const ran = await scene.apply('-f', await fileOf(backedUp(scene, 'web-0')), '--service-account=plain');
    assert.equal(ran.code, 5);
    assert.match(ran.stderr, /may not create pods in namespace .*\n.*setup --apply .*--create-pods/);
    assert.deepEqual([await scene.annotations(), await scene.jobs()], [{}, []]);

    const watching = await e2e.scene('no-logs');
    const own = container('load', 'echo secret');
    await watching.pod('web-0', { spec: { initContainers: [own] } });
    await watching.restore({ hooks: [entry([init([own])])] });
    const watched = await watching.apply('--service-account=plain');
    const [row] = watched.json().hooks;
    assert.deepEqual([row.state, row.stdout], ['Succeeded', undefined], watched.stderr);
    assert.match(watched.stderr, /^rights .*won't be told: .*setup --apply .*--create-pods$/m);
  });
});

describe('pods that have the containers already', { concurrency: 4 }, () => {
  const watched = async (title: string, own: object, hook: object, more: object = {}) => {
    const scene = await e2e.scene(title);
    await scene.pod('web-0', { spec: { initContainers: [own], ...more }, wait: false });
    await scene.restore({
      hooks: [entry([hook])],
      status: { phase: 'Completed', startTimestamp: '2026-01-01T00:00:00Z' },
    });
    const ran = await scene.apply();
    const [row] = ran.json().hooks;
    return { scene, ran, row };
  };

  // R2.11
  it('are watched although Velero has run, and what Velero named is recognised', async () => {
    const scene = await e2e.scene('veleros');
    await scene.pod('web-0', {
      annotations: {
        'init.hook.restore.velero.io/container-image': IMAGE,
        'init.hook.restore.velero.io/command': '["echo","from Velero"]',
      },
      spec: {
        initContainers: [{ name: 'velero-restore-init-0a1b2c3d', image: IMAGE, command: ['echo', 'from Velero'] }],
      },
    });
    await scene.restore({
      hooks: [entry(exec(mark('no')))],
      status: { phase: 'Completed', startTimestamp: '2026-01-01T00:00:00Z' },
    });
    const ran = await scene.apply();
    const [row, ...others] = ran.json().hooks;
    assert.deepEqual([ran.code, row.state, row.stdout, others], [0, 'Succeeded', 'from Velero\n', []], ran.stderr);
    assert.equal(row.container, 'velero-restore-init-0a1b2c3d');
    assert.deepEqual(await scene.marks('web-0'), []);
  });

  // R2.11
  it('are known where something has changed them since, and never injected once more', async () => {
    const scene = await e2e.scene('changed');
    await scene.restore({
      hooks: [
        entry([init([container('load', 'echo as written'), container('index', 'true')])], {
          labelSelector: { matchLabels: { app: 'web' } },
        }),
      ],
      status: { phase: 'Completed', startTimestamp: '2026-01-01T00:00:00Z' },
    });
    const changed = [container('load', 'echo changed'), container('index', 'true')];
    const { uid } = (await scene.pod('web-0', { spec: { initContainers: changed } })).metadata;
    // Velero generated the container's name, and a webhook changed its command.
    const generated = {
      ...container('velero-restore-init-0a1b2c3d', 'echo rewritten'),
      imagePullPolicy: 'IfNotPresent',
    };
    await scene.pod('api-0', {
      annotations: { 'init.hook.restore.velero.io/container-image': IMAGE, 'init.hook.restore.velero.io/command': 'x' },
      spec: { initContainers: [generated] },
    });
    const ran = await scene.apply('--recreate-pods', '--rerun');
    assert.deepEqual(rowsOf(ran.json()), [
      ['api-0', 'velero-restore-init-0a1b2c3d', 'Succeeded', undefined],
      ['web-0', 'load', 'Succeeded', undefined],
      ['web-0', 'index', 'Succeeded', undefined],
    ]);
    assert.equal(ran.json().hooks[1].stdout, 'changed\n');
    assert.equal((await podOf(scene, 'web-0')).metadata.uid, uid, 'the pod is still the same');
    const told = (await scene.plan()).json().notices.filter(({ code }: Loose) => code === 'image-differs');
    assert.deepEqual(
      told.map(({ pod }: Loose) => pod),
      ['api-0', 'web-0'],
    );
    assert.match(told[1].message, /^init container load of hook e2e \(0\) was changed after .* \(command\)$/);
  });

  // R2.21
  it('tell exit code and last lines where the pod does not try again', async () => {
    const own = container('load', 'echo one; echo two; exit 3');
    const { ran, row } = await watched('failing', own, init([own]), { restartPolicy: 'Never' });
    assert.deepEqual([ran.code, ran.json().phase], [0, 'CompletedWithFailures'], ran.stderr);
    assert.deepEqual([row.state, row.reason, row.exitCode, row.stdout], ['Failed', 'exit', 3, 'one\ntwo\n']);
  });

  // R2.22
  it('are waited for while the kubelet tries again, until the timeout', async () => {
    const own = container('load', 'echo try; exit 4');
    const { row } = await watched('restarting', own, init([own], { timeout: '8s' }));
    assert.deepEqual([row.state, row.reason, row.exitCode, row.stdout], ['TimedOut', 'waiting', 4, 'try\n']);
    assert.match(row.message, /init container load to end \((CrashLoopBackOff, )?exit code 4, \d+ restarts?\)/);
  });

  it('that succeed at a later try have succeeded', async () => {
    const own = container('load', 'if [ -e /tries/one ]; then echo well; else touch /tries/one; exit 1; fi', {
      volumeMounts: [{ name: 'tries', mountPath: '/tries' }],
    });
    const local = isReal ? own : container('load', 'if [ -e one ]; then echo well; else touch one; exit 1; fi');
    const { row } = await watched(
      'retried',
      local,
      init([local]),
      isReal ? { volumes: [{ name: 'tries', emptyDir: {} }] } : {},
    );
    assert.deepEqual([row.state, row.exitCode, row.stdout], ['Succeeded', 0, 'well\n'], row.message);
  });

  it('that hang end at the timeout, and go on in the pod', async () => {
    const own = container('load', 'echo begun; sleep 1000');
    const { scene, row } = await watched('hanging', own, init([own], { timeout: '4s' }), {});
    assert.deepEqual([row.state, row.reason, row.stdout], ['TimedOut', 'executing', 'begun\n']);
    assert.ok((await podOf(scene, 'web-0')).status.initContainerStatuses[0].state.running);
  });

  it('that wait for their image say so', async () => {
    const own = { name: 'load', image: NO_IMAGE, command: ['true'] };
    const { row } = await watched('unpulled', own, init([own], { timeout: '15s' }));
    assert.deepEqual([row.state, row.reason], ['TimedOut', 'waiting']);
    assert.match(row.message, /load to end \((ErrImagePull|ImagePullBackOff)\)/);
  });

  it('that run out of memory say so', { skip: !isReal && 'the embedded kubelet has no limits' }, async () => {
    const own = container('load', 'a=x; while true; do a="$a$a"; done', { resources: { limits: { memory: '16Mi' } } });
    const { row } = await watched('oom', own, init([own]), { restartPolicy: 'Never' });
    assert.deepEqual([row.state, row.reason, row.exitCode, row.message], ['Failed', 'exit', 137, 'OOMKilled']);
  });

  // R2.23
  it('as sidecars have succeeded once they run, and commands can be run in them', async () => {
    const scene = await e2e.scene('sidecar');
    const side = container('proxy', 'sleep 1000', { restartPolicy: 'Always' });
    await scene.restore({ hooks: [entry([init([side]), exec(mark('warm'), { container: 'proxy' })])] });
    const ran = await scene.apply('-f', await fileOf(backedUp(scene, 'web-0')));
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    assert.equal('exitCode' in ran.json().hooks[0], false);
    assert.deepEqual(await scene.marks('web-0', 'proxy'), ['warm']);
  });

  it('and are deleted while they run leave an Unknown', async () => {
    const scene = await e2e.scene('deleted');
    const own = container('load', 'sleep 1000');
    await scene.pod('web-0', { spec: { initContainers: [own] }, wait: false });
    await scene.restore({ hooks: [entry([init([own])])] });
    const ran = scene.apply();
    await waitFor('the row to run', async () => (await scene.status()).json().hooks[0]?.state === 'Running');
    await scene.removePod('web-0');
    const [row] = (await ran).json().hooks;
    assert.ok(['Unknown', 'Failed'].includes(row.state), row.state);
    assert.notEqual(row.exitCode, 0);
  });
});

describe('pods that lack the containers', { concurrency: 3 }, () => {
  // R2.14
  it('are left as they are, with how to get there', async () => {
    const scene = await e2e.scene('lacking');
    const { uid } = (await scene.pod('web-0')).metadata;
    await scene.restore({ hooks: [entry([init([container('load', 'true')]), exec(mark('warm'))])] });
    const planned = (await scene.plan()).json();
    assert.equal(planned.hooks[0].never, 'not-injected');
    assert.ok(
      planned.notices.some(
        ({ code, message }: Loose) => code === 'init-container-not-injected' && /--recreate-pods/.test(message),
      ),
    );
    const ran = await scene.apply();
    assert.deepEqual([ran.code, ran.json().phase], [0, 'CompletedWithFailures'], ran.stderr);
    assert.deepEqual(rowsOf(ran.json()), [
      ['web-0', 'load', 'NotExecuted', 'not-injected'],
      ['web-0', 'main', 'Succeeded', undefined],
    ]);
    assert.equal((await podOf(scene, 'web-0')).metadata.uid, uid);
  });

  // R2.15
  it('are created anew with --recreate-pods, and exec hooks run in the new ones', async () => {
    const scene = await e2e.scene('recreated');
    const { uid } = (await scene.pod('web-0', { annotations: { note: 'kept' } })).metadata;
    await scene.restore({ hooks: [entry([init([container('load', 'echo anew')]), exec(mark('warm'))])] });
    const ran = await scene.apply('--recreate-pods');
    assert.deepEqual([ran.code, ran.json().phase], [0, 'Completed'], ran.stderr);
    assert.match(ran.stderr, /DELETED/);
    const pod = await podOf(scene, 'web-0');
    assert.notEqual(pod.metadata.uid, uid);
    assert.deepEqual([initNames(pod), pod.metadata.annotations.note], [['load'], 'kept']);
    assert.deepEqual(await scene.marks('web-0'), ['warm']);
    const again = await scene.apply('--recreate-pods');
    assert.deepEqual([again.code, again.json().runID], [0, ran.json().runID], again.stderr);
    assert.equal((await podOf(scene, 'web-0')).metadata.uid, pod.metadata.uid);
  });

  // R2.15
  it('are not deleted where the API server would refuse the new one', async () => {
    const scene = await e2e.scene('kept');
    const { uid } = (await scene.pod('web-0')).metadata;
    await scene.restore({ hooks: [entry([init([container('main', 'true')]), exec(mark('warm'))])] });
    const ran = await scene.apply('--recreate-pods');
    assert.deepEqual(rowsOf(ran.json()), [
      ['web-0', 'main', 'NotExecuted', 'not-injected'],
      ['web-0', 'main', 'Succeeded', undefined],
    ]);
    assert.match(ran.json().hooks[0].message, /would be refused, and is left as it is: .*Duplicate/);
    assert.equal((await podOf(scene, 'web-0')).metadata.uid, uid);
  });

  // R2.16
  it('are never deleted where a controller owns them', async () => {
    const scene = await e2e.scene('owned');
    await scene.restore({ hooks: [entry([init([container('load', 'true')])])] });
    const owner = await e2e.cluster.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'owner', namespace: scene.namespace },
    });
    const manifest = scene.podManifest('web-0');
    manifest.metadata.ownerReferences = [
      { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid, controller: true },
    ];
    const { uid } = (await e2e.cluster.create(manifest)).metadata;
    const ran = await scene.apply('--recreate-pods');
    assert.deepEqual(rowsOf(ran.json()), [['web-0', 'load', 'NotExecuted', 'not-injected']], ran.stderr);
    assert.match(ran.stderr, /inject them into its ConfigMap owner/);
    assert.equal((await podOf(scene, 'web-0')).metadata.uid, uid);
  });
});
