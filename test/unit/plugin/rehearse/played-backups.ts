import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { startEmbeddedCluster } from '../../../embedded/server.ts';
import { run } from '../harness.ts';

const LIST = {
  'v1/Pod': ['shop/web-0', 'shop/db-0', 'velero/velero-0'],
  'v1/ConfigMap': ['empty/a'],
  'v1/PersistentVolume': ['pv-1'],
};

export const claim = (name: string, more: object) => ({
  pvName: `pv-${name}`,
  pvcName: name,
  pvcNamespace: 'shop',
  ...more,
});
export const RETAINED = { pvInfo: { reclaimPolicy: 'Retain' } };
/** What Velero says of volumes. */
export const SAVED: readonly object[] = [
  claim('saved', { ...RETAINED, backupMethod: 'PodVolumeBackup', skipped: false }),
  claim('anew', { pvInfo: { reclaimPolicy: 'Delete' }, skipped: true }),
  { ...claim('other', RETAINED), pvcNamespace: 'velero' },
];

/** A cluster with Backups whose contents can be downloaded: Velero's part of that is played. */
export async function playedBackups() {
  /** What is downloaded; `volumes` undefined: it can't be read. */
  const told = { url: '', volumes: SAVED as readonly object[] | undefined };
  const cluster = await startEmbeddedCluster({
    namespaces: ['velero', 'shop', 'shop-rehearsal-taken'],
    users: [{ name: 'nobody' }, { name: 'reader' }],
  });
  const store = createServer(({ url }, response) => {
    response.end(gzipSync(JSON.stringify(url?.endsWith('BackupVolumeInfos') ? (told.volumes ?? {}) : LIST)));
  }).listen(0, '127.0.0.1');
  await once(store, 'listening');
  told.url = `http://127.0.0.1:${(store.address() as AddressInfo).port}/list.json.gz`;
  cluster.intercept(({ verb, resource, name = '' }) => {
    if (verb !== 'get' || resource !== 'downloadrequests') return undefined;
    cluster.update('downloadrequests', 'velero', name, (current) => {
      const { kind } = (current['spec'] as { target: { kind: string } }).target;
      return { ...current, status: { phase: 'Processed', downloadURL: `${told.url}?${kind}` } };
    });
    return undefined;
  });
  const backup = (name: string, phase: string, completionTimestamp: string, labels = {}) =>
    cluster.create({
      apiVersion: 'velero.io/v1',
      kind: 'Backup',
      metadata: { name, namespace: 'velero', labels },
      spec: { storageLocation: 'default' },
      status: { phase, completionTimestamp },
    });
  const ofNightly = { 'velero.io/schedule-name': 'nightly' };
  backup('nightly-1', 'Completed', '2026-03-01T00:00:00Z', ofNightly);
  backup('nightly-2', 'PartiallyFailed', '2026-03-02T00:00:00Z', ofNightly);
  backup('nightly-3', 'InProgress', '', ofNightly);
  const plugin = (argv: readonly string[], options: Parameters<typeof run>[1] = {}) =>
    run([...argv], { ...options, env: { ...options.env, KUBECONFIG: cluster.kubeconfigPath } });
  const setup = await plugin(['setup', '--apply']);
  assert.equal(setup.code, 0, setup.stderr);
  const close = async (): Promise<void> => {
    store.close();
    await cluster.close();
  };
  return { cluster, plugin, told, close };
}
