import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { execRights } from '../../shared/core/manifests/rbac.ts';
import type { ExecOutcome } from '../../shared/core/model/hook.ts';
import { missingRights } from '../../shared/kubernetes/api/access.ts';
import { kubeClient } from '../../shared/kubernetes/api/client.ts';
import type { Connections } from '../../shared/kubernetes/connect/connection.ts';
import { connections } from '../../shared/kubernetes/connect/connection.ts';
import { loadKubeConfig } from '../../shared/kubernetes/connect/kubeconfig.ts';
import { kubernetesHookExec } from '../../shared/kubernetes/exec/exec.ts';
import type { ExecRequest, HookExec, Output } from '../../shared/ports/ports.ts';
import { startProxy } from '../proxy.ts';

/** Runs the exec transport against a real API server, kubelet, containerd and runc, and kills parts of them. */

const skip =
  process.env['RESTOREHOOKS_TEST_CLUSTER'] === '1' ? false : 'needs a cluster that may be broken: npm run test:cluster';
const script = process.env['RESTOREHOOKS_TESTBED'] ?? fileURLToPath(new URL('testbed', import.meta.url));
const namespace = `exec-test-${process.pid}`;

const execute = promisify(execFile);
const kubectl = async (...args: string[]): Promise<string> => (await execute('kubectl', args)).stdout;
const testbed = (...args: string[]) => execute(script, args);

interface Ran {
  readonly outcome: ExecOutcome;
  readonly output: Output;
}

async function run(
  exec: HookExec,
  pod: string,
  command: string[],
  onStarted = (): void => {},
  container = 'c',
): Promise<Ran> {
  const request: ExecRequest = { namespace, pod, container, command };
  return await new Promise((resolve) => {
    exec.start(request, { started: onStarted, ended: (outcome, output) => resolve({ outcome, output }) });
  });
}

/** Runs a long command, and two seconds after its start does something to it. */
async function runWhile(exec: HookExec, pod: string, disturb: () => Promise<unknown>): Promise<Ran> {
  let disturbed: Promise<unknown> = Promise.resolve();
  const ran = await run(exec, pod, ['sh', '-c', 'echo hi; sleep 15; exit 3'], () => {
    disturbed = delay(2000).then(disturb);
  });
  await disturbed;
  return ran;
}

/** Waits until commands run again. Until then execs may have only `allowed` outcomes. */
async function recovered(exec: HookExec, pod: string, allowed: ExecOutcome['kind'][] = ['notStarted']): Promise<void> {
  for (let i = 0; i < 300; i++) {
    const { outcome } = await run(exec, pod, ['true']);
    if (outcome.kind === 'exited' && outcome.exitCode === 0) return;
    assert.ok(allowed.includes(outcome.kind), JSON.stringify(outcome));
    await delay(100);
  }
  assert.fail('no command runs again');
}

const container = (name: string, image: string, script: string) => ({ name, image, command: ['sh', '-c', script] });
const idle = 'trap "exit 0" TERM; while :; do sleep 0.1; done';
const busybox = 'testbed.local/busybox:1';

function pod(name: string, ...containers: object[]): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: { terminationGracePeriodSeconds: 1, containers },
  };
}

suite('pods/exec on a real kubelet', { skip }, () => {
  let connected: Connections;
  let exec: HookExec;

  before(async () => {
    connected = connections(loadKubeConfig({ env: process.env }));
    exec = kubernetesHookExec(connected);
    await kubectl('create', 'namespace', namespace);
    await kubectl('wait', '-n', namespace, '--for=create', 'serviceaccount/default', '--timeout=30s');
    const items = [
      pod('target', container('c', busybox, idle), container('absent', 'testbed.local/no-such-image:1', idle)),
      pod('restarting', container('c', busybox, idle)),
      pod('deleted', container('c', busybox, idle)),
    ];
    await kubectlApply({ apiVersion: 'v1', kind: 'List', items });
    await kubectl('wait', '-n', namespace, '--for=condition=Ready', 'pod/restarting', 'pod/deleted', '--timeout=60s');
    await recovered(exec, 'target');
  });

  after(async () => {
    await testbed('waken');
    connected?.close();
    await kubectl('delete', 'namespace', namespace, '--wait=false');
  });

  for (const code of [0, 1, 3, 126, 127, 137]) {
    test(`exit code ${code}`, async () => {
      const { outcome, output } = await run(exec, 'target', ['sh', '-c', `echo out; echo err >&2; exit ${code}`]);
      assert.deepEqual(outcome, { kind: 'exited', exitCode: code });
      assert.deepEqual(output, { stdout: 'out\n', stderr: 'err\n' });
    });
  }

  test('a command killed by a signal', async () => {
    const { outcome } = await run(exec, 'target', ['sh', '-c', 'kill -9 $$']);
    assert.deepEqual(outcome, { kind: 'exited', exitCode: 137 });
  });

  test('1 MiB of output, the end of it kept', async () => {
    const { outcome, output } = await run(exec, 'target', [
      'sh',
      '-c',
      'yes 0123456789abcde | head -c 1048576; printf end',
    ]);
    assert.deepEqual(outcome, { kind: 'exited', exitCode: 0 });
    assert.equal(output.stdout, `${'0123456789abcde\n'.repeat(257)}end`.slice(-4096));
  });

  test('binary output, and output without a newline', async () => {
    const { outcome, output } = await run(exec, 'target', [
      'sh',
      '-c',
      'head -c 100000 /dev/urandom; printf "\\033[31mred" >&2',
    ]);
    assert.deepEqual(outcome, { kind: 'exited', exitCode: 0 });
    assert.equal(output.stderr, 'red');
    assert.ok(Buffer.byteLength(output.stdout ?? '') <= 4096);
    assert.doesNotMatch(output.stdout ?? '', /[\0-\x08\x0b-\x1f\x7f-\x9f]/);
  });

  // Not many more in one container: with 64, containerd's shim (1.6) stalled for minutes, also for other clients.
  test('eight commands at once, each with its own end', async () => {
    const codes = [0, 1, 2, 3, 4, 5, 6, 7];
    const all = await Promise.all(codes.map((code) => run(exec, 'target', ['sh', '-c', `echo ${code}; exit ${code}`])));
    for (const [code, { outcome, output }] of all.entries()) {
      assert.deepEqual([outcome, output], [{ kind: 'exited', exitCode: code }, { stdout: `${code}\n` }]);
    }
  });

  test('a command that never ends, dropped: silence, and the command goes on', async () => {
    let ended = 0;
    await new Promise<void>((resolve) => {
      const request = {
        namespace,
        pod: 'target',
        container: 'c',
        command: ['sh', '-c', 'sleep 3; touch /tmp/went-on; sleep 600'],
      };
      const drop = exec.start(request, {
        started: () => {
          setTimeout(() => {
            drop();
            resolve();
          }, 500);
        },
        ended: () => {
          ended += 1;
        },
      });
    });
    await delay(4000);
    assert.equal(ended, 0);
    assert.deepEqual((await run(exec, 'target', ['test', '-e', '/tmp/went-on'])).outcome, {
      kind: 'exited',
      exitCode: 0,
    });
  });

  for (const [what, command, message] of [
    ['no such command', 'no-such-command', 'no such command in the container'],
    ['no such file', '/no/such/file', 'no such command in the container'],
    ['a file that is not executable', '/etc/passwd', 'the command is not executable in the container'],
    ['a folder', '/tmp', 'the command is not executable in the container'],
  ] as const) {
    test(what, async () => {
      assert.deepEqual((await run(exec, 'target', [command, 'PW=hunter2'])).outcome, { kind: 'error', message });
    });
  }

  test('no such container, no such pod, no such namespace, a container that is not up', async () => {
    assert.deepEqual((await run(exec, 'target', ['true'], undefined, 'zz')).outcome, { kind: 'noSuchContainer' });
    assert.deepEqual((await run(exec, 'no-such-pod', ['true'])).outcome, { kind: 'podDeleted' });
    const { outcome } = await run(exec, 'target', ['true'], undefined, 'absent');
    assert.deepEqual(outcome, { kind: 'notStarted', why: 'container not found ("absent")' });
  });

  test('an argument of 200 KB fails in the container, and its status of 200 KB is understood', async () => {
    const { outcome, output } = await run(exec, 'target', ['echo', 'x'.repeat(200_000)]);
    assert.deepEqual(outcome, { kind: 'exited', exitCode: 1 });
    assert.match(output.stderr ?? '', /argument list too long/);
  });

  test('the longest command that a request can hold, and longer ones', async () => {
    const told = async (length: number) => (await run(exec, 'target', ['echo', 'x'.repeat(length)])).outcome;
    assert.deepEqual(await told(1_048_000), { kind: 'exited', exitCode: 1 });
    for (const length of [1_052_450, 1_100_000]) assert.equal((await told(length)).kind, 'error', `${length}`);
  });

  test('no rights: forbidden, with the words of the API server', async () => {
    const config = loadKubeConfig({ env: process.env, as: 'nobody', asGroup: ['system:authenticated'] });
    const { outcome } = await run(kubernetesHookExec(connections(config), { timing: { deniedMs: 0 } }), 'target', [
      'true',
    ]);
    assert.match(JSON.stringify(outcome), /"forbidden".*User \\"nobody\\" cannot/);
  });

  test('impersonated groups reach the API server', async () => {
    const config = loadKubeConfig({ env: process.env, as: 'nobody', asGroup: ['system:masters'] });
    assert.deepEqual((await run(kubernetesHookExec(connections(config)), 'target', ['true'])).outcome, {
      kind: 'exited',
      exitCode: 0,
    });
  });

  test('a certificate that is not trusted is not started', async () => {
    const open = async () => ({ ...(await connected.open()), tls: {} });
    const { outcome } = await run(kubernetesHookExec({ open, forget() {} }), 'target', ['true']);
    assert.match(JSON.stringify(outcome), /"notStarted".*not trusted/);
  });

  test("an admission policy's denial is an error in its own words, and a missing right is one", async () => {
    const client = kubeClient(loadKubeConfig({ env: process.env }));
    const isAllowed = async () => (await missingRights(client, execRights(namespace))).length === 0;
    const asking = kubernetesHookExec(connected, { isAllowed, timing: { deniedMs: 100 } });
    const policy = `no-exec-${process.pid}`;
    const group = { apiVersion: 'admissionregistration.k8s.io/v1', metadata: { name: policy } };
    try {
      await kubectlApply({
        ...group,
        kind: 'ValidatingAdmissionPolicy',
        spec: {
          matchConstraints: {
            resourceRules: [
              { apiGroups: [''], apiVersions: ['v1'], operations: ['CONNECT'], resources: ['pods/exec'] },
            ],
          },
          validations: [
            {
              expression: "!object.command.exists(c, c == 'hunter2')",
              messageExpression: "'not with ' + object.command[1]",
            },
          ],
        },
      });
      const spec = { policyName: policy, validationActions: ['Deny'] };
      await kubectlApply({ ...group, kind: 'ValidatingAdmissionPolicyBinding', spec });
      let outcome: ExecOutcome = { kind: 'exited', exitCode: 0 };
      for (let tries = 0; outcome.kind === 'exited' && tries < 100; tries += 1) {
        ({ outcome } = await run(asking, 'target', ['echo', 'hunter2']));
        await delay(100);
      }
      assert.equal(outcome.kind, 'error', JSON.stringify(outcome));
      assert.match(JSON.stringify(outcome), new RegExp(`${policy}.*not with … \\(HTTP 422\\)`));
      const reason = { op: 'add', path: '/spec/validations/0/reason', value: 'Forbidden' };
      await kubectl('patch', 'validatingadmissionpolicy', policy, '--type=json', '-p', JSON.stringify([reason]));
      const isForbidden = () =>
        /denied by an admission policy: .*not with … \(HTTP 403\)/.test(JSON.stringify(outcome));
      for (let tries = 0; !isForbidden() && tries < 100; tries += 1) {
        ({ outcome } = await run(asking, 'target', ['echo', 'hunter2']));
        assert.equal(outcome.kind, 'error', JSON.stringify(outcome));
        assert.doesNotMatch(JSON.stringify(outcome), /hunter2/);
        await delay(100);
      }
      assert.ok(isForbidden(), JSON.stringify(outcome));
      assert.deepEqual((await run(asking, 'target', ['true'])).outcome, { kind: 'exited', exitCode: 0 });
    } finally {
      await kubectl(
        'delete',
        'validatingadmissionpolicy,validatingadmissionpolicybinding',
        policy,
        '--ignore-not-found',
      );
      client.close();
    }
  });

  test('a command that has printed more than the network takes, and ended: all of it comes, with its exit code', async () => {
    const { server } = await connected.open();
    const proxy = await startProxy(Number(server.port) || 443, {
      host: server.hostname,
      downBytesPerSecond: 4_000_000,
    });
    const open = async () => ({ ...(await connected.open()), server: new URL(`https://127.0.0.1:${proxy.port}`) });
    try {
      // What is sent to keep a stream alive must not reach a runtime that has closed its end.
      const slow = kubernetesHookExec({ open, forget: () => {} }, { timing: { dataMs: 500, pingMs: 700 } });
      const command = ['sh', '-c', 'head -c 20000000 /dev/zero; echo end >&2; exit 3'];
      const { outcome, output } = await run(slow, 'target', command);
      assert.deepEqual([outcome, output.stderr], [{ kind: 'exited', exitCode: 3 }, 'end\n']);
    } finally {
      await proxy.close();
    }
  });

  // R3.20
  test('a runtime that ends idle streams ends none on which data comes that says nothing', async () => {
    await testbed('kill', 'containerd');
    await testbed('start', 'containerd', '6s');
    try {
      await recovered(exec, 'target');
      const silent = ['sh', '-c', 'sleep 10; exit 4'];
      const [kept, idle] = await Promise.all([
        run(exec, 'target', silent),
        run(kubernetesHookExec(connected, { timing: { dataMs: 600_000, pingMs: 1_000 } }), 'target', silent),
      ]);
      assert.deepEqual(kept.outcome, { kind: 'exited', exitCode: 4 });
      // If this stream survives, too, the frames of data are no longer needed.
      assert.equal(idle.outcome.kind, 'connectionLost');
    } finally {
      await testbed('kill', 'containerd');
      await testbed('start', 'containerd');
    }
    await recovered(exec, 'target');
    await kubectl('wait', '--for=condition=Ready', 'node', '--all', '--timeout=60s');
  });

  test('a container that restarts while its command runs', async () => {
    const restart = () => run(exec, 'restarting', ['kill', '1']);
    const { outcome, output } = await runWhile(exec, 'restarting', restart);
    assert.deepEqual([outcome, output], [{ kind: 'exited', exitCode: 137 }, { stdout: 'hi\n' }]);
    // If the container goes after the kubelet has checked it, the runtime reports the error.
    await recovered(exec, 'restarting', ['notStarted', 'error', 'exited']);
  });

  test('a pod that is deleted while its command runs', async () => {
    const { outcome } = await runWhile(exec, 'deleted', () =>
      kubectl('delete', 'pod', '-n', namespace, 'deleted', '--wait=false'),
    );
    assert.deepEqual(outcome, { kind: 'exited', exitCode: 137 });
  });

  // This is why v4 is used. Should this test fail because v5 reports the true end, v5 may be used.
  test('v5: the kubelet is killed while a command runs, and it is a success', async () => {
    const v5 = await onlyV5(connected);
    try {
      assert.deepEqual((await run(v5.exec, 'target', ['sh', '-c', 'exit 3'])).outcome, {
        kind: 'exited',
        exitCode: 3,
        unproven: true,
      });
      const { outcome } = await runWhile(v5.exec, 'target', () => testbed('kill', 'kubelet'));
      assert.deepEqual(outcome, { kind: 'exited', exitCode: 0, unproven: true });
    } finally {
      v5.close();
      await testbed('start', 'kubelet');
    }
    await recovered(exec, 'target');
  });

  for (const part of ['kubelet', 'containerd', 'apiserver']) {
    // R4.2
    test(`v4: ${part} is killed while a command runs, and its end is not known`, async () => {
      try {
        const { outcome, output } = await runWhile(exec, 'target', () => testbed('kill', part));
        assert.equal(outcome.kind, 'connectionLost', JSON.stringify(outcome));
        assert.deepEqual(output, { stdout: 'hi\n' });
        const { outcome: next } = await run(exec, 'target', ['true']);
        assert.equal(next.kind, 'notStarted', JSON.stringify(next));
      } finally {
        await testbed('start', part);
      }
      await recovered(exec, 'target');
      await kubectl('wait', '--for=condition=Ready', 'node', '--all', '--timeout=60s');
    });
  }
});

function kubectlApply(manifest: object): Promise<unknown> {
  const applying = execute('kubectl', ['apply', '-f', '-']);
  applying.child.stdin?.end(JSON.stringify(manifest));
  return applying;
}

/** A proxy that refuses v4, as a server without it does, and passes everything else on. */
async function onlyV5(connected: Connections): Promise<{ exec: HookExec; close(): void }> {
  const { server: api, tls: verify } = await connected.open();
  const server = http.createServer().on('upgrade', (incoming, client) => {
    client.on('error', () => {});
    if (incoming.headers['sec-websocket-protocol'] !== 'v5.channel.k8s.io') {
      client.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n');
      return;
    }
    const upstream = tls.connect({ ...verify, host: api.hostname, port: Number(api.port) || 443 }, () => {
      const { rawHeaders } = incoming;
      const head = rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${rawHeaders[i + 1]}`] : []));
      upstream.write(`GET ${incoming.url} HTTP/1.1\r\n${head.join('\r\n')}\r\n\r\n`);
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on('error', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const open = async () => ({
    server: new URL(`http://127.0.0.1:${port}`),
    headers: {},
    agent: new http.Agent(),
    tls: {},
  });
  return { exec: kubernetesHookExec({ open, forget() {} }), close: () => server.close() };
}
