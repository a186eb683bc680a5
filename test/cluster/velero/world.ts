import { join } from 'node:path';
import { RESTORE_NAME_LABEL } from '../../../shared/core/names.ts';
import type { Loose, PodOptions, Scene, Suite } from '../../e2e/harness.ts';
import { startSuite, waitFor } from '../../e2e/harness.ts';
import { testbed } from '../bed.ts';

/** A scene whose pods a real Velero restores, from a backup of another scene's namespace. */
export interface Restored extends Scene {
  /** Makes the Restore, and returns at once. */
  begin(options?: RestoreOptions): Promise<Loose>;
  /** Waits until Velero is done with it. */
  done(): Promise<Loose>;
  /** Makes the Restore, and waits until Velero is done with it. */
  run(options?: RestoreOptions): Promise<Loose>;
}

export interface RestoreOptions {
  readonly hooks?: readonly object[];
  readonly spec?: object;
}

/** What Velero has backed up. */
export interface Backup {
  readonly name: string;
  /** Written by `velero backup download`. */
  readonly archive: string;
  /** A Restore of this backup into a new namespace. */
  into(title: string, name?: string): Promise<Restored>;
  /** A Restore of this backup while the pods that were backed up still exist. */
  over(title: string): Promise<Restored>;
  /** A Restore of this backup into its own namespace, which is deleted first. */
  back(): Promise<Restored>;
}

export interface World extends Suite {
  /** Creates a pod without Velero's labels, to be backed up and restored. */
  workload(scene: Scene, name: string, options?: PodOptions): Promise<Loose>;
  backUp(scene: Scene): Promise<Backup>;
}

/** The suite on the bed's real Velero. */
export async function startWorld(): Promise<World> {
  await testbed('velero', 'up');
  const suite = await startSuite({ velero: 'velero' });
  const { cluster, velero } = suite;
  const restored = (scene: Scene, backup: string, from: string): Restored => {
    const begin = ({ hooks, spec = {} }: RestoreOptions = {}) =>
      scene.restore({
        ...(hooks !== undefined && { hooks }),
        spec: {
          backupName: backup,
          ...(from !== scene.namespace && { namespaceMapping: { [from]: scene.namespace } }),
          ...spec,
        },
      });
    const done = () =>
      waitFor(`Velero to be done with Restore ${scene.name}`, async () => {
        const restore = await scene.current();
        return isFinal(restore) && restore;
      });
    return {
      ...scene,
      begin,
      done,
      async run(options) {
        await begin(options);
        return done();
      },
    };
  };
  return {
    ...suite,
    async workload(scene, name, options = {}) {
      const { metadata, ...rest } = scene.podManifest(name, options);
      const { [RESTORE_NAME_LABEL]: _, ...labels } = metadata.labels;
      await cluster.create({ ...rest, metadata: { ...metadata, labels } });
      return waitFor(`pod ${name} to start`, async () => {
        const pod = await cluster.get('pods', scene.namespace, name);
        return pod.status.phase !== 'Pending' && pod;
      });
    },
    async backUp(scene) {
      const { name, namespace } = scene;
      await cluster.create({
        apiVersion: 'velero.io/v1',
        kind: 'Backup',
        metadata: { name, namespace: velero },
        spec: { includedNamespaces: [namespace], storageLocation: 'default', snapshotVolumes: false },
      });
      const { status } = await waitFor(`backup ${name}`, async () => {
        const backup = await cluster.get('backups', velero, name);
        return isFinal(backup) && backup;
      });
      if (status.phase !== 'Completed') throw new Error(`backup ${name}: ${status.phase}`);
      const archive = join(cluster.folder, `${name}.tar.gz`);
      await testbed('velero', 'cli', 'backup', 'download', name, '--output', archive);
      return {
        name,
        archive,
        into: async (title, restore) => restored(await suite.scene(title, restore), name, namespace),
        over: async (title) => restored(await suite.scene(title, undefined, namespace), name, namespace),
        async back() {
          await cluster.remove('namespaces', undefined, namespace);
          const isGone = async () => !(await cluster.exists('namespaces', undefined, namespace));
          await waitFor(`namespace ${namespace} to go`, isGone);
          return restored(scene, name, namespace);
        },
      };
    },
    async close() {
      await suite.close();
      await testbed('velero', 'down');
    },
  };
}

const isFinal = ({ status }: Loose): boolean =>
  status?.completionTimestamp !== undefined || status?.phase === 'FailedValidation';
