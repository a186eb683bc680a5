import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, it } from 'node:test';
import type { EmbeddedCluster } from '../../../embedded/server.ts';
import { startEmbeddedCluster } from '../../../embedded/server.ts';
import { run } from '../harness.ts';

const pod = (name: string, restore?: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', labels: { ...(restore && { 'velero.io/restore-name': restore }) } },
  spec: { containers: [{ name: 'main', image: 'x:1' }] },
});
const HOOKS = {
  apiVersion: 'restorehooks.io/v1',
  kind: 'RestoreHooks',
  metadata: { name: 'migrate' },
  spec: { resources: [{ name: 'migrate', runOn: 'one', postHooks: [{ exec: { command: ['true'] } }] }] },
};

let cluster: EmbeddedCluster;
let cwd = '';
before(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'restorehooks-given-pods-'));
  cluster = await startEmbeddedCluster({ namespaces: ['velero', 'shop'] });
  for (const name of ['nightly', 'weekly']) {
    cluster.create({
      apiVersion: 'velero.io/v1',
      kind: 'Restore',
      metadata: { name, namespace: 'velero' },
      spec: { backupName: 'b' },
      status: { phase: 'Completed' },
    });
  }
});
after(async () => {
  await cluster.close();
  await rm(cwd, { recursive: true });
});

/** Where the migration is planned, and the notices about pods. */
async function planned(restore: string, given: readonly object[]): Promise<string[][]> {
  await writeFile(path.join(cwd, 'hooks.json'), JSON.stringify(HOOKS));
  await writeFile(path.join(cwd, 'pods.json'), JSON.stringify({ apiVersion: 'v1', kind: 'List', items: given }));
  const files = ['--hooks', 'hooks.json', '-f', 'pods.json', '--kubeconfig', cluster.kubeconfigPath];
  const { code, stdout, stderr } = await run(['plan', restore, ...files, '-o', 'json'], { cwd });
  assert.equal(code, 0, stderr);
  const { hooks, notices } = JSON.parse(stdout);
  const about = notices.filter(({ code }: { code: string }) => /^pod-not/.test(code));
  return [
    hooks.map(({ pod: name }: { pod: string }) => name),
    about.map(({ code, pod: name }: Record<string, string>) => `${code} ${name}`),
  ];
}

// R3.60
it('runOn chooses among the live and the given pods, and anew where one of them is not of this Restore', async () => {
  cluster.create(pod('web-0'));
  cluster.create(pod('web-1', 'weekly'));
  const given = [pod('web-0'), pod('web-2'), pod('web-3')];
  assert.deepEqual(await planned('nightly', given), [
    ['web-2'],
    ['pod-not-restored web-0', 'pod-not-in-cluster web-2'],
  ]);
  assert.deepEqual(await planned('weekly', given.slice(1)), [['web-1'], []]);
});
