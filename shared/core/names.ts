import { shortenName } from './digest.ts';
import { RestoreHooksError } from './errors.ts';

export const API_VERSION = 'restorehooks.io/v1';
/** Velero's label on what it has restored. */
export const RESTORE_NAME_LABEL = 'velero.io/restore-name';
export const SERVICE_ACCOUNT = 'restorehooks'; // R5.22

/** The ConfigMap with what runs have in common, and its key (R8.23). */
export const DEFAULTS_NAME = 'restorehooks-defaults';
export const DEFAULTS_KEY = 'defaults.yaml';

/** Kubernetes' annotation on a pod of an Indexed Job: which of its indexes the pod has. */
export const COMPLETION_INDEX = 'batch.kubernetes.io/job-completion-index';

/** Our annotations on the Restore (R5.7). */
export const ANNOTATION = {
  phase: 'restorehooks.io/phase',
  progress: 'restorehooks.io/progress',
  status: 'restorehooks.io/status',
  job: 'restorehooks.io/job',
  formerPhase: 'restorehooks.io/former-phase',
  cancelRequested: 'restorehooks.io/cancel-requested',
  metrics: 'restorehooks.io/metrics',
} as const;

const OBJECT_NAME_LIMIT = 63;

/** Kubernetes calls the pods of an Indexed Job by the Job's name and their number, and that is a host name, too. */
const LONGEST_INDEX = '-63';

/** The name of a run's Job, and the prefix of its Secrets' names (R5.1). */
export function runName(restore: string, runID: string): string {
  const room = OBJECT_NAME_LIMIT - `restorehooks--${runID}${LONGEST_INDEX}`.length;
  return `restorehooks-${shortenName(restore, room)}-${runID}`;
}

/** What can be an image's name; the registry and the kubelet are stricter. */
export const IMAGE_NAME = /^[^\s@:]\S*$/;
export const IMAGE = { is: (text: string): boolean => IMAGE_NAME.test(text), expected: "the runner's image" };

/** Where the runner finds its plan; part files in the order of their names. */
export const PLAN_DIRECTORY = '/var/run/restorehooks/plan';

/** The prefix of the names of one shard's objects; those of the first, or only, shard have the run's own name (R8.42). */
export const shardName = (run: string, shard: { readonly index: number } | undefined): string =>
  shard === undefined || shard.index === 0 ? run : `${run}-s${shard.index}`;
/** The ConfigMap in which a run's shards tell each other how they stand. */
export const boardName = (run: string): string => `${run}-shards`;

export const planSecretName = (run: string, part: number): string => `${run}-plan-${part}`;
export const reportSecretName = (run: string, part: number): string => `${run}-report-${part}`;

export const journalName = (run: string, part: number): string => `${run}-journal-${part}`;
/** One for a Restore, whatever the run: who works on it (R5.22). Each further shard has its own. */
export const leaseName = (restore: string, shard?: { readonly index: number }): string => {
  const name = shortenName(restore, OBJECT_NAME_LIMIT - 13);
  if (shard === undefined || shard.index === 0) return `restorehooks-${name}`;
  // No Restore is called so that its own Lease has this name.
  return `restorehooks.shard-${shard.index}.${name}`;
};

export const RUN_ID_LABEL = 'restorehooks.io/run-id';
/** Of a run's objects in a namespace of their own: the Restore's (R8.82). */
export const RESTORE_UID_LABEL = 'restorehooks.io/restore-uid';
export const RESTORE_NAMESPACE_LABEL = 'restorehooks.io/restore-namespace';
/** Of all objects of one run, and of its runners' pods. */
export const runSelector = (runID: string): string => `${RUN_ID_LABEL}=${runID}`;
/** Of all objects of all runs of a Restore; of another Restore's too, if its name shortens to the same. */
export const runsSelector = (restore: string): string =>
  `app.kubernetes.io/name=restorehooks,restorehooks.io/restore=${shortenName(restore)}`;
export const runLabels = (restore: string, runID: string): Record<string, string> => ({
  'app.kubernetes.io/name': 'restorehooks',
  'restorehooks.io/restore': shortenName(restore),
  [RUN_ID_LABEL]: runID,
});

/** A kind of Velero's, as `kubectl get` takes and prints it. */
const resourceOf = (kind: string): RegExp => new RegExp(`^${kind}s?(?:\\.(?:v1\\.)?velero\\.io)?$`, 'i');
export const RESTORE_RESOURCE = resourceOf('restore');
export const BACKUP_RESOURCE = resourceOf('backup');

/** What a namespace, and a container, may be called (RFC 1123). */
export const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** What a Restore, a Backup and a Schedule may be called. */
const OBJECT_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** The form of a flag that names an object of Velero's: its name alone (R1.2). */
export const nameOfA = (kind: string) => ({
  is: (text: string): boolean => OBJECT_NAME.test(text),
  expected: `the name of a ${kind}`,
});

/** The name in `NAME`, or in what `kubectl get -o name` prints: `restore.velero.io/NAME` (R1.2). */
export const restoreName = (given: string): string => nameIn(given, 'Restore', RESTORE_RESOURCE);
export const backupName = (given: string): string => nameIn(given, 'Backup', BACKUP_RESOURCE);

function nameIn(given: string, kind: string, type: RegExp): string {
  const [name = '', resource, ...others] = given.split('/').reverse();
  const isOfType = others.length === 0 && (resource === undefined || type.test(resource));
  if (isOfType && OBJECT_NAME.test(name)) return name;
  const what =
    given === '' ? `the name of the ${kind} is empty` : `${JSON.stringify(given)} is not the name of a ${kind}`;
  const word = kind.toLowerCase();
  const hint = `give NAME, ${word}/NAME or ${word}.velero.io/NAME`;
  throw new RestoreHooksError('INVALID_ARGUMENT', what, { hint });
}
