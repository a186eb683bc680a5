import { spawn } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { DEFAULT_IMAGE } from '../../shared/core/version.ts';
import { startEmbeddedCluster } from './server.ts';

/**
 * `npm run demo`: runs the hooks of a Restore without a cluster. This process is the API server, each container is a
 * folder, and the hooks are real commands.
 */
const plugin = join(import.meta.dirname, '../../dist/kubectl-restorehooks');
const runner = join(import.meta.dirname, '../../dist/runner.cjs');
const RESTORE = 'nightly';

const cluster = await startEmbeddedCluster({
  namespaces: ['shop'],
  runner: { image: DEFAULT_IMAGE, entrypoint: [process.execPath, runner] },
});
try {
  await cluster.create(restore());
  for (const name of ['db-0', 'web-0', 'web-1']) await cluster.create(pod(name));
  say('An API server is up in this process, with three restored pods and a Restore whose hooks nobody has run.');
  await kubectl('setup', '--apply');
  await kubectl('plan', RESTORE);
  const exit = await kubectl('apply', RESTORE);
  say(`exit code ${exit}; once more, and nothing is run twice:`);
  await kubectl('apply', RESTORE);
  const { metadata } = (await cluster.get('restores', 'velero', RESTORE)) as {
    metadata: { annotations: Record<string, string> };
  };
  say(`phase: ${metadata.annotations['restorehooks.io/phase']}`);
  process.exitCode = exit === 0 ? 0 : 1;
} finally {
  await cluster.close();
}

function say(line: string): void {
  process.stdout.write(`\n# ${line}\n`);
}

/** Run the plugin as kubectl would. */
function kubectl(...args: string[]): Promise<number | null> {
  process.stdout.write(`\n$ kubectl restorehooks ${args.join(' ')}\n`);
  const child = spawn(process.execPath, [plugin, ...args], {
    stdio: 'inherit',
    env: { ...process.env, KUBECONFIG: cluster.kubeconfigPath },
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
}

function pod(name: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      labels: { app: name.replace(/-\d+$/, ''), 'velero.io/restore-name': RESTORE, 'velero.io/backup-name': 'nightly' },
      ...(name === 'db-0'
        ? {
            annotations: {
              'post.hook.restore.velero.io/command': '["sh", "-c", "echo 1204 rows loaded > loaded; cat loaded"]',
              'post.hook.restore.velero.io/on-error': 'Fail',
              'post.hook.restore.velero.io/exec-timeout': '5m',
            },
          }
        : {}),
    },
    spec: { containers: [{ name: 'main', image: `example.com/${name}:1` }] },
  };
}

function restore(): object {
  return {
    apiVersion: 'velero.io/v1',
    kind: 'Restore',
    metadata: { name: RESTORE, namespace: 'velero' },
    spec: {
      backupName: 'nightly',
      includedNamespaces: ['shop'],
      hooks: {
        resources: [
          {
            name: 'warm-up',
            labelSelector: { matchLabels: { app: 'web' } },
            postHooks: [
              {
                exec: { command: ['sh', '-c', 'sleep 0.3; echo cache warmed'], waitForReady: true, waitTimeout: '2m' },
              },
              { exec: { command: ['sh', '-c', 'echo maintenance mode left'], onError: 'Fail' } },
            ],
          },
        ],
      },
    },
  };
}
