import type { JobSettings } from '../../shared/core/manifests/defaults.ts';
import { executionFlags, planFlags } from '../../shared/input/run-flags.ts';
import { onlyArg, runnerArgs } from './apply-args.ts';
import { kubeArgs, outputArg } from './args.ts';
import { backupArgs } from './backup-args.ts';
import type { Arguments } from './command.ts';

const DEFAULT_DEADLINE_MS = 30 * 60_000;

export const rehearseArgs = {
  'from-schedule': {
    type: 'string',
    value: 'SCHEDULE',
    description: 'Rehearse the last Backup of this Schedule that has completed, instead of BACKUP',
  },
  'include-namespaces': {
    type: 'list',
    value: 'NAMESPACE',
    description:
      "Only these namespaces of the backup; patterns as Velero's (default: all but Velero's own and the cluster's)",
  },
  'exclude-resources': {
    type: 'list',
    value: 'RESOURCE',
    description: 'Also leave these resources out (ingresses and cronjobs always are)',
  },
  'deny-egress': {
    type: 'boolean',
    description: 'Let no pod of the rehearsal reach anything outside of it (a NetworkPolicy), but name servers',
  },
  id: {
    type: 'string',
    value: 'WORD',
    description: "The end of the namespaces' names: NAMESPACE-rehearsal-WORD (default: six random letters and digits)",
  },
  keep: { type: 'boolean', description: 'Leave it when it has ended; --cleanup removes it' },
  cleanup: {
    type: 'boolean',
    description: 'Remove what a rehearsal has left, by its id; without an id, list the rehearsals that stand',
  },
  yes: { type: 'boolean', short: 'y', description: "Don't ask on a terminal" },
  hooks: planFlags.hooks,
  sources: planFlags.sources,
  ...onlyArg,
  'max-exec-timeout': planFlags['max-exec-timeout'],
  detach: planFlags.detach,
  rerun: planFlags.rerun,
  'recreate-pods': planFlags['recreate-pods'],
  runner: runnerArgs.runner,
  image: runnerArgs.image,
  'image-pull-secret': runnerArgs['image-pull-secret'],
  'service-account': runnerArgs['service-account'],
  'job-patch': runnerArgs['job-patch'],
  'max-concurrent': executionFlags['max-concurrent'],
  capture: executionFlags.capture,
  'fail-on': executionFlags['fail-on'],
  deadline: {
    type: 'duration',
    value: 'DURATION',
    positive: true,
    default: DEFAULT_DEADLINE_MS,
    description: 'How long restoring and hooks may take together (default: 30m); then it is removed',
  },
  'dry-run': {
    type: 'string',
    choices: ['none', 'client'],
    bare: 'client',
    description: 'Create nothing: print the manifests',
  },
  'backup-insecure-skip-tls-verify': {
    ...backupArgs['backup-insecure-skip-tls-verify'],
    description: "Don't verify the object store's certificate (insecure)",
  },
  'backup-cacert': { ...backupArgs['backup-cacert'], description: 'Certificate authorities of the object store' },
  ...outputArg(['json', 'yaml', 'wide', 'name']),
  ...kubeArgs,
} as const;

export type GivenArguments = Arguments<typeof rehearseArgs, Record<never, never>>;
/** With the settings of the Job that the flags and the defaults come to. */
export type RehearseArguments = Omit<GivenArguments, 'output' | 'jobPatch' | keyof JobSettings> & JobSettings;
