import type { Restore } from '../shared/core/model/restore.ts';
import type { BackupFlags } from './backup-args.ts';
import type { Context } from './context.ts';
import type { GivenPods } from './given-pods.ts';
import type { InputObject } from './manifests.ts';
import { hasPods } from './plan-input.ts';
import type { Session } from './session.ts';
import { usage } from './session.ts';

/** What a command line names beside a Restore of the cluster. */
export interface Given {
  readonly args: BackupFlags;
  readonly objects: readonly InputObject[];
  readonly isOfBackup: boolean;
}

export function requireOneOrigin(objects: readonly InputObject[], isOfBackup: boolean): void {
  if (isOfBackup && hasPods(objects)) {
    throw usage('the pods are those of the backup, and -f names others', 'give either');
  }
}

/** The pods that are given beside those that live; undefined where there are none. */
export async function givenPods(
  { args, objects, isOfBackup }: Given,
  session: Session,
  restore: Restore,
  context: Context,
): Promise<GivenPods | undefined> {
  if (isOfBackup) {
    const { givenByBackup } = await import('./backup-input.ts');
    return givenByBackup(args, session, restore, context);
  }
  if (!hasPods(objects)) return undefined;
  const { podsOfFiles } = await import('./given-pods.ts');
  return podsOfFiles(objects, restore);
}
