import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { ExecOutcome } from '../../shared/core/model/hook.ts';
import type { KubeClient } from '../../shared/kubernetes/api/client.ts';
import { kubeClient } from '../../shared/kubernetes/api/client.ts';
import { loadKubeConfig } from '../../shared/kubernetes/connect/kubeconfig.ts';
import { spokenTo } from '../../shared/kubernetes/exec/detached-answer.ts';
import { detachingHookExec } from '../../shared/kubernetes/exec/detached-exec.ts';
import { kubernetesHookExec } from '../../shared/kubernetes/exec/exec.ts';
import { containerState } from '../../shared/kubernetes/pods/container-state.ts';
import { podIdentity } from '../../shared/kubernetes/pods/pod-identity.ts';
import type { ExecRequest, HookExec, Output } from '../../shared/ports/ports.ts';
import { testbed } from './bed.ts';

/** Runs detached commands on a real kubelet, containerd and runc, and kills parts of the cluster meanwhile. */

const skip =
  process.env['RESTOREHOOKS_TEST_CLUSTER'] === '1' ? false : 'needs a cluster that may be broken: npm run test:cluster';
const namespace = `detach-test-${process.pid}`;
const execute = promisify(execFile);
const kubectl = async (...args: string[]): Promise<string> => (await execute('kubectl', args)).stdout;

interface Ran {
  readonly outcome: ExecOutcome;
  readonly output: Output;
}

const images = ['busybox', 'debian', 'ubi'];
const idle = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'];
const container = (image: string, more: object = {}) => ({
  name: 'c',
  image: `testbed.local/${image}:1`,
  command: idle,
  ...more,
});
const pod = (name: string, spec: object) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace },
  spec: { terminationGracePeriodSeconds: 1, ...spec },
});
const readOnly = { securityContext: { readOnlyRootFilesystem: true, runAsUser: 1000, runAsNonRoot: true } };
const scratch = { volumes: [{ name: 'scratch', emptyDir: {} }] };
const mounted = (mountPath: string, more: object = {}) => ({ volumeMounts: [{ name: 'scratch', mountPath, ...more }] });

const pods = [
  ...images.map((image) => pod(image, { containers: [container(image)] })),
  pod('non-root', { containers: [container('debian', { securityContext: { runAsUser: 1000 } })] }),
  pod('read-only', { containers: [container('busybox', readOnly)] }),
  pod('shared', { shareProcessNamespace: true, containers: [container('busybox')] }),
  pod('unreaping', { containers: [container('busybox', { command: ['sleep', '100000'] })] }),
  pod('nowhere', {
    ...scratch,
    containers: [container('busybox', { ...readOnly, ...mounted('/dev/shm', { readOnly: true }) })],
  }),
  pod('small', {
    volumes: [{ name: 'scratch', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }],
    containers: [container('busybox', { ...readOnly, ...mounted('/dev/shm') })],
  }),
  pod('no-shell', { containers: [container('pause', { command: ['/bin/pause', '-P'] })] }),
  pod('restarting', { containers: [container('busybox')] }),
  pod('restarting-kept', { ...scratch, containers: [container('busybox', mounted('/tmp'))] }),
  pod('restarting-shared', {
    shareProcessNamespace: true,
    ...scratch,
    containers: [
      container('busybox', {
        ...mounted('/tmp'),
        command: ['sh', '-c', `read -r main _ </proc/self/stat; echo $main >/tmp/main; ${idle[2]}`],
      }),
    ],
  }),
  pod('deleted', { containers: [container('busybox')] }),
  pod('replaced', { containers: [container('busybox')] }),
];

suite('detached commands on a real kubelet', { skip }, () => {
  let client: KubeClient;
  let exec: HookExec;
  let requests = 0;
  let keys = 0;

  before(async () => {
    client = kubeClient(loadKubeConfig({ env: process.env }));
    const connections = { open: () => client.connection(), forget: () => client.forgetCredentials() };
    const plain = kubernetesHookExec(connections, { identity: podIdentity(counting) });
    const counted: typeof plain = {
      start(request, answer) {
        requests += 1;
        return plain.start(request, answer);
      },
    };
    exec = detachingHookExec(counted, { containerState: containerState(counting), capturedBytes: 1_000_000 });
    await kubectl('create', 'namespace', namespace);
    await kubectl('wait', '-n', namespace, '--for=create', 'serviceaccount/default', '--timeout=30s');
    await apply({ apiVersion: 'v1', kind: 'List', items: pods });
    await kubectl('wait', '-n', namespace, '--for=condition=Ready', 'pod', '--all', '--timeout=90s');
  });
  const counting: Pick<KubeClient, 'get'> = {
    get(...args) {
      requests += 1;
      return client.get(...args);
    },
  };

  after(async () => {
    await testbed('waken');
    client?.close();
    await kubectl('delete', 'namespace', namespace, '--wait=false');
  });

  /** A request for a command under a key of its own, bound to the pod and the container as they are now. */
  async function requestFor(name: string, command: readonly string[], detached = true): Promise<ExecRequest> {
    const { metadata, status } = JSON.parse(await kubectl('get', 'pod', '-n', namespace, name, '-o', 'json'));
    const containerID = status.containerStatuses[0].containerID as string;
    keys += 1;
    const key = `${process.pid}/${keys}`;
    return {
      ...{ namespace, pod: name, podUID: metadata.uid, container: 'c', command },
      ...(detached && { detached: { key, containerID, isBegun: false } }),
    };
  }

  const start = (request: ExecRequest, onStarted: () => unknown = () => {}): Promise<Ran> =>
    new Promise((resolve) => {
      exec.start(request, { started: onStarted, ended: (outcome, output) => resolve({ outcome, output }) });
    });
  const run = async (name: string, command: readonly string[], detached = true): Promise<Ran> =>
    await start(await requestFor(name, command, detached));
  const ofShell = (name: string, script: string): Promise<Ran> => run(name, ['sh', '-c', script], false);

  /** What is left of a detached command in its container. */
  async function left({ pod, detached }: ExecRequest): Promise<string> {
    const folder = spokenTo('forget', detached?.key ?? '')[5];
    return (await ofShell(pod, `ls -d /tmp/${folder} /dev/shm/${folder} 2>/dev/null`)).output.stdout ?? '';
  }

  async function forgotten(request: ExecRequest): Promise<void> {
    exec.forget?.(request);
    for (let i = 0; i < 100 && (await left(request)) !== ''; i += 1) await delay(100);
    assert.equal(await left(request), '');
  }

  async function recovered(name: string): Promise<void> {
    for (let i = 0; i < 300; i += 1) {
      const { outcome } = await run(name, ['true'], false);
      if (outcome.kind === 'exited' && outcome.exitCode === 0) return;
      await delay(100);
    }
    assert.fail('no command runs again');
  }

  for (const name of ['busybox', 'debian', 'ubi', 'non-root', 'read-only', 'shared', 'unreaping']) {
    // R3.70, R3.72
    test(`${name}: own exit code, whole output, the environment of a plain exec, nothing left`, async () => {
      const request = await requestFor(name, [
        'sh',
        '-c',
        'printf "<%s>" "$@"; echo err >&2; exit 3',
        'sh',
        '',
        '-n',
        'a\nb',
        "$x'`",
      ]);
      const { outcome, output } = await start(request);
      assert.deepEqual(outcome, { kind: 'exited', exitCode: 3 });
      assert.deepEqual(output, { stdout: "<><-n><a\nb><$x'`>", stderr: 'err\n' });
      assert.notEqual(await left(request), '');
      await forgotten(request);
      const looks = [
        ['env'],
        ['sh', '-c', 'pwd; umask; id; ls /proc/self/fd | wc -l; grep -E "^Sig(Ign|Blk)" /proc/self/status; cat'],
      ];
      for (const look of looks) {
        const asked = await requestFor(name, look);
        const lines = ({ output: { stdout } }: Ran) => stdout?.split('\n').sort();
        assert.deepEqual(lines(await start(asked)), lines(await run(name, look, false)));
        await forgotten(asked);
      }
    });
  }

  // R3.76
  test('no shell, no place, no command: each is told, and nothing is started', async () => {
    const told = async (name: string, command: string[]) => {
      const { outcome } = await run(name, command);
      return outcome.kind === 'error' ? outcome.message : JSON.stringify(outcome);
    };
    assert.match(await told('no-shell', ['/bin/pause']), /^detach needs sh in the container, and there is none/);
    assert.match(await told('nowhere', ['true']), /^detach needs a folder to write in/);
    assert.match(await told('busybox', ['no-such-command', 'hunter2']), /^no such command in the container; nothing/);
    assert.match(await told('busybox', ['/etc/passwd']), /^the command is not executable in the container; nothing/);
  });

  // R3.79
  test('a command of 2 s takes 4 requests at most', async () => {
    const request = await requestFor('busybox', ['sleep', '2']);
    requests = 0;
    assert.deepEqual((await start(request)).outcome, { kind: 'exited', exitCode: 0 });
    exec.forget?.(request);
    // A pod that was looked at a moment ago is not asked for again.
    assert.ok(requests === 3 || requests === 4, String(requests));
    await forgotten(request);
  });

  // R3.73
  test('1 GiB of output passes, and its beginning and end are kept', async () => {
    const request = await requestFor('busybox', [
      'sh',
      '-c',
      `echo first; yes ${'x'.repeat(1023)} | head -c 1073741824; echo last`,
    ]);
    const { outcome, output } = await start(request);
    assert.deepEqual(outcome, { kind: 'exited', exitCode: 0 });
    assert.match(output.stdout ?? '', /^first\n[x\n]+\n\[107\d+ bytes are left out here\]\n[x\n]+\nlast\n$/);
    await forgotten(request);
  });

  test('on a disk with room for few pages a command is not started, or its exit code is told and it can be ended', async () => {
    const told = new Map<string, number>();
    for (let pages = 0; pages < 6; pages += 1) {
      await ofShell('small', `rm -rf /dev/shm/*; dd if=/dev/zero of=/dev/shm/full bs=4096 count=$((256 - ${pages}))`);
      for (const isEnded of [false, true]) {
        const request = await requestFor('small', ['sh', '-c', isEnded ? 'sleep 60' : 'echo hi; exit 3']);
        const { outcome } = await start(request, () => isEnded && exec.end?.(request));
        const how = outcome.kind === 'exited' ? String(outcome.exitCode) : outcome.kind;
        told.set(how, (told.get(how) ?? 0) + 1);
        await ofShell('small', 'rm -rf /dev/shm/restorehooks-*');
      }
    }
    assert.deepEqual([...told.keys()].sort(), ['143', '3', 'error'], JSON.stringify([...told]));
    assert.equal(told.get('3'), told.get('143'));
  });

  // R3.73
  test('a small /dev/shm is room enough for 64 KiB of each stream, of any length', async () => {
    await ofShell('small', 'rm -rf /dev/shm/*');
    const script = 'yes 0123456789abcde | head -c 20000000; yes 0123456789abcde | head -c 20000000 >&2; exit 4';
    const request = await requestFor('small', ['sh', '-c', script]);
    const { outcome, output } = await start(request);
    assert.deepEqual(outcome, { kind: 'exited', exitCode: 4 });
    for (const text of [output.stdout, output.stderr]) {
      assert.match(
        text ?? '',
        /^(0123456789abcde\n)+[0-9a-e]*\n\[199\d+ bytes are left out here\]\n[0-9a-e\n]+abcde\n$/,
      );
    }
    await forgotten(request);
  });

  // R3.75
  test('ended: nothing is left of its group, and then its end is told', async () => {
    for (const name of ['busybox', 'debian', 'ubi', 'shared', 'unreaping']) {
      const ready = `/tmp/ready-${keys}`;
      const script = `trap "" TERM; sh -c "sleep 1234" & sleep 1234 & touch ${ready}; wait; sleep 1234`;
      const request = await requestFor(name, ['sh', '-c', script]);
      const { outcome } = await start(request, async () => {
        while ((await ofShell(name, `ls ${ready}`)).output.stdout === undefined) await delay(100);
        exec.end?.(request);
      });
      assert.deepEqual(outcome, { kind: 'exited', exitCode: 137, wasEnded: true }, name);
      const { output } = await ofShell(
        name,
        'for f in /proc/[0-9]*/cmdline; do tr "\\0" " " <$f; echo; done | grep -c "sleep 123[4]"',
      );
      assert.equal(output.stdout, '0\n', name);
      await forgotten(request);
    }
  });

  for (const name of ['restarting', 'restarting-kept', 'restarting-shared']) {
    // R3.78
    test(`${name}: its container is restarted, which has ended the command`, async () => {
      const request = await requestFor(name, ['sh', '-c', 'sleep 60']);
      const kill = name === 'restarting-shared' ? 'kill $(cat /tmp/main)' : 'kill 1';
      const { outcome } = await start(request, () => setTimeout(() => void ofShell(name, kill), 500));
      assert.deepEqual(outcome, { kind: 'containerRestarted' });
      assert.deepEqual(
        (await start({ ...request, detached: { ...request.detached, isBegun: true } as never })).outcome,
        {
          kind: 'containerRestarted',
        },
      );
    });
  }

  // R3.78
  test('its pod is deleted, or another one stands in its place: the pod is gone', async () => {
    for (const name of ['deleted', 'replaced']) {
      const request = await requestFor(name, ['sh', '-c', 'sleep 60']);
      let replaced: Promise<unknown> = Promise.resolve();
      const { outcome } = await start(request, () => {
        replaced = (async () => {
          await kubectl('delete', 'pod', '-n', namespace, name, '--force', '--grace-period=0');
          if (name === 'replaced') await apply(pods.find(({ metadata }) => metadata.name === name) ?? {});
        })();
      });
      assert.deepEqual(outcome, { kind: 'podGone' }, name);
      await replaced;
    }
  });

  for (const part of ['kubelet', 'containerd', 'apiserver', 'etcd']) {
    for (const afterMs of [0, 40, 80, 120, 1000]) {
      // R3.71
      test(`${part} is killed ${afterMs} ms after the request: started once, own exit code, whole output`, async () => {
        const log = `/tmp/starts-${keys}`;
        const request = await requestFor('busybox', ['sh', '-c', `echo x >>${log}; echo hi; sleep 3; echo ho; exit 3`]);
        const ran = start(request);
        await delay(afterMs);
        await testbed('kill', part);
        await delay(1000);
        await testbed('start', part);
        let { outcome, output } = await ran;
        // What was provably not started is started again by who asked, with the same key.
        for (let i = 0; i < 300 && outcome.kind === 'notStarted'; i += 1) {
          await delay(100);
          ({ outcome, output } = await start(request));
        }
        assert.deepEqual([outcome, output], [{ kind: 'exited', exitCode: 3 }, { stdout: 'hi\nho\n' }]);
        await recovered('busybox');
        assert.equal((await ofShell('busybox', `cat ${log}`)).output.stdout, 'x\n');
        await forgotten(request);
      });
    }
  }

  // R3.70, R3.71
  test('a silent command whose connection is cut five times: started once, own exit code', async (t) => {
    const proxy = await startProxy((await client.connection()).server);
    const behind = kubeClient(loadKubeConfig({ env: { KUBECONFIG: proxy.kubeconfig } }));
    try {
      const connections = { open: () => behind.connection(), forget: () => behind.forgetCredentials() };
      const plain = kubernetesHookExec(connections, { identity: podIdentity(behind) });
      const cuttable = detachingHookExec(plain, { containerState: containerState(behind) });
      const log = `/tmp/cuts-${keys}`;
      const request = await requestFor('busybox', [
        'sh',
        '-c',
        `echo x >>${log}; sleep 60; cat /proc/uptime >&2; exit 5`,
      ]);
      const ran = new Promise<Ran>((resolve) => {
        cuttable.start(request, { started() {}, ended: (outcome, output) => resolve({ outcome, output }) });
      });
      for (let cuts = 0; cuts < 5; cuts += 1) {
        await delay(8000);
        assert.ok(proxy.cut() > 0);
      }
      const { outcome, output } = await ran;
      const late = Number.parseFloat(await readFile('/proc/uptime', 'utf8')) - Number.parseFloat(output.stderr ?? '');
      t.diagnostic(`told ${late.toFixed(2)} s after the end`);
      assert.deepEqual(outcome, { kind: 'exited', exitCode: 5 });
      assert.equal((await ofShell('busybox', `cat ${log}`)).output.stdout, 'x\n');
      await forgotten(request);
    } finally {
      behind.close();
      await proxy.close();
    }
  });

  test('a runner that died: another one finds the command, and its exit code', async () => {
    const request = await requestFor('debian', ['sh', '-c', 'echo hi; sleep 3; exit 7']);
    await new Promise<void>((resolve) => {
      const drop = exec.start(request, {
        started: () => {
          drop();
          resolve();
        },
        ended: () => assert.fail('it was dropped'),
      });
    });
    const { outcome, output } = await start({ ...request, detached: { ...request.detached, isBegun: true } as never });
    assert.deepEqual([outcome, output], [{ kind: 'exited', exitCode: 7 }, { stdout: 'hi\n' }]);
    await forgotten(request);
  });
});

function apply(manifest: object): Promise<unknown> {
  const applying = execute('kubectl', ['apply', '-f', '-']);
  applying.child.stdin?.end(JSON.stringify(manifest));
  return applying;
}

/** A load balancer before the API server, whose connections can be cut while they live. */
async function startProxy(server: URL): Promise<{ kubeconfig: string; cut(): number; close(): Promise<void> }> {
  const open = new Set<net.Socket>();
  const proxy = net.createServer((socket) => {
    const upstream = net.connect(Number(server.port) || 443, server.hostname);
    open.add(socket);
    socket.on('close', () => open.delete(socket) && upstream.destroy()).on('error', () => {});
    upstream.on('close', () => socket.destroy()).on('error', () => {});
    socket.pipe(upstream).pipe(socket);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { port } = proxy.address() as net.AddressInfo;
  const folder = await mkdtemp(path.join(tmpdir(), 'proxy-'));
  const kubeconfig = path.join(folder, 'config');
  const text = await readFile(process.env['KUBECONFIG'] ?? '', 'utf8');
  await writeFile(kubeconfig, text.replace(/https:\/\/[^\s"]+/, `https://127.0.0.1:${port}`));
  const cut = (): number => {
    const { size } = open;
    for (const socket of open) socket.destroy();
    return size;
  };
  return {
    kubeconfig,
    cut,
    async close() {
      cut();
      proxy.close();
      await rm(folder, { recursive: true });
    },
  };
}
