import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { after, describe, it } from 'node:test';
import { requireBuilt } from '../built.ts';
import { entry, exec, mark, noHurry, startSuite, waitFor } from './harness.ts';

/** What kubectl is told when it asks how a command line could go on (R7.60, R7.61), with the names of a cluster. */

const e2e = await startSuite();
after(() => e2e.close());
const { cluster, velero } = e2e;

const PROGRAM = join(import.meta.dirname, '../../dist/kubectl_complete-restorehooks');

interface Answer {
  readonly values: readonly string[];
  readonly lines: readonly string[];
  readonly directive: string | undefined;
  readonly stderr: string;
}

/** Rejects if the exit code is not 0. */
async function ask(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Answer> {
  requireBuilt(PROGRAM);
  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((resolve, reject) => {
    const { VELERO_NAMESPACE: _, NODE_TEST_CONTEXT: __, ...inherited } = process.env;
    const options = { env: { ...inherited, KUBECONFIG: cluster.kubeconfig, ...env } };
    const child = execFile(process.execPath, [PROGRAM, ...words], options, (error, out, err) =>
      error ? reject(error) : resolve({ stdout: out, stderr: err }),
    );
    child.stdin?.end();
  });
  const lines = stdout.trimEnd().split('\n');
  const directive = lines.pop();
  return { values: lines.map((line) => line.split('\t')[0] ?? ''), lines, directive, stderr };
}

/** Asks for something to be offered. */
async function offered(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const answer = await ask(words, { ...noHurry(60_000), ...env });
  assert.equal(answer.stderr, '');
  assert.notDeepEqual(answer.values, [], words.join(' '));
  return answer;
}

async function kubeconfig(name: string, content: object): Promise<string> {
  const file = join(cluster.folder, name);
  await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'Config', ...content }));
  return file;
}

const at = (server: string, user: object = {}) => ({
  clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': server.startsWith('https:') || undefined } }],
  users: [{ name: 'u', user }],
  contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'of-context' } }],
  'current-context': 'x',
});

describe('completion', { concurrency: true }, () => {
  it('offers Restores with their phase, also as kubectl prints them', async () => {
    const scene = await e2e.scene('complete-names');
    await scene.restore({ status: { phase: 'Completed' } });
    const { lines, directive } = await offered(['status', '-n', velero, scene.name.slice(0, 12)]);
    assert.deepEqual([lines, directive], [[`${scene.name}\tCompleted`], ':4']);
    const typed = `restore.velero.io/${scene.name.slice(0, 12)}`;
    const { values } = await offered(['apply', typed], { VELERO_NAMESPACE: velero });
    assert.deepEqual(values, [`restore.velero.io/${scene.name}`]);
    assert.deepEqual((await ask(['status', '-n', velero, scene.name, ''], noHurry(60_000))).values, []);
  });

  it('offers the hooks that would be run, and after a run those of the run', async () => {
    const scene = await e2e.scene('complete-hooks');
    const command = JSON.stringify(mark('a'));
    await scene.pod('db-0', { annotations: { 'post.hook.restorehooks.io/command': command } });
    await scene.pod('web-0');
    await scene.restore({ hooks: [entry(exec(mark('b')), { name: 'warm $(reboot)' })] });
    const [pod, other] = [`${scene.namespace}/db-0`, `${scene.namespace}/web-0`];
    const line = ['apply', scene.name, '-n', velero, '--only'];
    const { values } = await offered([...line, '']);
    // The other hook's name is never offered: a shell would run what it holds.
    assert.deepEqual(values, [pod, other, `${pod}/main/<from-annotation>/0`]);
    // As kubectl's script for fish asks: that shell would take <…> for files.
    assert.deepEqual((await offered([...line, ''], { KUBECTL_ACTIVE_HELP: '0' })).values, values.slice(0, 2));
    assert.deepEqual((await offered([...line, pod, '--only', scene.namespace])).values, values.slice(1));
    assert.deepEqual((await offered([...line.slice(0, -1), `--only=${pod}/`])).values, values.slice(2));
    assert.deepEqual((await offered([...line, 'db'])).values, ['db-0']);
    assert.deepEqual((await offered(['plan', scene.name, '-n', velero, '--explain', ''])).values, [pod, other]);

    assert.equal((await scene.apply()).code, 0);
    await scene.removePod('db-0');
    await scene.removePod('web-0');
    assert.deepEqual((await offered(['retry', scene.name, '-n', velero, '--only', ''])).values, values);
    assert.deepEqual((await offered(['plan', scene.name, '-n', velero, '--explain', ''])).values, [pod, other]);
    const { lines } = await offered(['status', '-n', velero, scene.name]);
    assert.deepEqual(lines, [`${scene.name}\thooks: Completed, 2/2 done`]);
  });

  it('offers namespaces and ServiceAccounts', async () => {
    assert.deepEqual((await offered(['plan', '-n', velero])).values, [velero]);
    assert.deepEqual((await offered(['setup', '--namespaces', `kube-system,${velero}`])).values, [
      `kube-system,${velero}`,
    ]);
    const accounts = await offered(['apply', 'x', '-n', velero, '--service-account=rest']);
    assert.deepEqual([accounts.values, accounts.directive], [['restorehooks'], ':4']);
  });

  it('offers what the kubeconfig holds, but no name that a shell would act upon', async () => {
    const names = [
      'prod',
      'arn:aws:eks:eu:1:cluster/a',
      'two words',
      'a\nb',
      'a\tb',
      '\u001b[2J',
      '$(reboot)',
      '`x`',
      'a;b',
      ' c',
    ];
    const KUBECONFIG = await kubeconfig('names', {
      clusters: names.map((name) => ({ name, cluster: { server: 'http://127.0.0.1:9' } })),
      users: names.map((name) => ({ name, user: {} })),
      contexts: names.map((name) => ({ name, context: { cluster: name, user: name } })),
    });
    for (const flag of ['--context', '--cluster', '--user']) {
      const { values, directive } = await offered(['status', 'x', flag, ''], { KUBECONFIG });
      assert.deepEqual([values, directive], [names.slice(0, 3), ':4']);
      const other = await offered(['status', 'x', '--kubeconfig', KUBECONFIG, `${flag}=arn:`], {
        KUBECONFIG: '/nowhere',
      });
      assert.deepEqual(other.values, names.slice(1, 2));
    }
  });

  it('says nothing where there is no cluster, no right, or a mistake before', async () => {
    const scene = await e2e.scene('complete-silence');
    await scene.restore();
    const line = ['apply', '-n', velero, ''];
    const silent = { values: [], lines: [], directive: ':4', stderr: '' };
    const lonely = await cluster.userWith(velero, []);
    const pipe = join(cluster.folder, 'pipe');
    execFileSync('mkfifo', [pipe]);
    const damaged = join(cluster.folder, 'damaged');
    await writeFile(damaged, '{');
    const large = await kubeconfig('large', { ...at('http://127.0.0.1:9'), extensions: 'x'.repeat(1024 * 1024) });
    assert.deepEqual(await ask(['status', '--context', ''], { KUBECONFIG: large, ...noHurry(60_000) }), silent);
    const nowhere = await kubeconfig('nowhere', at('http://127.0.0.1:9'));
    for (const KUBECONFIG of ['/nowhere', pipe, damaged, nowhere, lonely]) {
      assert.deepEqual(await ask(line, { KUBECONFIG, ...noHurry(60_000) }), silent, KUBECONFIG);
    }
    for (const words of [
      ['apply', '--no-such-flag', ''],
      ['no-such-command', ''],
      ['apply', '--timeout=never', ''],
    ]) {
      assert.deepEqual(await ask(words, noHurry(60_000)), silent, words.join(' '));
    }
  });

  it('answers what it knows without a server that never answers', async () => {
    const requests: string[] = [];
    const server = createServer((request) => void requests.push(request.url ?? ''));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const KUBECONFIG = await kubeconfig('stalled', at(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
    try {
      const silent = { values: [], lines: [], directive: ':4', stderr: '' };
      assert.deepEqual(await ask(['apply', ''], { KUBECONFIG }), silent);
      assert.deepEqual((await offered(['apply', '-n', ''], { KUBECONFIG, ...noHurry(3_000) })).values, ['of-context']);
      assert.deepEqual((await offered(['apply', '--runner='], { KUBECONFIG })).values, ['job', 'local']);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('gives a credential plugin no terminal, hides what it says, and ends it', async () => {
    const program = join(cluster.folder, 'login');
    const script = [
      'echo "please log in" >&2',
      '(echo "Password:" > /dev/tty) 2>/dev/null && echo "has a terminal" >> "$0.said"',
    ];
    const tells = 'echo "$KUBERNETES_EXEC_INFO display=$DISPLAY browser=$BROWSER pid=$$" > "$0.said"';
    await writeFile(program, `#!/bin/sh\n${[tells, ...script, 'sleep 1000', ''].join('\n')}`);
    await chmod(program, 0o755);
    const plugin = { apiVersion: 'client.authentication.k8s.io/v1', command: program, interactiveMode: 'IfAvailable' };
    const KUBECONFIG = await kubeconfig('login.yaml', at('https://127.0.0.1:9', { exec: plugin }));
    const text = await waitFor('the plugin to be started', async () => {
      const answer = await ask(['status', ''], { KUBECONFIG, DISPLAY: ':0', ...noHurry(3_000) });
      assert.deepEqual(answer, { values: [], lines: [], directive: ':4', stderr: '' });
      const told = await readFile(`${program}.said`, 'utf8').catch(() => '');
      return told.includes('pid=') && told;
    });
    assert.match(text, /"interactive":false[\s\S]* display= browser=false pid=\d+\n$/);
    const pid = Number(/pid=(\d+)/.exec(text)?.[1]);
    await waitFor('the plugin to be ended', async () => {
      try {
        return process.kill(pid, 0) && false;
      } catch {
        return true;
      }
    });
  });
});
