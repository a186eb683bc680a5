import { shortenName } from '../../shared/core/digest.ts';
import { RESTORE_NAME_LABEL } from '../../shared/core/names.ts';
import { sanitizeLine } from '../../shared/core/sanitize.ts';
import type { BackupFlags } from '../command-line/backup-args.ts';
import type { KubeArguments, Session } from '../command-line/session.ts';
import { withCluster } from '../command-line/session.ts';
import type { Context } from '../process/context.ts';
import type { Source } from './source.ts';

interface OtherFlags extends BackupFlags, KubeArguments {
  readonly restore: string | undefined;
}

/** What is linted besides files: a Restore of the cluster, and its live pods or those of a backup. */
export async function clusterSources(args: OtherFlags, ofBackup: boolean, context: Context): Promise<Source[]> {
  const { restore } = args;
  const read = async (session?: Session): Promise<Source[]> => [
    ...(session !== undefined && restore !== undefined ? [await restoreSource(session, restore)] : []),
    ...(ofBackup ? await backupSources(args, session, context) : []),
    ...(session !== undefined && restore !== undefined && !ofBackup ? await livePods(session, restore) : []),
  ];
  return restore === undefined && args.fromBackup === undefined ? read() : withCluster(args, context, read);
}

async function restoreSource({ client, namespace }: Session, name: string): Promise<Source> {
  const { getRestoreObject } = await import('../../shared/kubernetes/velero/restores.ts');
  const restore = await getRestoreObject(client, namespace, name);
  return asSource({ ...restore, apiVersion: 'velero.io/v1', kind: 'Restore' });
}

async function livePods({ client }: Session, restore: string): Promise<Source[]> {
  const { listPodObjects } = await import('../../shared/kubernetes/velero/restores.ts');
  const pods = await listPodObjects(client, `${RESTORE_NAME_LABEL}=${shortenName(restore)}`);
  return pods.map((pod) => asSource({ ...pod, apiVersion: 'v1', kind: 'Pod' }));
}

async function backupSources(flags: BackupFlags, session: Session | undefined, context: Context): Promise<Source[]> {
  const { backupOf, podsToLint } = await import('../input/backup-input.ts');
  const pods = await podsToLint(backupOf(flags, session, context), (line) =>
    context.stderr.write(`warning: ${sanitizeLine(line)}\n`),
  );
  return pods.map(({ place, pod }) => ({ object: pod, file: place, document: 0, path: [] }));
}

function asSource(object: Readonly<Record<string, unknown>>): Source {
  const { name, namespace } = (object['metadata'] ?? {}) as Record<string, unknown>;
  return { object, file: `${object['kind']} ${namespace}/${name}`, document: 0, path: [] };
}
