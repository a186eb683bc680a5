import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { selfSignedCertificate } from '../embedded/certificate.ts';
import type { Interception } from '../embedded/server.ts';
import { startProxy } from '../proxy.ts';
import type { Loose, Rule, Scene, Suite } from './harness.ts';
import { endings, entry, exec, gated, isReal, mark, sh, startSuite, waitFor } from './harness.ts';

/** Whole runs with faults of the network, the API server and the clock: the report must say what was done. */

/** Tokens that the server accepts besides those of the cluster's users. */
const tokens = new Set<string>();
const e2e = await startSuite({
  authenticate: (token) => (tokens.has(token) ? { name: 'rotating', groups: ['system:masters'] } : undefined),
});
after(() => e2e.close());
const { cluster, velero } = e2e;

const LONG = { execTimeout: '10m' };
const EVERYTHING: Rule = { apiGroups: ['*'], resources: ['*'], verbs: ['*'] };
const sceneWith = async (title: string, hooks: readonly object[], pods: readonly string[]): Promise<Scene> => {
  const scene = await e2e.scene(title);
  await Promise.all(pods.map((pod) => scene.pod(pod)));
  await scene.restore({ hooks: [entry(hooks)], status: { phase: 'Completed' } });
  return scene;
};
const localRun = (scene: Scene, plugin: Suite['plugin'] = e2e.plugin) =>
  plugin.start('apply', scene.name, '-n', velero, '-o', 'json', '--runner=local');
const begun = (scene: Scene, pod: string) =>
  waitFor(`the hook in ${pod} to begin`, async () => (await scene.marks(pod)).includes('begun'));

/** The kubeconfig of a user, with changes. */
async function kubeconfigOf(user: string, change: (config: Loose) => void): Promise<string> {
  const config = JSON.parse(readFileSync(user, 'utf8'));
  change(config);
  const file = `${user}.changed`;
  await writeFile(file, JSON.stringify(config));
  return file;
}
/** Somebody who reaches the API server through a proxy of ours. */
async function behindProxy() {
  const user = await cluster.userWith(velero, [EVERYTHING]);
  const server = new URL(JSON.parse(readFileSync(user, 'utf8')).clusters[0].cluster.server);
  const proxy = await startProxy(Number(server.port) || 443, { host: server.hostname });
  server.port = String(proxy.port);
  const kubeconfig = await kubeconfigOf(user, ({ clusters }) => {
    clusters[0].cluster.server = server.href;
  });
  return { proxy, plugin: e2e.plugin.with({ kubeconfig }) };
}

const HOOKS = [0, 1, 2];
/** After a lost connection the pod's next hook waits until this exec timeout has passed. */
const counted = HOOKS.map((index) => exec(mark(`h${index}`), { execTimeout: '10s' }));
const podsOf = (count: number): string[] => Array.from({ length: count }, (_, index) => `web-${index}`);

/** Compares the report with the lines that the hooks have written in the containers. */
async function isTrue(scene: Scene, { hooks, counts }: Loose, pods: readonly string[]): Promise<void> {
  assert.equal(hooks.length, pods.length * HOOKS.length);
  const marks = new Map(await Promise.all(pods.map(async (pod) => [pod, await scene.marks(pod)] as const)));
  for (const { pod, index, state, reason } of hooks) {
    const times = marks.get(pod)?.filter((line) => line === `h${index}`).length ?? 0;
    const told = `${pod}/${index} ${state} (${reason}), done ${times} times`;
    if (state === 'Succeeded') assert.equal(times, 1, told);
    else if (state === 'NotExecuted') assert.equal(times, 0, told);
    else if (state === 'Unknown') assert.ok(times <= 1 && reason === 'connection-lost', told);
    else assert.fail(told);
  }
  const { planned, succeeded, failed, timedOut, notExecuted, unknown } = counts;
  assert.equal(planned, succeeded + failed + timedOut + notExecuted + unknown);
  for (const [pod, lines] of marks) {
    const inOrder = [...lines].sort();
    assert.deepEqual(lines, inOrder, `in order in ${pod}`);
  }
}

/** Whether the run can't go on: it has a failure, or its waiting hook is `NotExecuted`. */
const isFailed = async (scene: Scene): Promise<boolean> => {
  const { status } = await scene.annotations();
  return JSON.parse(status ?? '{}').failure !== undefined || JSON.parse(status ?? '{}').counts.notExecuted === 1;
};

describe('through faults', { concurrency: true }, () => {
  describe('a run', { concurrency: 4 }, () => {
    it('whose connections are all cut again and again ends, and tells what was done', async () => {
      const pods = podsOf(6);
      const scene = await sceneWith('cuts', counted, pods);
      const { proxy, plugin } = await behindProxy();
      try {
        const run = localRun(scene, plugin);
        await scene.runStatus(({ phase }) => phase === 'InProgress');
        let isOver = false;
        const ended = run.done.finally(() => {
          isOver = true;
        });
        for (let cuts = 0, seen = proxy.connections(); cuts < 12 && !isOver; cuts += 1) {
          await waitFor('some more connections', () => isOver || proxy.connections() >= seen + 3);
          seen = proxy.connections();
          proxy.cut();
        }
        const ran = await ended;
        assert.equal(ran.code, 0, ran.stderr);
        await isTrue(scene, ran.json(), pods);
        assert.deepEqual(ran.json(), (await scene.status()).json());
      } finally {
        await proxy.close();
      }
    });

    it('goes on with a token that is exchanged on disk while the old one is refused', {
      skip: isReal && 'the embedded server forgets a token at once',
    }, async () => {
      const scene = await sceneWith('token', [exec(gated(), LONG), exec(mark('next'))], ['web-0']);
      const user = await cluster.userWith(velero, [EVERYTHING]);
      const tokenFile = join(cluster.folder, 'rotating-token');
      /** Replaces a file by renaming a new one, as the kubelet does. */
      const rotate = async (token: string) => {
        await writeFile(`${tokenFile}.new`, token);
        await rename(`${tokenFile}.new`, tokenFile);
        tokens.clear();
        tokens.add(token);
      };
      await rotate('one');
      const kubeconfig = await kubeconfigOf(user, ({ users }) => {
        users[0].user = { tokenFile };
      });
      const run = localRun(scene, e2e.plugin.with({ kubeconfig }));
      await begun(scene, 'web-0');
      for (const token of ['two', 'three']) {
        const before = cluster.embedded?.audit.length ?? 0;
        await rotate(token);
        const since = () => cluster.embedded?.audit.slice(before) ?? [];
        await waitFor('the new one to be taken', () =>
          since().some((each) => each.user === 'rotating' && each.status === 200),
        );
      }
      await scene.open('web-0');
      const ran = await run.done;
      assert.equal(ran.code, 0, ran.stderr);
      assert.deepEqual(endings(ran.json()), { 'web-0 0': 'Succeeded', 'web-0 1': 'Succeeded' });
      assert.deepEqual(await scene.marks('web-0'), ['begun', 'ended', 'next']);
    });

    it('is not moved by a wall clock that jumps an hour forward and back: nothing times out, the Lease is kept', async () => {
      const timeouts = { waitTimeout: '10m', ...LONG };
      const scene = await sceneWith('clock', [exec(gated(), timeouts), exec(mark('next'), timeouts)], ['web-0']);
      const file = join(cluster.folder, 'clock');
      const preload = join(import.meta.dirname, 'other-clock.mjs');
      const run = localRun(scene, e2e.plugin.with({ env: { CLOCK_FILE: file, NODE_OPTIONS: `--import=${preload}` } }));
      await begun(scene, 'web-0');
      const lease = async () => (await cluster.list('leases', velero, `restorehooks.io/restore=${scene.name}`))[0];
      for (const hour of [1, -1]) {
        const { metadata, spec } = await lease();
        await writeFile(file, String(hour * 3_600_000));
        const renewed = await waitFor('a renewal', async () => {
          const now = await lease();
          return now.metadata.resourceVersion !== metadata.resourceVersion && now;
        });
        assert.equal(renewed.spec.holderIdentity, spec.holderIdentity);
        const movedMs = Date.parse(renewed.spec.renewTime) - Date.parse(spec.renewTime);
        assert.ok(movedMs > 0 && movedMs < 3_000_000, `${movedMs} ms by the runner's clock`);
      }
      await scene.open('web-0');
      const ran = await run.done;
      assert.equal(ran.code, 0, ran.stderr);
      assert.deepEqual(endings(ran.json()), { 'web-0 0': 'Succeeded', 'web-0 1': 'Succeeded' });
      assert.deepEqual(await scene.marks('web-0'), ['begun', 'ended', 'next']);
      const { startedAt, finishedAt } = ran.json();
      assert.ok(Date.parse(startedAt) <= Date.parse(finishedAt));
    });

    it('of hooks that print faster than anybody reads needs no more memory for it, and ends', async () => {
      const flood = sh('head -c 40000000 /dev/zero | tr "\\0" x; echo end >&2');
      const pods = podsOf(4);
      const scene = await sceneWith('flood', [exec(flood, LONG)], pods);
      const file = join(cluster.folder, 'memory');
      const preload = join(import.meta.dirname, 'other-clock.mjs');
      const run = localRun(scene, e2e.plugin.with({ env: { MEMORY_FILE: file, NODE_OPTIONS: `--import=${preload}` } }));
      const ran = await run.done;
      assert.equal(ran.code, 0, ran.stderr);
      for (const { state, message, stdout, stderr } of ran.json().hooks) {
        assert.deepEqual([state, message, stderr], ['Succeeded', undefined, 'end\n']);
        assert.equal(stdout, 'x'.repeat(4096));
      }
      assert.ok(existsSync(file));
      const bytes = Number(readFileSync(file, 'utf8'));
      assert.ok(bytes < 250e6, `${bytes} bytes for 160 MB of output`);
    });
  });

  describe('an API server whose certificate has expired', () => {
    it('is one line, with what to do, and exit code 6', async () => {
      const certificate = selfSignedCertificate(Date.now() - 1_000);
      const server = createServer(certificate).listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      try {
        const { port } = server.address() as AddressInfo;
        const user = await cluster.userWith(velero, [EVERYTHING]);
        const kubeconfig = await kubeconfigOf(user, ({ clusters }) => {
          const ca = Buffer.from(certificate.cert).toString('base64');
          clusters[0].cluster = { server: `https://127.0.0.1:${port}`, 'certificate-authority-data': ca };
        });
        const ran = await e2e.plugin.with({ kubeconfig })('apply', 'nightly', '-n', velero);
        assert.deepEqual([ran.code, ran.stdout], [6, '']);
        assert.match(ran.stderr, /^error: .*its certificate has expired \(CERT_HAS_EXPIRED\)\n.*renew it there/);
        assert.equal(ran.stderr.trim().split('\n').length, 2, ran.stderr);
      } finally {
        server.close();
      }
    });
  });

  /** Mid-run: the first hook runs, the second has yet to be started. */
  describe('rights that are taken away while a hook runs', { concurrency: 4 }, () => {
    const RIGHTS: readonly (readonly [string, string, readonly string[]])[] = [
      ['velero.io', 'restores', ['get', 'patch']],
      ['', 'secrets', ['get', 'create']],
      ['', 'pods', ['get', 'list', 'watch']],
      ['', 'pods/exec', ['get', 'create']],
      ['', 'configmaps', ['get', 'create', 'patch']],
      ['coordination.k8s.io', 'leases', ['get', 'create', 'patch']],
    ];
    const rules = (without?: string): object[] =>
      RIGHTS.filter(([, resource]) => resource !== without).map(([group, resource, verbs]) => ({
        apiGroups: [group],
        resources: [resource],
        verbs,
      }));

    // A right that the next hook needs is missed at its turn. A lost Lease must be noticed before, by its renewal.
    for (const resource of ['pods/exec', 'configmaps', 'leases'] as const) {
      it(`to ${resource}: the run fails and says so, and the next hook is never started`, async () => {
        const scene = await sceneWith(
          `no-${resource.replace('/', '-')}`,
          [exec(gated(), LONG), exec(mark('next'))],
          ['web-0'],
        );
        const kubeconfig = await cluster.userWith(velero, rules() as Rule[]);
        const { name } = JSON.parse(readFileSync(kubeconfig, 'utf8')).users[0];
        const run = localRun(scene, e2e.plugin.with({ kubeconfig }));
        await begun(scene, 'web-0');
        await scene.runStatus(({ counts }) => counts.running === 1);
        await cluster.patch('clusterRoles', undefined, `${velero}:${name}`, { rules: rules(resource) });
        const taken = (rules() as Rule[]).find(({ resources }) => resources[0] === resource) as Rule;
        await waitFor('the right to go', async () => !(await cluster.may(velero, name, taken)));
        if (resource === 'leases') await waitFor('the Lease to be lost', async () => await isFailed(scene));
        await scene.open('web-0');
        const ran = await run.done;
        assert.equal(ran.code, 5, `${ran.stdout}\n${ran.stderr}`);
        const plural = resource.split('/')[0];
        assert.match(
          ran.stderr + ran.stdout,
          new RegExp(`may not \\w+ ${resource}|cannot \\w+ resource \\\\?"${resource}|${plural}.* is forbidden`),
        );
        assert.deepEqual(await scene.marks('web-0'), ['begun', 'ended']);
        assert.deepEqual(endings(ran.json()), { 'web-0 0': 'Succeeded', 'web-0 1': 'NotExecuted (aborted)' });
      });
    }
  });

  describe('a run whose last word can not be written', () => {
    it('is not told as one that went well, and status tells what its hooks did', async () => {
      const scene = await sceneWith('last-word', [exec(gated(), LONG)], ['web-0']);
      const kubeconfig = await cluster.userWith(velero, [EVERYTHING]);
      const { name } = JSON.parse(readFileSync(kubeconfig, 'utf8')).users[0];
      const run = localRun(scene, e2e.plugin.with({ kubeconfig }));
      await begun(scene, 'web-0');
      await scene.runStatus(({ counts }) => counts.running === 1);
      const others = ['configmaps', 'leases', 'secrets', 'pods', 'pods/exec'];
      await cluster.patch('clusterRoles', undefined, `${velero}:${name}`, {
        rules: [
          { ...EVERYTHING, resources: others },
          { ...EVERYTHING, resources: ['restores'], verbs: ['get'] },
        ],
      });
      const patching = { apiGroups: ['velero.io'], resources: ['restores'], verbs: ['patch'] };
      await waitFor('the right to go', async () => !(await cluster.may(velero, name, patching)));
      await scene.open('web-0');
      const ran = await run.done;
      assert.deepEqual([ran.code, ran.stdout], [5, '']);
      assert.match(
        ran.stderr,
        /^error: the run has ended \(Completed: 1\/1 done\), which could not be written: .*may not patch restores/m,
      );
      assert.equal((await scene.annotations())['phase'], 'InProgress');
      const seen = await scene.status();
      assert.deepEqual([seen.json().phase, endings(seen.json())], ['Failed', { 'web-0 0': 'Succeeded' }], seen.stderr);
      assert.deepEqual(await scene.marks('web-0'), ['begun', 'ended']);
    });
  });
});

describe('an API server that refuses, breaks or loses requests', {
  skip: isReal && 'a real one does it when it likes',
}, () => {
  const tooMany: Interception = { status: 429, headers: { 'Retry-After': '1' } };
  for (const [how, ...fates] of [
    ['asks for patience (429 with Retry-After)', tooMany],
    ['fails (500, 503) and is cut off before it is asked', { status: 500 }, { status: 503 }, { drop: 'before' }],
    ['loses its answers, and fails behind a gateway (502, 504)', { drop: 'after' }, { status: 502 }, { status: 504 }],
  ] as const) {
    it(`${how}: every hook is told as what was done`, async () => {
      const pods = podsOf(2);
      const scene = await sceneWith(`api-${fates.length}-${how.slice(0, 4).trim()}`, counted, pods);
      const struck = new Map<string, number>();
      const kinds = new Set<string>();
      let turn = 0;
      const undo = cluster.embedded?.intercept(({ verb, resource, subresource, namespace }) => {
        const isOurs = namespace === scene.namespace || namespace === velero;
        const kind = subresource === undefined ? resource : `${resource}/${subresource}`;
        const isWrite = ['create', 'patch'].includes(verb) && ['configmaps', 'leases', 'secrets'].includes(kind);
        const isExec = kind === 'pods/exec';
        if (!isOurs || !(isWrite || isExec)) return undefined;
        // Each kind of request fails at first (execs more often), and then no more.
        const times = (struck.get(kind) ?? 0) + 1;
        struck.set(kind, times);
        if (times > (isExec ? 6 : 2)) return undefined;
        kinds.add(kind);
        turn += 1;
        return fates[turn % fates.length];
      });
      try {
        const ran = await localRun(scene).done;
        assert.equal(ran.code, 0, ran.stderr);
        undo?.();
        await isTrue(scene, ran.json(), pods);
        if (fates.length === 1) assert.equal(ran.json().phase, 'Completed');
        assert.deepEqual([...kinds].sort(), ['configmaps', 'leases', 'pods/exec', 'secrets']);
        assert.deepEqual(ran.json(), (await scene.status()).json());
      } finally {
        undo?.();
      }
    });
  }
});
