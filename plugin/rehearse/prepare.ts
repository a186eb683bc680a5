import path from 'node:path';
import { RestoreHooksError } from '../../shared/core/errors.ts';
import { isLiteral } from '../../shared/core/model/glob.ts';
import type { Held, Mapping } from '../../shared/core/rehearsal/rehearsal.ts';
import { chooseNamespaces, mappingOf, restoreNameOf } from '../../shared/core/rehearsal/rehearsal.ts';
import { newRunID } from '../../shared/kubernetes/run/claim.ts';
import type { DownloadOptions } from '../../shared/kubernetes/velero/backup-contents.ts';
import type { Backup } from '../../shared/kubernetes/velero/backups.ts';
import { getBackup, isRestorable, lastBackupOf, withSimilarBackup } from '../../shared/kubernetes/velero/backups.ts';
import { heldBy, volumesAsTheyAre } from '../../shared/kubernetes/velero/held.ts';
import type { GivenArguments } from '../command-line/rehearse-args.ts';
import type { Session } from '../command-line/session.ts';
import { beginWork, say } from '../output/progress.ts';
import type { Context } from '../process/context.ts';

/** A rehearsal of which nothing exists yet. */
export interface Prepared {
  readonly id: string;
  /** Stands on what this process creates. */
  readonly maker: string;
  readonly backup: string;
  readonly completedAt: string | undefined;
  readonly location: string | undefined;
  readonly restore: string;
  readonly held: Held;
  readonly mapping: Mapping;
  readonly leftOut: readonly string[];
  readonly download: DownloadOptions;
}

type Given = Pick<
  GivenArguments,
  'includeNamespaces' | 'excludeResources' | 'id' | 'backupCacert' | 'backupInsecureSkipTlsVerify'
>;

/** The Backup that is rehearsed. */
export interface Rehearsed {
  readonly backup: string;
  readonly found: Backup;
}

/** Find the Backup, or the last one of the Schedule; one that can't be restored is refused (R7.101). */
export async function findBackup(
  session: Session,
  given: { readonly backup: string | undefined; readonly fromSchedule: string | undefined },
): Promise<Rehearsed> {
  const backup = given.backup ?? (await lastBackupOf(session.client, session.namespace, given.fromSchedule ?? ''));
  return { backup, found: await restorable(session, backup) };
}

/**
 * Read which namespaces the Backup holds, and choose what each of them is called (R7.101, R7.102). Velero is asked with
 * DownloadRequests, which it deletes itself.
 */
export async function prepare(
  session: Session,
  { backup, found }: Rehearsed,
  given: Given,
  context: Context,
): Promise<Prepared> {
  const { namespace } = session;
  const { cwd, env, signal } = context;
  const download: DownloadOptions = {
    env,
    signal,
    insecureSkipTlsVerify: given.backupInsecureSkipTlsVerify,
    caFile: given.backupCacert === undefined ? undefined : path.resolve(cwd, given.backupCacert),
  };
  const held = await heldOrNamed(session, backup, found, given.includeNamespaces, download, context);
  const { sources, leftOut } = chooseNamespaces(held, given.includeNamespaces, namespace);
  requirePods(backup, held, sources, leftOut);
  if (!isWithoutVolumes(given.excludeResources))
    await requireOwnStorage(session, found, backup, sources, download, context);
  const id = given.id ?? newRunID();
  return {
    id,
    maker: newRunID(),
    backup,
    completedAt: found.status?.completionTimestamp ?? undefined,
    location: found.spec?.storageLocation ?? undefined,
    restore: restoreNameOf(backup, id),
    held,
    mapping: mappingOf(sources, id),
    leftOut,
    download,
  };
}

async function restorable({ client, namespace }: Session, name: string): Promise<Backup> {
  const found = await getBackup(client, namespace, name).catch(async (error: unknown) => {
    throw await withSimilarBackup(client, namespace, name, error);
  });
  if (isRestorable(found)) return found;
  const phase = found.metadata?.deletionTimestamp ? 'it is being deleted' : (found.status?.phase ?? 'it has no phase');
  throw new RestoreHooksError('INVALID_INPUT', `Backup ${name} can't be rehearsed: ${phase}`, {
    hint: `it has to be Completed or PartiallyFailed: kubectl get backups.velero.io ${name} -n ${namespace} -o yaml`,
  });
}

/**
 * What the Backup holds. Where the object store can't be reached from here, the names stand for it that were given, or with
 * which the backup was made.
 */
async function heldOrNamed(
  { client, namespace }: Session,
  name: string,
  backup: Backup,
  asked: readonly string[],
  download: DownloadOptions,
  context: Context,
): Promise<Held> {
  const work = beginWork(context, `waiting for Velero to tell what Backup ${name} holds`);
  try {
    return await heldBy(client, namespace, name, backup, download, ({ message }) => {
      const named = asked.length > 0 ? asked : (backup.spec?.includedNamespaces ?? []);
      if (named.length === 0 || !named.every(isLiteral)) return undefined;
      say(context.stderr, `warning: ${message}; going on with the namespaces that are named: ${named.join(', ')}`);
      return new Map(named.map((each) => [each, undefined]));
    });
  } finally {
    work.end();
  }
}

/** A rehearsal without a pod would prove nothing. */
function requirePods(backup: string, held: Held, sources: readonly string[], leftOut: readonly string[]): void {
  if (sources.some((source) => held.get(source) !== 0)) return;
  const others = leftOut.length === 0 ? '' : ` (${leftOut.join(', ')} left out)`;
  const where = sources.length === 0 ? 'no namespace to rehearse' : `no pod in ${sources.slice(0, 10).join(', ')}`;
  throw new RestoreHooksError('NO_POD_MATCHED', `Backup ${backup} holds ${where}${others}`, {
    hint: `see what it holds: velero backup describe ${backup} --details; choose with --include-namespaces`,
  });
}

const VOLUMES: readonly string[] = ['persistentvolumes', 'persistentvolume', 'pv'];
const isWithoutVolumes = (excluded: readonly string[]): boolean =>
  excluded.some((each) => VOLUMES.includes(each.toLowerCase()));

/** A copy that writes to the storage of the original would be no rehearsal (R7.103). */
async function requireOwnStorage(
  { client, namespace }: Session,
  backup: Backup,
  name: string,
  sources: readonly string[],
  download: DownloadOptions,
  context: Context,
): Promise<void> {
  const without = '--exclude-resources persistentvolumes,persistentvolumeclaims';
  const shared = await volumesAsTheyAre(client, namespace, name, backup, sources, download);
  if (shared === undefined) {
    const doubt = `it can't be read which volumes Backup ${name} holds without their data`;
    const what = "Velero restores one with another reclaim policy than Delete together with the original's storage";
    return say(context.stderr, `warning: ${doubt}; ${what} (${without} leaves volumes out)`);
  }
  if (shared.length === 0) return;
  const some = shared.slice(0, 5).join(', ');
  throw new RestoreHooksError(
    'INVALID_INPUT',
    `Backup ${name} holds PersistentVolume ${some} without its data: hooks would write to the original's storage`,
    { hint: `rehearse without volumes: ${without} (pods that mount them don't start then)` },
  );
}
