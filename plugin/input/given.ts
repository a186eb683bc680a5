import { isDeepStrictEqual } from 'node:util';
import { RestoreHooksError } from '../../shared/core/errors.ts';
import type { Restore } from '../../shared/core/model/restore.ts';
import type { Notice } from '../../shared/core/plan/notice.ts';
import type { Input } from '../../shared/input/files.ts';
import type { InputObject } from '../../shared/input/manifests.ts';
import { isRestore, passedOverNotices } from '../../shared/input/objects.ts';
import type { BackupFlags } from '../command-line/backup-args.ts';
import type { Session } from '../command-line/session.ts';
import { usage } from '../command-line/session.ts';
import type { Context } from '../process/context.ts';
import type { GivenPods } from './given-pods.ts';
import { hasPods, theRestore } from './plan-input.ts';

/** What a command line names besides a Restore of the cluster. */
export interface Given {
  readonly args: BackupFlags;
  readonly input: Input;
  readonly isOfBackup: boolean;
}

export function requireOneOrigin(objects: readonly InputObject[], isOfBackup: boolean): void {
  if (isOfBackup && hasPods(objects)) {
    throw usage('the backup gives the pods, so -f must not contain any', 'give one of the two');
  }
}

/** The pods that files or a backup give besides the live ones; undefined if there are none. */
export async function givenPods(
  { args, input, isOfBackup }: Given,
  session: Session,
  restore: Restore,
  context: Context,
): Promise<GivenPods | undefined> {
  const given = noticesOfSameRestore(input.objects, restore);
  const known = [...input.notices, ...given, ...passedOverNotices(input.objects)];
  if (isOfBackup) {
    const { givenByBackup } = await import('./backup-input.ts');
    const ofBackup = await givenByBackup(args, session, restore, context);
    return { ...ofBackup, notices: [...known, ...ofBackup.notices] };
  }
  if (!hasPods(input.objects) && known.length === 0) return undefined;
  const { podsOfFiles } = await import('./given-pods.ts');
  const ofFiles = podsOfFiles(input.objects, restore);
  return { ...ofFiles, notices: [...known, ...ofFiles.notices] };
}

/**
 * Refuse a Restore in `-f` that is not the cluster's: it must have the same UID or the same hooks. Returns its notices
 * (R1.6).
 */
function noticesOfSameRestore(objects: readonly InputObject[], own: Restore): readonly Notice[] {
  if (!objects.some(isRestore)) return [];
  const { restore, notices } = theRestore(objects, '-f');
  const { uid } = restore.metadata;
  if (uid && uid === own.metadata.uid) return notices;
  const differences = differingHooks(restore, own);
  if (differences.length === 0) return notices;
  const which = uid ? 'another Restore' : 'not as it is in the cluster';
  throw new RestoreHooksError(
    'INVALID_INPUT',
    `-f holds Restore ${own.metadata.name}, which is ${which}:\n${differences.slice(0, 20).join('\n')}`,
    { hint: "the cluster's Restore counts: leave it out of -f, or give its hooks as RestoreHooks with --hooks" },
  );
}

function differingHooks(given: Restore, own: Restore): string[] {
  const [mine, theirs] = [given, own].map(({ spec }) => spec.hooks.resources) as [Entries, Entries];
  return Array.from({ length: Math.max(mine.length, theirs.length) }, (_, index) => index).flatMap((index) => {
    const [inFile, inCluster] = [mine[index], theirs[index]];
    if (isDeepStrictEqual(inFile, inCluster)) return [];
    const name = (inFile ?? inCluster)?.name;
    const at = `spec.hooks.resources[${index}]${name ? ` (${name})` : ''}`;
    if (inFile === undefined) return [`${at}: only in the cluster`];
    if (inCluster === undefined) return [`${at}: only in the file`];
    const fields = Object.keys(inFile) as (keyof typeof inFile)[];
    const differing = fields.filter((field) => !isDeepStrictEqual(inFile[field], inCluster[field]));
    return [`${at}: ${differing.join(', ')} differ${differing.length === 1 ? 's' : ''}`];
  });
}
type Entries = Restore['spec']['hooks']['resources'];
