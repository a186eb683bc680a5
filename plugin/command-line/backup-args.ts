import { nameOfA } from '../../shared/core/names.ts';
import type { Flags } from '../../shared/input/flags.ts';
import type { Arguments } from './command.ts';
import { usage } from './session.ts';

/** The flags that take pods from a backup instead of from the cluster. */
export const backupArgs = {
  'backup-archive': {
    type: 'string',
    value: 'FILE',
    description: "Take the pods from a backup's archive, as velero backup download writes it (- for stdin)",
  },
  'from-backup': {
    type: 'string',
    value: 'BACKUP',
    form: nameOfA('Backup'),
    description: "Take the pods from this Backup, which the cluster's Velero is asked for",
  },
  'backup-insecure-skip-tls-verify': {
    type: 'boolean',
    description: "With --from-backup: don't verify the object store's certificate (insecure)",
  },
  'backup-cacert': {
    type: 'string',
    value: 'FILE',
    description: 'With --from-backup: certificate authorities of the object store',
  },
} as const satisfies Flags;

export type BackupFlags = Arguments<typeof backupArgs, Record<never, never>>;

/**
 * Whether the flags name a backup. `otherFiles`: the files that other flags name. `twice`: the command may read the
 * archive a second time, which stdin doesn't allow.
 */
export function namesBackup(flags: BackupFlags, otherFiles: readonly string[], twice = false): boolean {
  const { backupArchive, fromBackup, backupInsecureSkipTlsVerify, backupCacert } = flags;
  if (backupArchive !== undefined && fromBackup !== undefined) {
    throw usage('give either --backup-archive or --from-backup, not both');
  }
  if (fromBackup === undefined && (backupInsecureSkipTlsVerify || backupCacert !== undefined)) {
    throw usage('--backup-insecure-skip-tls-verify and --backup-cacert go with --from-backup');
  }
  if (backupArchive === '') throw usage('--backup-archive is empty');
  if (backupArchive === '-' && twice) {
    throw usage('the archive may have to be read twice, and stdin can be read only once', 'give it as a file');
  }
  if (backupArchive === '-' && otherFiles.includes('-')) {
    throw usage('stdin can be read only once: one of -f, --hooks and --backup-archive must name a file');
  }
  return backupArchive !== undefined || fromBackup !== undefined;
}
