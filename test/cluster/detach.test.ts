import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { ExecOutcome } from '../../shared/core/model/hook.ts';
import type { KubeClient } from '../../shared/kubernetes/api/client.ts';
import { kubeClient } from '../../shared/kubernetes/api/client.ts';
import { loadKubeConfig } from '../../shared/kubernetes/connect/kubeconfig.ts';
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

  /** What is left in the container of detached commands. */
  async function left(name: string): Promise<string> {
    return (await ofShell(name, 'ls -d /tmp/restorehooks-* /dev/shm/restorehooks-* 2>/dev/null')).output.stdout ?? '';
  }

  async function forgotten(request: ExecRequest, before?: number): Promise<void> {
    if (before !== undefined) assert.equal(requests, before);
    exec.forget?.(request);
    if (before !== undefined) assert.equal(requests, before + 1);
    for (let i = 0; i < 100 && (await left(request.pod)) !== ''; i += 1) await delay(100);
    assert.equal(await left(request.pod), '');
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
      assert.notEqual(await left(name), '');
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
  test('a command of 2 s takes 4 requests', async () => {
    const request = await requestFor('busybox', ['sleep', '2']);
    requests = 0;
    assert.deepEqual((await start(request)).outcome, { kind: 'exited', exitCode: 0 });
    await forgotten(request, 3);
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
      assert.deepEqual(outcome, { kind: 'exited', exitCode: 137 }, name);
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

  for (const part of ['kubelet', 'containerd', 'apiserver']) {
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
